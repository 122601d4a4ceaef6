"""The slow twins that the heads are timed against compute what is published: they pass the parity fixtures, too."""

import importlib
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from zsadbench.checkpoints import load_state
from zsadbench.parity.fixture import find_fixtures, tolerance
from zsadbench.registry import method_card

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
HEADS = ("fbclip", "afclip", "anomalyclip")
NAMES = ["bolt", "nut", "bolt"]
TEXTS = {  # of every image, where they are not among the tokens
    "aprilgan": lambda detector, names: detector.text_features(names),
    "winclip": lambda detector, names: detector.text_features(names),
    "aaclip": lambda detector, names: detector.anchors(names),
}


@pytest.fixture
def twin(monkeypatch):
    """`twin(name)` is the module of a slow twin."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return lambda name: importlib.import_module(f"twins.{name}")


@pytest.mark.parametrize("name", HEADS)
def test_a_twin_agrees_with_the_head(twin, widened, make_tokens, name):
    detector = widened(name)
    taps = method_card(name).taps(detector.options)
    tokens = make_tokens(layers=len(taps.blocks), values=len(taps.value_blocks), grid=7)
    with torch.no_grad():
        slow = twin(name).score(detector, tokens, detector.text_features())
        fast = detector.score(tokens, ["bolt"] * 3)
    assert torch.allclose(slow.image, fast.image, atol=1e-5)
    assert torch.allclose(slow.pixel, fast.pixel, atol=1e-5)
    assert fast.pixel.std() > 1e-3


@pytest.mark.parametrize("name", ["aprilgan", "winclip", "adaclip", "aaclip", "mfpclip"])
def test_a_twin_of_other_texts_agrees(twin, tiny_backbone, tiny_images, widened, name):
    card = method_card(name)
    detector = card.build(tiny_backbone, card.options()) if name == "winclip" else widened(name)
    own = card.taps(detector.options).own_encoding
    with torch.no_grad():
        taps = card.taps(detector.options)
        tokens = detector.encode(tiny_images, NAMES) if own else tiny_backbone.vision(tiny_images, taps)
        slow = twin(name).score(detector, tokens, TEXTS[name](detector, NAMES) if name in TEXTS else torch.empty(0))
        fast = detector.score(tokens, NAMES)
    assert torch.allclose(slow.image, fast.image, atol=1e-5)
    assert torch.allclose(slow.pixel, fast.pixel, atol=3e-5)
    assert fast.pixel.std() > 1e-3


def test_a_twin_with_a_memory_agrees(twin, tiny_backbone, tiny_images, widened):
    detector = widened("promptad")
    with torch.no_grad():
        detector.remember(detector.encode(tiny_images[:1].flip(-1), NAMES[:1]))
        tokens = detector.encode(tiny_images, NAMES)
        text = torch.stack([detector.text_features(part, NAMES) for part in ("cls", "seg")], dim=1)
        slow, fast = twin("promptad").score(detector, tokens, text), detector.score(tokens, NAMES)
    assert torch.allclose(slow.image, fast.image, atol=1e-5)
    assert torch.allclose(slow.pixel, fast.pixel, atol=1e-5)
    assert fast.pixel.std() > 1e-3


def test_a_twin_of_a_text_per_image_agrees(twin, widened, make_tokens):
    detector, tokens = widened("faprompt"), make_tokens(layers=1, values=1, grid=7)
    with torch.no_grad():
        slow = twin("faprompt").score(detector, tokens, torch.empty(0))
        fast = detector.score(tokens, NAMES)
    assert torch.allclose(slow.image, fast.image, atol=1e-5)
    assert torch.allclose(slow.pixel, fast.pixel, atol=1e-5)
    assert fast.pixel.std() > 1e-3


@pytest.mark.parametrize("name", [*HEADS, "faprompt"])
def test_a_twin_passes_parity(twin, fixtures_root, oracle_backbone, name):
    folder = fixtures_root / name
    (fixture,) = find_fixtures([folder])
    card, about = method_card(name), fixture.about
    settings = {**about["options"], "training": about.get("training", {})}
    options = card.options(**card.official.options(settings))
    if card.options() != replace(options, activation=card.options().activation):  # a fixture may name the native one
        pytest.skip("the fixture's settings are not the published ones")
    backbone = oracle_backbone(about["image_size"])
    detector = card.build(backbone, options)
    load_state(detector.network, card.official.read([folder / one for one in about["checkpoint_files"]]), "the fixture")
    expected = load_file(folder / "expected.safetensors")
    with torch.no_grad():
        tokens = backbone.vision(load_file(folder / "inputs.safetensors")["images"].float(), card.taps(options))
        text = detector.text_features() if name in HEADS else torch.empty(0)  # FAPrompt's twin encodes it per image
        made = twin(name).score(detector, tokens, text)
    for stage, tensor in (("score", made.image), ("map_grid", made.pixel)):
        absolute, _ = tolerance(about["tolerance"], stage)
        assert (tensor - expected[stage]).abs().max() <= absolute, stage

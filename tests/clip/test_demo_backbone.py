"""The backbone that is shipped: found by its name, frozen by its hash, never taken for CLIP."""

import json

import pytest
import torch

from zsadbench.clip import build, map_taps, resolve
from zsadbench.clip.config import DEMO_FOLDER
from zsadbench.errors import WeightsError
from zsadbench.files import file_sha256

FROZEN = "54a6a149eedd6ba15c73a79bf52a0da19924a1d842714fcdb120f79306c3f4b4"


def test_its_weights_are_the_frozen_ones_and_small():
    path = DEMO_FOLDER / "weights.safetensors"
    assert file_sha256(path) == FROZEN
    assert json.loads((DEMO_FOLDER / "made.json").read_text())["sha256"] == FROZEN
    assert path.stat().st_size < 20e6


@pytest.mark.parametrize(("backbone", "weights"), [("demo", None), (None, "demo"), ("demo", "demo")])
def test_backbone_and_weights_name_each_other(backbone, weights, monkeypatch):
    monkeypatch.delenv("ZSADBENCH_BACKBONE", raising=False)
    monkeypatch.delenv("ZSADBENCH_WEIGHTS", raising=False)
    spec = resolve(backbone, weights)
    assert (spec.name, spec.weights.label, spec.weights.sha256) == ("demo", "demo", FROZEN)
    assert spec.demo
    assert not spec.shipped


def test_other_architectures_do_not_take_its_weights():
    with pytest.raises(WeightsError, match="belong to backbone 'demo'"):
        resolve("ViT-B-32", "demo")


def test_it_has_no_published_weights():
    with pytest.raises(WeightsError, match="no weights 'openai' for backbone 'demo'"):
        resolve("demo", "openai", offline=True)


def test_it_encodes_images_and_sentences():
    backbone = build(resolve("demo", "demo"))
    depth = backbone.spec.config.vision.layers
    assert len(map_taps((1, 6, 12, 18, 24), depth)) == 5
    from zsadbench.types import Taps

    tokens = backbone.vision(torch.zeros(1, 3, backbone.image_size, backbone.image_size), Taps((24,)))
    width = backbone.spec.config.vision.width
    assert tokens.layers[0].shape == (1, 1 + backbone.grid**2, width)
    features = backbone.text.sentence_features(["a photo of a normal metal nut.", "a photo of a damaged metal nut."])
    assert features.shape == (2, backbone.spec.config.embed_dim)
    assert torch.isfinite(features).all()

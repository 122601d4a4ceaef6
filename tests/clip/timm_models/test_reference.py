"""A real encoder: its tokens against stored ones, under every name, with LayerScale folded, by every rule.

`ZSADBENCH_REAL_WEIGHTS` names a folder with the weights of a vision transformer of the shape of DINOv2 ViT-S/14, and
with inputs and tokens that timm computed from them.
"""

import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from zsadbench.clip import build, resolve
from zsadbench.clip.timm_models.names import to_timm_names
from zsadbench.types import Taps

from .test_names import as_meta, as_transformers

NAME = "vit_small_patch14_dinov2"
FILE = "vit_small_patch14_518.safetensors"
TAPS = Taps((1, 4, 7, 12), numbering="own", position="bicubic")


@pytest.fixture(scope="module")
def folder():
    if not os.environ.get("ZSADBENCH_REAL_WEIGHTS"):
        pytest.skip("ZSADBENCH_REAL_WEIGHTS is not set: there is no real encoder")
    return Path(os.environ["ZSADBENCH_REAL_WEIGHTS"])


@pytest.fixture(scope="module")
def reference(folder):
    return load_file(folder / "reference.safetensors")


def tokens_at(spec, reference, size, **settings):
    tower = build(spec, size, **{"position": "bicubic", **settings}).vision
    image = reference[f"input_{size}"].float().unsqueeze(0)
    with torch.inference_mode():
        tokens, normed = tower(image, TAPS), tower(image, Taps((24,), final_norm=True))
    rows = reference[f"rows_{size}"].long()
    return [layer[0, rows] for layer in (*tokens.layers, *normed.layers)]


def expected_at(reference, size):
    return [reference[name] for name in (*(f"block_{block}_{size}" for block in TAPS.blocks), f"norm_{size}")]


@pytest.mark.parametrize("size", [518, 224])
def test_tokens_equal_the_stored_ones(folder, reference, size):
    spec = resolve(NAME, str(folder / FILE))
    for found, expected in zip(tokens_at(spec, reference, size), expected_at(reference, size), strict=True):
        assert ((found - expected).abs() <= 1e-4 + 1e-4 * expected.abs()).all()


def test_other_rules_for_positions_show(folder, reference):
    spec, expected = resolve(NAME, str(folder / FILE)), reference["norm_224"]
    offset, antialiased, bilinear = (
        (tokens_at(spec, reference, 224, position=rule)[-1] - expected).abs().max()
        for rule in ("bicubic_offset", "bicubic_antialias", "bilinear")
    )
    assert 0.08 < offset < 0.16
    assert 0.35 < antialiased < 0.45
    assert 0.1 < bilinear < 0.35


def test_folded_layer_scale_gives_the_same_tokens(folder, reference, tmp_path):
    state = {name: value.float() for name, value in load_file(folder / FILE).items()}
    for name in [name for name in state if name.endswith(".gamma")]:
        stem = name.replace("ls1.gamma", "attn.proj").replace("ls2.gamma", "mlp.fc2")
        state[f"{stem}.weight"] *= state[name][:, None]
        state[f"{stem}.bias"] *= state[name]
        state[name] = torch.ones_like(state[name])
    save_file(state, tmp_path / "folded.safetensors")
    spec = resolve(NAME, str(tmp_path / "folded.safetensors"))
    for found, expected in zip(tokens_at(spec, reference, 224), expected_at(reference, 224), strict=True):
        assert ((found - expected).abs() <= 1e-4 + 1e-4 * expected.abs()).all()


@pytest.mark.parametrize("rename", [as_meta, as_transformers])
def test_other_names_are_read(folder, rename):
    state = load_file(folder / FILE)
    found = to_timm_names(rename("dinov2", state), state, "the file")
    assert found.keys() == state.keys()
    assert all(torch.equal(found[name], state[name]) for name in state)

"""Small encoders of timm: architectures as files, and the real one where it is there."""

import json

import pytest
import torch

from zsadbench.clip import build, resolve

DINOV2 = {"embed_dim": 32, "depth": 12, "num_heads": 2, "init_values": 0.5, "img_size": 70}
ROTARY = {"embed_dim": 32, "depth": 6, "num_heads": 2, "img_size": 64}
SMALL = {  # name → timm's architecture and the arguments that make it small
    "dinov2": ("vit_small_patch14_dinov2", DINOV2),
    "gated": ("vit_giant_patch14_dinov2", DINOV2),
    "registers": ("vit_small_patch14_reg4_dinov2", DINOV2),
    "dinov3": ("vit_small_patch16_dinov3", {**ROTARY, "init_values": 0.5}),
    "dinov3-gated": ("vit_huge_plus_patch16_dinov3", {**ROTARY, "init_values": 0.5}),
    "dinov3-bias": ("vit_small_patch16_dinov3_qkvb", {**ROTARY, "init_values": 0.5}),
    "eva": ("eva02_base_patch16_clip_224", ROTARY),
    "no class token": ("vit_base_patch16_siglip_224", {"embed_dim": 32, "depth": 6, "num_heads": 2, "img_size": 64}),
    "first norm": ("vit_base_patch16_clip_224", {"embed_dim": 32, "depth": 6, "num_heads": 2, "img_size": 64}),
    "average": ("test_vit2", {"init_values": 0.5}),
}


@pytest.fixture(scope="session")
def small_file(tmp_path_factory):
    """`small_file(name, **changes)`: a `backbone.json` of a small encoder, with other arguments where given."""

    def write(name, **changes):
        model, arguments = SMALL[name]
        path = tmp_path_factory.mktemp("encoder") / "backbone.json"
        path.write_text(json.dumps({"timm": model, "arguments": {**arguments, **changes}}))
        return path

    return write


@pytest.fixture(scope="session")
def small(small_file):
    """`small(name, size)`: the backbone with random values; none may be changed."""
    built = {}

    def make(name, size=None, **settings):
        key = (name, size, *settings.items())
        if key not in built:
            built[key] = build(resolve(str(small_file(name)), "random"), size, **settings)
        return built[key]

    return make


@pytest.fixture(scope="session")
def noise():
    """`noise(height, width)`: two normalised images."""
    return lambda height, width: torch.randn(2, 3, height, width, generator=torch.Generator().manual_seed(3))

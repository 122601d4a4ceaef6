"""Each tower on its own: the same values in whatever order they are asked for, and nothing held longer than needed."""

import gc
import weakref

import pytest
import torch
from open_clip.model import CLIP, CLIPTextCfg, CLIPVisionCfg

from zsadbench.clip import build, resolve
from zsadbench.clip.weights import RANDOM_SEED
from zsadbench.errors import WeightsError

ORDERS = (("vision", "text"), ("text", "vision"), ("text", "release", "text", "vision"))


@pytest.fixture(params=["random", "safetensors", "torchscript"])
def made(request, tiny_file, tiny_state, write_weights, tmp_path):
    """`made()` builds a backbone anew, with random weights or out of a file."""
    weights = "random"
    if request.param != "random":
        weights = str(write_weights(tiny_state, tmp_path, request.param))
    spec = resolve(str(tiny_file), weights)
    return lambda: build(spec, 42)


def values(backbone, order):
    found = {}
    for tower in order:
        if tower == "release":
            backbone.release_text()
        else:
            state = getattr(backbone, tower).state_dict()
            found |= {f"{tower}.{name}": one.clone() for name, one in state.items()}
    return found


@pytest.mark.parametrize("order", ORDERS, ids="-".join)
def test_the_order_of_asking_changes_no_value(made, order):
    first, again = values(made(), ORDERS[0]), values(made(), order)
    assert first.keys() == again.keys()
    assert all(torch.equal(one, again[name]) for name, one in first.items())


def test_random_towers_are_those_of_open_clip_drawn_as_one_model(tiny_file):
    backbone = build(resolve(str(tiny_file), "random"))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(RANDOM_SEED)
        vision = CLIPVisionCfg(layers=24, width=64, head_width=64, patch_size=14, image_size=28)
        whole = CLIP(32, vision, CLIPTextCfg(width=64, heads=1, layers=2), quick_gelu=True).state_dict()
    for name, one in backbone.text.transformer.state_dict().items():
        assert torch.equal(one, whole[f"transformer.{name}"]), name
    assert torch.equal(backbone.text.projection, whole["text_projection"])
    for name, one in backbone.vision.visual.state_dict().items():
        assert torch.equal(one, whole[f"visual.{name}"]), name


def test_a_tower_is_built_when_it_is_asked_for(made):
    backbone = made()
    assert (backbone._vision, backbone._text) == (None, None)
    counted = backbone.count_parameters()
    assert (backbone._vision, backbone._text) == (None, None), "counting builds nothing"
    towers = (backbone.vision, backbone.text)
    assert counted == sum(one.numel() for tower in towers for one in tower.parameters())
    assert backbone.text is towers[1], "and kept"


def test_a_released_text_tower_is_gone(made):
    backbone = made()
    seen = weakref.ref(backbone.text.token_embedding.weight)
    backbone.release_text()
    gc.collect()
    assert seen() is None


def test_towers_built_while_scoring_can_be_learned_through(made):
    backbone = made()
    with torch.inference_mode():
        towers = (backbone.vision, backbone.text)
    for tower in towers:
        assert not any(one.is_inference() or one.requires_grad for one in tower.parameters())
        assert not any(one.is_inference() for one in tower.buffers())


def test_where_they_will_be_is_said_beforehand(tiny_file):
    backbone = build(resolve(str(tiny_file), "random")).to("meta")
    assert (
        backbone.vision.positions.device == backbone.text.projection.device == backbone.device == torch.device("meta")
    )


def test_a_foreign_file_is_refused_before_a_tower_is_built(tiny_state, tiny_file, write_weights, tmp_path):
    broken = {name: one for name, one in tiny_state.items() if name != "ln_final.bias"}
    spec = resolve(str(tiny_file), str(write_weights(broken, tmp_path, "safetensors")))
    with pytest.raises(WeightsError, match=r"tensors missing: \['ln_final.bias'\]"):
        build(spec)

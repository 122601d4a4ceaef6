"""Tokens of timm's encoders against timm itself, at every size and with every rule for positions."""

import pytest
import torch
from timm.layers import resample_abs_pos_embed
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import avg_pool2d, interpolate
from torch.utils.flop_counter import FlopCounterMode

from zsadbench.clip import build, resolve
from zsadbench.clip.macs import image_macs, tower_macs
from zsadbench.clip.positions import resize_positions
from zsadbench.clip.timm_models.library import new_trunk
from zsadbench.errors import UsageError
from zsadbench.types import Taps

from .conftest import SMALL

ALL = Taps((2, 3, 6), numbering="own")


def of_timm(trunk, images, blocks=(2, 3, 6), *, norm=False):
    """Tokens after blocks as timm gives them: the class token or the mean of the patches, and the patches."""
    found = trunk.forward_intermediates(
        images,
        indices=[block - 1 for block in blocks],
        norm=norm,
        output_fmt="NLC",
        return_prefix_tokens=True,
        intermediates_only=True,
    )
    pairs = [one if isinstance(one, tuple) else (one, one[:, :0]) for one in found]
    has_class = trunk.cls_token is not None
    return [torch.cat([first[:, :1] if has_class else own.mean(1, keepdim=True), own], dim=1) for own, first in pairs]


@pytest.mark.parametrize("name", SMALL)
def test_tokens_are_those_of_timm(small, noise, name):
    tower = small(name).vision
    images = noise(small(name).image_size, small(name).image_size)
    with torch.inference_mode():
        ours, theirs = tower(images, ALL), of_timm(tower.trunk, images)
    assert len(ours.layers) == len(theirs) == 3
    for one, other in zip(ours.layers, theirs, strict=True):
        assert one.shape == other.shape == (2, 1 + tower.grid**2, tower.config.vision.width)
        assert torch.allclose(one, other, atol=1e-5)
    assert not torch.allclose(ours.layers[0], ours.layers[2], atol=1e-3)


@pytest.mark.parametrize("name", ["dinov2", "registers", "dinov3", "no class token", "first norm", "average"])
def test_the_final_norm_is_that_of_timm(small, noise, name):
    tower, last = small(name).vision, Taps((24,), final_norm=True)
    images = noise(small(name).image_size, small(name).image_size)
    with torch.inference_mode():
        (ours,), depth = tower(images, last).layers, tower.depth
        whole = tower.norm(torch.cat([tower.walk.run(tower.walk.first_norm(tower.walk.embed(images)))]))
    assert torch.allclose(ours[:, 1:], whole[:, tower.config.vision.prefix_tokens :], atol=1e-6)
    if name != "average":  # timm has its norm after the mean
        with torch.inference_mode():
            (theirs,) = of_timm(tower.trunk, images, (depth,), norm=True)
        assert torch.allclose(ours, theirs, atol=1e-5)


@pytest.mark.parametrize("name", ["dinov2", "registers", "no class token", "first norm"])
@pytest.mark.parametrize("sides", [(6, 6), (3, 7)], ids=["square", "rectangle"])
def test_other_sizes_with_the_rule_of_timm(small, noise, name, sides):
    backbone = small(name, 84 if "clip" not in SMALL[name][0] and "siglip" not in SMALL[name][0] else 96)
    patch = backbone.spec.config.vision.patch_size
    tower = build(backbone.spec, 6 * patch, position="bicubic_antialias").vision
    images = noise(sides[0] * patch, sides[1] * patch)
    free = new_trunk(SMALL[name][0], {**SMALL[name][1], "dynamic_img_size": True}, values=True)
    free.load_state_dict(tower.trunk.state_dict())
    with torch.inference_mode():
        ours, theirs = tower(images, ALL), of_timm(free, images)
    assert ours.shape == sides
    assert (ours.rows, ours.grid) == (0 if sides[0] == sides[1] else sides[0], sides[1])
    for one, other in zip(ours.layers, theirs, strict=True):
        assert torch.allclose(one, other, atol=1e-5)


@pytest.mark.parametrize("name", ["dinov3", "eva"])
def test_rotary_positions_follow_the_grid(small, noise, name):
    backbone, sides = small(name), (5, 3)
    images = noise(5 * 16, 3 * 16)
    free = new_trunk(SMALL[name][0], {**SMALL[name][1], "dynamic_img_size": True}, values=True)
    free.load_state_dict(backbone.vision.trunk.state_dict())
    tower = build(backbone.spec, None, position="bicubic_antialias").vision
    with torch.inference_mode():
        ours, theirs = tower(images, ALL), of_timm(free, images)
    assert ours.shape == sides
    assert torch.allclose(ours.layers[2], theirs[2], atol=1e-5)


def test_the_rules_for_positions_are_those_that_they_are_called_after():
    table = torch.randn(1 + 37**2, 8, generator=torch.Generator().manual_seed(0))
    grid = table[1:].reshape(1, 37, 37, 8).permute(0, 3, 1, 2)
    scaled = interpolate(grid, scale_factor=((16 + 0.1) / 37, (20 + 0.1) / 37), mode="bicubic")
    assert scaled.shape[-2:] == (16, 20)
    offset = resize_positions(table, (16, 20), "bicubic_offset")
    assert torch.equal(offset[1:], scaled.permute(0, 2, 3, 1).reshape(-1, 8))
    antialiased = resample_abs_pos_embed(table[None], new_size=[16, 20], old_size=[37, 37])
    assert torch.allclose(resize_positions(table, (16, 20), "bicubic_antialias"), antialiased[0], atol=1e-6)
    plain = resize_positions(table, (16, 20), "bicubic")
    assert (offset - plain).abs().max() > 0.05
    assert (plain - antialiased[0]).abs().max() > 0.05
    assert torch.equal(offset[0], table[0])
    assert torch.equal(resize_positions(table, 37, "bicubic_offset"), table)
    bare = resize_positions(table[1:], (16, 20), "bicubic", prefix=0)
    assert torch.equal(bare, plain[1:])


def test_an_image_does_not_depend_on_its_batch(small, noise):
    tower, images = small("registers").vision, noise(70, 70)
    with torch.inference_mode():
        both, alone = tower(images, ALL), tower(images[1:], ALL)
    assert torch.allclose(both.layers[2][1:], alone.layers[2], atol=1e-6)


def test_random_values_come_from_one_seed(small, small_file):
    state = torch.random.get_rng_state()
    again = build(resolve(str(small_file("dinov2")), "random")).vision.state_dict()
    assert torch.equal(torch.random.get_rng_state(), state)
    first = small("dinov2").vision.state_dict()
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not any(value.requires_grad for value in small("dinov2").vision.parameters())


def test_colours_are_means_of_patches(small, noise):
    images = noise(42, 56)
    with torch.inference_mode():
        tokens = small("dinov2").vision(images, Taps((24,), colours=True))
    assert tokens.shape == (3, 4)
    assert torch.equal(tokens.colours, avg_pool2d(images, 14).flatten(2).transpose(1, 2))


@pytest.mark.parametrize("name", ["dinov2", "gated", "registers", "dinov3", "dinov3-gated", "eva", "no class token"])
def test_multiply_accumulates(small, noise, name):
    backbone, taps = small(name), Taps((3,), numbering="own")
    config, size = backbone.spec.config, backbone.image_size
    tower, images = backbone.vision, noise(size, size)
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH), torch.enable_grad():
        tower(images, taps)
    assert counter.get_total_flops() / 2 == 2 * tower_macs(config, size, taps) == 2 * image_macs(config.vision, size, 3)
    assert backbone.count_parameters() == sum(value.numel() for value in tower.trunk.parameters())


@pytest.mark.parametrize("name", ["dinov2", "registers", "dinov3-bias", "eva", "no class token"])
def test_half_precision_is_autocast(small, small_file, noise, name):
    size = small(name).image_size
    halved = build(resolve(str(small_file(name)), "random"), precision=torch.bfloat16).vision
    images = noise(size, size)
    with torch.inference_mode():
        exact = small(name).vision(images, ALL).layers[2]
        cast = small(name).vision(images, ALL, torch.bfloat16).layers[2]
        kept = halved(images, ALL, torch.bfloat16).layers[2]
    assert halved.trunk.patch_embed.proj.weight.dtype == torch.bfloat16
    assert kept.dtype == torch.float32
    assert torch.equal(cast, kept)
    assert 0 < (cast - exact).abs().max() < 0.1


def test_a_compiled_tower_gives_the_same_tokens(small, small_file, noise):
    images = noise(64, 64)
    fast = build(resolve(str(small_file("dinov3")), "random"), compiling="blocks").vision
    with torch.inference_mode():
        plain, compiled = small("dinov3").vision(images, ALL), fast(images, ALL)
    assert fast.blocks.compiled
    assert torch.allclose(plain.layers[2], compiled.layers[2], atol=1e-5)


def test_a_walk_gives_the_tokens_of_the_tower_and_can_be_changed(small, noise):
    tower, images = small("dinov3").vision, noise(64, 64)
    walk, seen = tower.walk, {}
    with torch.inference_mode():
        tokens = tower(images, ALL)
        end = walk.run(walk.first_norm(walk.embed(images)), after=seen.setdefault)
        less = walk.run(walk.first_norm(walk.embed(images)), before=lambda k, x: x * (k > 1))
    assert (walk.depth, walk.width, walk.prefix) == (6, 32, 5)
    for block, layer in zip((2, 3, 6), tokens.layers, strict=True):
        assert torch.equal(layer[:, 1:], seen[block][:, 5:])
    assert torch.equal(seen[6], end)
    assert not torch.allclose(less, end)


def test_what_an_encoder_cannot_do_is_said(small, noise):
    backbone = small("dinov2")
    with pytest.raises(UsageError, match="is an image encoder alone: it has no text encoder"):
        _ = backbone.text
    backbone.release_text()
    with pytest.raises(UsageError, match="no joint space"):
        backbone.vision.joint(torch.zeros(1, 26, 32))
    with pytest.raises(UsageError, match="no projection"):
        _ = backbone.vision.projection
    with pytest.raises(UsageError, match="temperature"):
        _ = backbone.logit_scale
    assert backbone.logit_bias is None
    with pytest.raises(UsageError, match="value-value path"):
        backbone.vision(noise(70, 70), Taps((24,), value_blocks=(24,)))
    with pytest.raises(UsageError, match=r"75×70 pixels do not divide into patches of 14"):
        backbone.vision(noise(70, 75), ALL)
    with pytest.raises(UsageError, match="its own activation, gelu; it cannot be replaced by quick_gelu"):
        build(backbone.spec, activation="quick_gelu")
    assert build(backbone.spec, activation="gelu").activation == "gelu"

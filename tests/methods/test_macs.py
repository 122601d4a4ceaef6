"""Multiply-accumulates in closed form against a counter of what is really multiplied."""

import pytest
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from zsadbench import registry
from zsadbench.clip import place_taps
from zsadbench.clip.config import find_config
from zsadbench.clip.macs import block_macs, image_macs, text_macs, tower_macs
from zsadbench.types import Macs, OwnEncoding, Taps, TextFirst

NAMES = ["bolt", "bolt"]


def counted(call):
    """Multiply-accumulates of a call: gradients enabled, attention by plain products, so that nothing is hidden."""
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH), torch.enable_grad():
        call()
    return counter.get_total_flops() / 2


# --- the trap --------------------------------------------------------------------------------------


def test_the_counter_sees_no_attention_module_in_inference_mode():
    attention = nn.MultiheadAttention(64, 2, batch_first=True).eval()
    tokens = torch.randn(1, 10, 64)

    def look():
        attention(tokens, tokens, tokens, need_weights=False)

    def inferred():
        with torch.inference_mode():
            look()

    truth = 4 * 10 * 64**2 + 2 * 10 * 10 * 64
    assert counted(inferred) == 0, "a fast path that the counter does not know: what it says there is no cost"
    assert counted(look) == truth


# --- the towers ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "taps",
    [Taps((24,)), Taps((1, 6, 12)), Taps((24,), value_blocks=(24,)), Taps((2,), value_blocks=(7, 9), value_from=4)],
    ids=str,
)
def test_the_image_tower(tiny_backbone, tiny_images, taps):
    config, size = tiny_backbone.spec.config, tiny_backbone.image_size
    assert counted(lambda: tiny_backbone.vision(tiny_images, taps)) == len(tiny_images) * tower_macs(config, size, taps)


def test_the_whole_image_tower_is_that_of_its_last_block(tiny_backbone):
    config, size = tiny_backbone.spec.config, tiny_backbone.image_size
    whole = image_macs(config.vision, size)
    assert whole == tower_macs(config, size, Taps((24,)))
    assert tower_macs(config, size, Taps(colours=True)) == 0
    assert tower_macs(config, size, Taps((12,))) == image_macs(config.vision, size, 12) < whole / 1.9


@pytest.mark.parametrize("length", [17, None])
def test_the_text_tower(tiny_backbone, length):
    text, config = tiny_backbone.text, tiny_backbone.spec.config
    states = torch.zeros(2, length or 77, config.text.width)
    assert counted(lambda: text(states)) == text_macs(config, 2, length)


def test_published_sizes():
    config = find_config("ViT-L-14-336")
    assert image_macs(config.vision, 518) == pytest.approx(507e9, rel=1e-3)
    assert block_macs(1370, 1024) == pytest.approx(21.08e9, rel=1e-3)
    assert text_macs(config, 2) == pytest.approx(13.3e9, rel=1e-2)


@pytest.mark.parametrize(
    ("name", "giga"),
    [
        *(("fbclip", 678), ("afclip", 577), ("anomalyclip", 608), ("clip", 508), ("token-distance", 507)),
        *(("aprilgan", 511), ("faprompt", 619)),
    ],
)
def test_whole_methods_at_full_size(name, giga):
    config, card = find_config("ViT-L-14-336"), registry.method_card(name)
    options = card.options()
    found = card.macs(config, options, 37)
    tower = tower_macs(config, 518, card.taps(options))
    assert tower + sum(found.image.values()) == pytest.approx(giga * 1e9, rel=1e-3)
    assert sum(found.executed.values()) <= sum(found.image.values()) or name == "clip"


def test_aaclip_at_full_size():
    config, card = find_config("ViT-L-14-336"), registry.method_card("aaclip")
    found = card.macs(config, card.options(), 37)
    assert found.tower == pytest.approx(515.4e9, rel=1e-3), "the plain tower, and six adapters"
    assert sum(found.image.values()) == pytest.approx(5.4e9, rel=1e-2)


def test_promptad_at_full_size():
    config, card = find_config("ViT-B-16-plus-240"), registry.method_card("promptad")
    found = card.macs(config, card.options(), 15)
    assert found.tower == pytest.approx(30e9, rel=0.03), "the plain tower 27, the second path 3.4"


def test_what_the_text_of_promptad_takes(tiny_backbone):
    card = registry.method_card("promptad")
    detector = card.build(tiny_backbone, card.options())
    real = counted(lambda: [detector.text_features(part, ["bolt"]) for part in ("cls", "seg")])
    assert card.macs(tiny_backbone.spec.config, card.options(), 5).text == pytest.approx(real, rel=0.01)


def test_mfpclip_at_full_size():
    config, card = find_config("ViT-L-14-336"), registry.method_card("mfpclip")
    found = card.macs(config, card.options(), 37)
    assert found.tower + sum(found.image.values()) == pytest.approx(1064e9, rel=1e-3)


def test_adaclip_at_full_size():
    config, card = find_config("ViT-L-14-336"), registry.method_card("adaclip")
    found = card.macs(config, card.options(), 37)
    assert found.tower == pytest.approx(1072e9, rel=1e-3), "two passes, and 48 sentences"


# --- the heads -------------------------------------------------------------------------------------

OPTIONS = {
    "fbclip": [
        {},
        {"views": ("id",)},
        {"views": ("spa",), "gate": False, "layers": (3, 12)},
        {"fb_attention": False, "bs": False},
        {"sem_weight_by_key": True, "bs_select": "mask"},
    ],
    "afclip": [
        *({}, {"windows": (1,)}, {"windows": (5, 7), "layers": (2, 24)}, {"tuning": "none"}),
        *({"tuning": "prompt"}, {"tuning": "prefix"}, {"tuning": "lora"}),
        {"tuning": "prompt", "visual_prompts": 3, "layers": (6,), "memory_layers": (3, 9)},
        {"tuning": "prefix", "prefix_length": 2, "layers": (3, 20), "memory_layers": (24,), "windows": (1, 3)},
        {"tuning": "lora", "lora_rank": 2, "layers": (3, 20), "memory_layers": (3,)},
    ],
    "anomalyclip": [{}, {"layers": (12, 24)}, {"value_value": False}, {"cls_norm": True}],
    "clip": [{}],
    "token-distance": [{}],
    "colour-distance": [{}],
    "aaclip": [{}, {"layers": (3, 24), "relu": True}, {"domain": "medical"}, {"image_adapters": 2}, {"layers": (12,)}],
    "aprilgan": [{}, {"layers": (3, 24)}, {"layers": (12,), "memory_layers": (6,)}],
    "mfpclip": [
        {},
        {"mp": False, "i2tp": False, "sp_stages": 0, "neighbourhood": 1},
        {"sp_stages": 3, "sp_kept": False, "sp_dropped": "half", "resnet_layer": "layer3", "resnet_size": 64},
        {"sp_shared": False, "sp_join": "sum", "i2tp_axis": "tokens", "mp_axis": "tokens", "i2tp_map": "linear"},
        {"layers": (3, 20), "mp_class_token": True, "adapter_width": 24, "i2tp": False, "mp_shared": False},
    ],
    "adaclip": [
        {},
        {"layers": (3, 24), "prompts": "static", "prompt_length": 2},
        {"prompted": "text", "hsf": "none"},
        {"prompted": "vision", "hsf": "highest_cluster", "prompts": "dynamic"},
    ],
    "faprompt": [
        {},
        {"select": "topk", "selected": 3, "prior_width": 20},
        {"prompts": 4, "context": 6, "abnormal_context": 3},
    ],
    "promptad": [{}, {"values": False}, {"normal_cls": 1, "context": 6, "abnormal_context": 2}],
    "winclip": [{}, {"scales": (2,)}, {"scales": (1, 4), "templates": "canonical"}, {"fusion": "harmonic"}],
}
CASES = [(name, options) for name, several in OPTIONS.items() for options in several]


def test_every_method_that_counts_is_counted_here():
    assert {name for name in registry.names("methods") if registry.method_card(name).macs} == {
        *OPTIONS,
        *MEMORIES,
        "musc",
    }


def _of_normal_images(detector, rows, width):
    detector._bank = torch.randn(rows, width)


def _of_normal_images_by_layer_and_window(detector, rows, width):
    detector._banks = [torch.randn(rows, width)] * 4 * 3


def _of_auxiliary_images(detector, entries, width):
    memory = detector.network
    memory.image_keys, memory.image_values = torch.randn(entries, 32), torch.eye(2).repeat(entries // 2, 1)
    memory.patch_keys, memory.patch_values = torch.randn(2 * entries, width), torch.eye(2).repeat(entries, 1)


MEMORIES = {  # what a method remembers in its closed form
    "anomalydino": (_of_normal_images, 25 * 4 * 8),
    "afclip-memory": (_of_normal_images_by_layer_and_window, 25 * 4),
    "patchcore": (_of_normal_images, 25 * 200 // 10),
    "mrad-tf": (_of_auxiliary_images, 2162),
}


@pytest.mark.parametrize("name", MEMORIES)
def test_what_a_memory_takes(tiny_backbone, tiny_images, name):
    card = registry.method_card(name)
    detector = card.build(tiny_backbone, card.options())
    fill, count = MEMORIES[name]
    fill(detector, count, 64)
    tokens = tiny_backbone.vision(tiny_images[:2], card.taps(card.options()))
    found = card.macs(tiny_backbone.spec.config, card.options(), tokens.grid)
    assert counted(lambda: detector.score(tokens, NAMES)) == 2 * sum(found.executed.values())


def test_one_product_serves_both_images_of_a_pair(tiny_backbone, tiny_images):
    card = registry.method_card("musc")
    detector = card.build(tiny_backbone, card.options())
    tokens = tiny_backbone.vision(torch.cat([tiny_images, tiny_images.flip(-1)]), card.taps(card.options()))
    detector.gather(tokens)
    found = card.macs(tiny_backbone.spec.config, card.options(), tokens.grid)
    of_pair = 2 * sum(found.executed.values()) / 199
    assert counted(detector.grid_maps) == 6 * 5 / 2 * of_pair
    assert 2 * sum(found.executed.values()) == sum(found.image.values())


@pytest.mark.parametrize(("name", "options"), CASES, ids=str)
def test_what_a_head_executes(tiny_backbone, tiny_images, name, options):
    card = registry.method_card(name)
    chosen = card.options(**options)
    detector = card.build(tiny_backbone, chosen)
    taps = card.taps(chosen)
    place_taps(taps, 24)
    own = isinstance(detector, OwnEncoding)
    tokens = detector.encode(tiny_images[:2], NAMES) if own else tiny_backbone.vision(tiny_images[:2], taps)
    if isinstance(detector, TextFirst):
        detector.encode_text(NAMES)
    else:
        detector.score(tokens, NAMES)  # what depends on the weights alone is known from here on
    found = card.macs(tiny_backbone.spec.config, chosen, tokens.grid)
    assert isinstance(found, Macs)
    assert (found.tower is not None) == own
    if own:
        assert counted(lambda: detector.encode(tiny_images[:2], NAMES)) == 2 * found.tower
    assert counted(lambda: detector.score(tokens, NAMES)) == 2 * sum(found.executed.values())


def test_what_the_text_of_faprompt_takes(tiny_backbone):
    card = registry.method_card("faprompt")
    detector = card.build(tiny_backbone, card.options())
    projections = 11 * 64 * 32
    found = card.macs(tiny_backbone.spec.config, card.options(), 5)
    assert found.text == counted(detector.sentence_features) - projections


@pytest.mark.parametrize("name", ["fbclip", "afclip", "anomalyclip", "clip", "winclip", "aprilgan", "aaclip"])
def test_what_the_text_takes(tiny_backbone, name):
    card = registry.method_card(name)
    detector = card.build(tiny_backbone, card.options())
    found = card.macs(tiny_backbone.spec.config, card.options(), 5)
    real = counted(lambda: detector.encode_text(["bolt"]))
    assert found.text == pytest.approx(real, rel=0.05), "the pooling and projection of two sentences are not counted"

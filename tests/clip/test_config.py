"""Architectures: by name, from a file, from the shapes of weights."""

import json
import subprocess
import sys
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from zsadbench.checkpoints import read_archive
from zsadbench.clip import build, resolve
from zsadbench.clip.config import BackboneConfig, TextConfig, VisionConfig, find_config, infer_config
from zsadbench.clip.resolve import state_of
from zsadbench.errors import UsageError, WeightsError

SHIPPED = sorted((Path(find_spec("open_clip").submodule_search_locations[0]) / "model_configs").glob("*.json"))


def test_the_reference_backbone_by_name():
    assert find_config("ViT-L-14-336") == BackboneConfig(
        name="ViT-L-14-336",
        embed_dim=768,
        quick_gelu=False,
        vision=VisionConfig(image_size=336, patch_size=14, width=1024, layers=24, heads=16),
        text=TextConfig(context_length=77, vocab_size=49408, width=768, heads=12, layers=12),
    )


def test_every_shipped_name_is_an_architecture_or_is_refused_in_one_line():
    found = 0
    for path in SHIPPED:
        keys = _keys(json.loads(path.read_text()))
        if "timm_model_name" in keys:
            continue
        if not {"hf_model_name", "multimodal_cfg"}.isdisjoint(keys):
            with pytest.raises(UsageError, match="no plain CLIP"):
                find_config(path.stem)
        else:
            with suppress(UsageError):
                config = find_config(path.stem)
                assert config.vision.width % config.vision.heads == 0
                found += 1
    assert found > 10


@pytest.mark.parametrize(
    ("name", "pool", "activation", "tokenizer", "mean"),
    [
        ("EVA02-L-14-336", "token", "swiglu", "", 0.48145466),
        ("EVA01-g-14", "token", "gelu", "", 0.48145466),
        ("ViT-L-16-SigLIP2-512", "map", "gelu_tanh", "timm/ViT-L-16-SigLIP2-512", 0.5),
        ("ViT-B-32-SigLIP2-256", "map", "gelu_tanh", "timm/ViT-B-32-SigLIP2-256", 0.5),
        ("ViT-B-16-SigLIP", "map", "gelu", "timm/ViT-B-16-SigLIP", 0.5),
    ],
)
def test_pairs_with_an_encoder_of_timm(name, pool, activation, tokenizer, mean):
    config = find_config(name)
    assert (config.kind, config.pool, config.activation) == ("image-text", pool, activation)
    assert (config.rules.tokenizer, config.pixels.mean[0]) == (tokenizer, mean)
    assert config.logit_bias == (-10 if pool == "map" else None)
    assert str(config.vision.image_size) in {name.rpartition("-")[2], "224"}


@pytest.mark.parametrize("name", ["ViTamin-L", "PE-Core-B-16", "convnext_base", "nllb-clip-base-siglip"])
def test_other_pairs_are_refused(name):
    with pytest.raises(UsageError, match=r"no pair of two transformers|pools other tokens than patches"):
        find_config(name)


def _keys(raw):
    return {*raw, *raw["vision_cfg"], *raw["text_cfg"]}


def test_a_wrong_name_gets_the_nearest_one():
    with pytest.raises(UsageError, match=r"no backbone named 'ViT-L-14-33'; did you mean 'ViT-L-14-336'\?"):
        find_config("ViT-L-14-33")


def test_a_file_states_every_size(tiny_file):
    config = find_config(str(tiny_file))
    assert (config.embed_dim, config.quick_gelu, config.name) == (32, True, "ViT-64x24-14-28")
    assert config.vision == VisionConfig(28, 14, 64, 24, 1)
    assert config.text == TextConfig(77, 49408, 64, 1, 2)


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"vision": {"depth": 3}, "text": {}}'])
def test_a_wrong_file_is_refused(tmp_path, content):
    path = tmp_path / "backbone.json"
    path.write_text(content)
    with pytest.raises(UsageError, match="is no backbone file"):
        find_config(str(path))


def test_a_missing_file_is_named():
    with pytest.raises(UsageError, match=r"backbone 'nowhere/backbone.json' is not a file"):
        find_config("nowhere/backbone.json")


def test_sizes_read_off_the_weights_are_those_of_the_file(weights_file, tiny_file):
    state = state_of(read_archive(weights_file), "these weights")
    inferred = infer_config(state, "these weights")
    assert inferred == find_config(str(tiny_file))


def test_weights_without_an_image_transformer_are_named():
    with pytest.raises(WeightsError, match=r"resnet\.pt holds no CLIP .* 'visual.positional_embedding' is missing"):
        infer_config({"visual.conv1.weight": torch.zeros(8, 3, 3, 3)}, "resnet.pt")


def test_the_recipe_size_is_for_towers_of_24_blocks(tiny_file, backbone_file):
    assert resolve(str(tiny_file), "random").image_size(518) == 518
    assert resolve(str(backbone_file(vision={"layers": 12})), "random").image_size(518) == 28


@pytest.mark.parametrize(("size", "near"), [(29, 28), (7, 14), (60, 56), (0, 14), (-14, 14)])
def test_a_size_that_is_no_multiple_of_the_patch_is_refused(tiny_file, size, near):
    spec = resolve(str(tiny_file), "random")
    with pytest.raises(UsageError, match=rf"image size {size} is no multiple of the patch of .*, 14; try {near}$"):
        build(spec, size)


def test_resolving_imports_neither_torch_nor_open_clip():
    code = (
        "import sys; import zsadbench.clip as clip; clip.resolve('ViT-L-14-336', 'random')\n"
        "clip.map_taps((1, 24), 12)\n"
        "assert not {'torch', 'open_clip'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_there_is_nothing_else_in_the_package():
    import zsadbench.clip

    with pytest.raises(AttributeError, match="no attribute 'tower'"):
        zsadbench.clip.tower  # noqa: B018

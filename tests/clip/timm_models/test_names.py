"""Weights of image encoders under the names of timm, Meta and transformers, wrapped and bare."""

import re

import pytest
import torch

from zsadbench.clip import build, resolve
from zsadbench.clip.config import find_config
from zsadbench.clip.timm_models.library import new_trunk
from zsadbench.clip.timm_models.names import to_timm_names
from zsadbench.errors import UsageError, WeightsError
from zsadbench.types import Taps

from .conftest import SMALL


def state_of(name, *, seed=5):
    """Random values of a small encoder under timm's names, no two of them equal."""
    generator = torch.Generator().manual_seed(seed)
    model, arguments = SMALL[name]
    return {
        key: torch.randn(value.shape, generator=generator)
        for key, value in new_trunk(model, arguments).state_dict().items()
    }


def split_class_position(state):
    """Give the positional table a row for the class token, whose sum with the token is that of timm."""
    row = torch.full_like(state["cls_token"], 0.25)
    return {**state, "cls_token": state["cls_token"] - row, "pos_embed": torch.cat([row, state["pos_embed"]], dim=1)}


def replaced(text, *pairs):
    for old, new in pairs:
        text = text.replace(old, new)
    return text


def meta_name(name, key):
    """One name of timm as Meta's repositories DINOv2 and DINOv3 have it."""
    if not name.startswith("dinov3"):
        gated = (("mlp.fc1", "mlp.w12"), ("mlp.fc2", "mlp.w3")) if name == "gated" else ()
        return replaced(key, ("reg_token", "register_tokens"), *gated)
    scaled = re.sub(r"gamma_([12])$", r"ls\1.gamma", key)
    gated = (("mlp.fc1_g", "mlp.w1"), ("mlp.fc1_x", "mlp.w2"), ("mlp.fc2", "mlp.w3")) if "gated" in name else ()
    return replaced(scaled, ("reg_token", "storage_tokens"), *gated)


def as_meta(name, state):
    """The names of Meta's repositories, with what they store besides."""
    renamed = {"mask_token": torch.zeros(1, 32)} | {meta_name(name, key): value for key, value in state.items()}
    if name.startswith("dinov3"):
        renamed |= {"rope_embed.periods": torch.ones(4), "local_cls_norm.weight": torch.ones(32)}
        for stem in {key.rpartition(".")[0] for key in state if key.endswith("qkv.weight")}:
            base = stem.removesuffix("qkv")
            query, value = (renamed.pop(f"{base}{part}_bias", torch.zeros(32)) for part in "qv")
            renamed[f"{stem}.bias"] = torch.cat([query, torch.zeros(32), value])
            renamed[f"{stem}.bias_mask"] = torch.cat([torch.ones(32), torch.zeros(32), torch.ones(32)])
    return split_class_position(renamed) if name == "registers" else renamed


COMMON = (("cls_token", "embeddings.cls_token"), ("reg_token", "embeddings.register_tokens"))
COMMON += (("pos_embed", "embeddings.position_embeddings"),)
TWO = (("attn.proj.", "attention.output.dense."), ("patch_embed.proj", "embeddings.patch_embeddings.projection"))
GATED_TWO = (("mlp.fc1", "mlp.weights_in"), ("mlp.fc2", "mlp.weights_out"))
THREE = (("attn.proj.", "attention.o_proj."), ("patch_embed.proj", "embeddings.patch_embeddings"))
THREE += (("mlp.fc1_g", "mlp.gate_proj"), ("mlp.fc1_x", "mlp.up_proj"), ("mlp.fc1", "mlp.up_proj"))
THREE += (
    ("mlp.fc2", "mlp.down_proj"),
    ("attn.q_bias", "attention.q_proj.bias"),
    ("attn.v_bias", "attention.v_proj.bias"),
)


def transformers_name(name, key):
    """One name of timm as the library transformers has it."""
    three = name.startswith("dinov3")
    scaled = re.sub(r"(ls|gamma_)([12])(\.gamma)?$", r"layer_scale\2.lambda1", key)
    if three:
        return replaced(re.sub(r"^blocks\.", "layer.", scaled), *COMMON, *THREE)
    found = re.sub(r"^norm\.", "layernorm.", re.sub(r"^blocks\.", "encoder.layer.", scaled))
    return replaced(found, *COMMON, *TWO, *(GATED_TWO if name == "gated" else ()))


def as_transformers(name, state):
    """The names of Dinov2Model, Dinov2WithRegistersModel and DINOv3ViTModel in the library transformers."""
    three = name.startswith("dinov3")
    parts = ("q_proj", "k_proj", "v_proj") if three else ("attention.query", "attention.key", "attention.value")
    renamed = {"embeddings.mask_token": torch.zeros(1, 32)}
    for key, value in split_class_position(state).items() if name == "registers" else state.items():
        stem, fused, kind = transformers_name(name, key).partition(".attn.qkv.")
        if fused:
            thirds = zip(parts, value.chunk(3), strict=True)
            renamed |= {f"{stem}.attention.{part}.{kind}": third for part, third in thirds}
        else:
            renamed[stem] = value
    return renamed


@pytest.mark.parametrize("rename", [as_meta, as_transformers])
@pytest.mark.parametrize("name", ["dinov2", "gated", "registers", "dinov3", "dinov3-bias", "dinov3-gated"])
def test_other_names_give_the_same_tensors(name, rename):
    state = state_of(name)
    renamed = rename(name, state)
    assert renamed.keys() != state.keys()
    found = to_timm_names(renamed, state, "the file")
    assert found.keys() == state.keys()
    for key, value in state.items():
        assert torch.allclose(found[key], value, atol=1e-6), key


@pytest.mark.parametrize(
    "wrap", [lambda s: s, lambda s: {"model": s, "epoch": 3}, lambda s: {f"backbone.{k}": v for k, v in s.items()}]
)
def test_a_file_is_read_in_any_wrapping_and_precision(wrap, small_file, tmp_path):
    path, architecture = tmp_path / "weights.pth", str(small_file("dinov2"))
    state = {key: value.half() for key, value in state_of("dinov2").items()}
    torch.save(wrap({**as_meta("dinov2", state), "head.weight": torch.ones(10, 32)}), path)
    spec = resolve(architecture, str(path))
    assert (spec.weights.kind, spec.weights.label) == ("file", "weights.pth")
    assert spec.published is False, "an architecture from a file is no published one"
    trunk = build(spec).vision.trunk
    for key, value in trunk.state_dict().items():
        assert value.dtype == torch.float32
        assert torch.equal(value, state[key].float())


def test_folding_layer_scale_changes_nothing(small_file, tmp_path, noise):
    state = state_of("dinov2")
    for key in state:
        state[key] = state[key] * (0.1 if "weight" in key else 1)
    folded = dict(state)
    for key in [key for key in state if key.endswith(".gamma")]:
        stem = key.replace("ls1.gamma", "attn.proj").replace("ls2.gamma", "mlp.fc2")
        folded[f"{stem}.weight"] = state[key][:, None] * state[f"{stem}.weight"]
        folded[f"{stem}.bias"] = state[key] * state[f"{stem}.bias"]
        folded[key] = torch.ones_like(state[key])
    tokens = []
    for number, values in enumerate((state, folded)):
        torch.save(values, tmp_path / f"{number}.pth")
        tower = build(resolve(str(small_file("dinov2")), str(tmp_path / f"{number}.pth"))).vision
        with torch.inference_mode():
            tokens.append(tower(noise(70, 70), Taps((3, 12), numbering="own")).layers)
    for one, other in zip(*tokens, strict=True):
        assert torch.allclose(one, other, atol=1e-4 * float(one.abs().max()))


def test_what_does_not_fit_is_named(small_file, tmp_path):
    def read(name, state):
        torch.save(state, tmp_path / "weights.pth")
        return resolve(str(small_file(name)), str(tmp_path / "weights.pth"))

    state = state_of("dinov2")
    with pytest.raises(WeightsError, match=r"holds no image encoder: 'patch_embed.proj.weight' is missing"):
        read("dinov2", {"visual.conv1.weight": torch.ones(1)})
    with pytest.raises(WeightsError, match=r"tensors missing: \['blocks.0.ls1.gamma'"):
        read("dinov2", {key: value for key, value in state.items() if "gamma" not in key})
    with pytest.raises(WeightsError, match=r"'pos_embed' has shape \[1, 17, 32\], \[1, 26, 32\] is needed"):
        read("dinov2", {**state, "pos_embed": torch.zeros(1, 17, 32)})
    with pytest.raises(WeightsError, match=r"'norm.weight' holds NaN or infinity"):
        read("dinov2", {**state, "norm.weight": torch.full((32,), torch.nan)})
    with pytest.raises(WeightsError, match=r"'norm.weight' is no tensor"):
        read("dinov2", {**state, "norm.weight": "a text"})
    halves = {key: value for key, value in as_transformers("dinov2", state).items() if not key.endswith("key.weight")}
    with pytest.raises(WeightsError, match=r"'blocks.0.attn.qkv' needs queries, keys and values alike"):
        read("dinov2", halves)
    biased = as_meta("dinov3-bias", state_of("dinov3-bias"))
    with pytest.raises(WeightsError, match=r"'blocks.0.attn.qkv.bias' is not zero, .* ends in '_qkvb'"):
        read("dinov3", biased)


def test_an_encoder_without_a_name_is_no_clip(tmp_path, monkeypatch):
    monkeypatch.delenv("ZSADBENCH_BACKBONE", raising=False)
    torch.save(as_transformers("dinov2", state_of("dinov2")), tmp_path / "model.bin")
    with pytest.raises(WeightsError, match="holds an image encoder alone, no CLIP; name its architecture"):
        resolve(None, str(tmp_path / "model.bin"))


def test_architectures_are_found_by_name_and_tag():
    config = find_config("vit_small_patch14_dinov2")
    assert (config.kind, config.default_weights, config.shipped) == ("vision-only", "lvd142m", True)
    assert (config.vision.image_size, config.vision.layers, config.activation) == (518, 12, "gelu")
    assert find_config("vit_small_patch14_dinov2.lvd142m") == config
    dino, augreg = find_config("vit_base_patch16_224.dino"), find_config("vit_base_patch16_224")
    assert dino.pixels.mean == (0.485, 0.456, 0.406)
    assert augreg.pixels.mean == (0.5, 0.5, 0.5), "the normalisation is that of the weights"
    assert dino.default_weights == "dino"
    assert find_config("vit_small_patch16_dinov3").vision.registers == 4
    with pytest.raises(UsageError, match="no weights of 'vit_small_patch14_dinov2' named 'lvd142'; did you mean"):
        find_config("vit_small_patch14_dinov2.lvd142")
    with pytest.raises(UsageError, match="'resnet50' is no plain vision transformer of timm"):
        find_config("resnet50")
    with pytest.raises(UsageError, match="did you mean 'vit_small_patch14_dinov2'"):
        find_config("vit_small_patch14_dinov")


def test_an_architecture_without_published_weights_needs_some(small_file, monkeypatch):
    monkeypatch.delenv("ZSADBENCH_WEIGHTS", raising=False)
    with pytest.raises(WeightsError, match="has no published weights; pass --weights PATH"):
        resolve(str(small_file("dinov2")), None)


def test_weights_by_tag_come_from_the_cache_of_the_hub(tmp_path, monkeypatch):
    asked = []

    def look(repository, name, cache_dir):
        asked.append((repository, name))
        return None if cache_dir is None else str(tmp_path / "model.safetensors")

    (tmp_path / "model.safetensors").write_bytes(b"weights")
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", look)
    found = resolve("vit_small_patch14_dinov2", None, offline=True)
    assert asked == [("timm/vit_small_patch14_dinov2.lvd142m", "model.safetensors")]
    assert (found.weights.kind, found.weights.label, found.published) == ("tag", "lvd142m", True)
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *_, **__: None)
    with pytest.raises(
        WeightsError, match=r"(?s)no weights 'lvd142m' for backbone 'vit_small_patch14_dinov2'.*nothing is"
    ):
        resolve("vit_small_patch14_dinov2", None, offline=True)
    with pytest.raises(UsageError, match="no weights of 'vit_small_patch14_dinov2' named 'openai'"):
        resolve("vit_small_patch14_dinov2", "openai", offline=True)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"timm": "vit_small_patch14_dinov2", "sizes": 3}', "no entry of .* named 'sizes'"),
        ('{"timm": "no_such_model"}', "is the name of an architecture of timm"),
        ('{"timm": 3}', "is the name of an architecture of timm"),
        ('{"timm": "vit_small_patch14_dinov2", "arguments": {"wings": 2}}', "timm cannot build"),
        ('{"timm": "vit_small_patch14_dinov2", "mean": [1, 2]}', "are three numbers"),
        ('{"timm": "vit_small_patch14_dinov2", "deviation": [1, 2, 0]}', "are three numbers"),
        ('{"timm": "vit_small_patch14_dinov2", "mean": "white"}', "is no backbone file"),
    ],
)
def test_faults_of_a_file_are_said_in_one_line(content, message, tmp_path):
    path = tmp_path / "backbone.json"
    path.write_text(content)
    with pytest.raises(UsageError, match=message) as found:
        find_config(str(path))
    assert "\n" not in str(found.value)

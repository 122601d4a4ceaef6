"""A CLIP under the names of the library transformers gives the same towers as under OpenAI's."""

import pytest
import torch
from safetensors.torch import save_file

from zsadbench.clip import build, resolve
from zsadbench.clip.resolve import state_of
from zsadbench.errors import WeightsError

OUTSIDE = {
    "visual.class_embedding": "vision_model.embeddings.class_embedding",
    "visual.conv1.weight": "vision_model.embeddings.patch_embedding.weight",
    "visual.positional_embedding": "vision_model.embeddings.position_embedding.weight",
    "visual.ln_pre": "vision_model.pre_layrnorm",
    "visual.ln_post": "vision_model.post_layernorm",
    "visual.proj": "visual_projection.weight",
    "token_embedding.weight": "text_model.embeddings.token_embedding.weight",
    "positional_embedding": "text_model.embeddings.position_embedding.weight",
    "ln_final": "text_model.final_layer_norm",
    "text_projection": "text_projection.weight",
    "logit_scale": "logit_scale",
}
INSIDE = {"ln_1": "layer_norm1", "ln_2": "layer_norm2", "mlp.c_fc": "mlp.fc1", "mlp.c_proj": "mlp.fc2"}
INSIDE |= {"attn.out_proj": "self_attn.out_proj"}


def as_transformers(state):
    """Write every tensor by the table above, the other way than the product does."""
    found = {"vision_model.embeddings.position_ids": torch.arange(5)[None]}
    for name, tensor in state.items():
        if ".resblocks." not in name:
            theirs = next(key for key in OUTSIDE if name == key or name.startswith(f"{key}."))
            transposed = name in {"visual.proj", "text_projection"}
            found[OUTSIDE[theirs] + name.removeprefix(theirs)] = tensor.T.contiguous() if transposed else tensor
            continue
        tower, _, rest = name.partition("transformer.resblocks.")
        number, _, inner = rest.partition(".")
        block = f"{'vision' if tower else 'text'}_model.encoder.layers.{number}"
        if inner.startswith("attn.in_proj_"):
            kind = inner.removeprefix("attn.in_proj_")
            for part, third in zip("qkv", tensor.chunk(3), strict=True):
                found[f"{block}.self_attn.{part}_proj.{kind}"] = third.contiguous()
        else:
            module, _, kind = inner.rpartition(".")
            found[f"{block}.{INSIDE[module]}.{kind}"] = tensor
    return found


WRAPPED = {
    "safetensors": lambda state, path: save_file(state, path.with_suffix(".safetensors")),
    "bin": lambda state, path: torch.save(state, path.with_suffix(".bin")),
    "old bin": lambda state, path: torch.save(state, path.with_suffix(".bin"), _use_new_zipfile_serialization=False),
    "parallel": lambda state, path: torch.save(
        {"state_dict": {f"module.{name}": tensor for name, tensor in state.items()}, "epoch": 3},
        path.with_suffix(".pt"),
    ),
    "inside a larger model": lambda state, path: torch.save(
        {**{f"clip.{name}": tensor for name, tensor in state.items()}, "head.weight": torch.ones(2)},
        path.with_suffix(".pt"),
    ),
}


@pytest.mark.parametrize("half", [True, False])
@pytest.mark.parametrize("write", WRAPPED.values(), ids=WRAPPED)
def test_the_towers_are_the_same(tiny_state, tiny_file, tmp_path, write, half):
    state = as_transformers(tiny_state)
    if half:  # the values of `tiny_state` are those of half precision
        state = {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in state.items()}
    write(state, tmp_path / "model")
    (path,) = tmp_path.glob("model.*")
    built = build(resolve(str(tiny_file), str(path)))
    for name, tensor in built.vision.visual.state_dict().items():
        assert torch.equal(tensor, tiny_state[f"visual.{name}"]), name
    for name, tensor in built.text.transformer.state_dict().items():
        assert torch.equal(tensor, tiny_state[f"transformer.{name}"]), name
    assert torch.equal(built.text.projection, tiny_state["text_projection"])
    assert torch.equal(built.text.positional_embedding, tiny_state["positional_embedding"])
    assert torch.equal(built.text.norm.weight, tiny_state["ln_final.weight"])


def test_without_a_backbone_the_choice_of_the_activation_is_said(tiny_state, tmp_path, caplog):
    save_file(as_transformers(tiny_state), tmp_path / "model.safetensors")
    assert resolve(None, str(tmp_path / "model.safetensors")).config.quick_gelu
    assert "taken for OpenAI's, with QuickGELU; pass --backbone" in caplog.text


@pytest.mark.parametrize("lost", ["k_proj.weight", "q_proj.bias"])
def test_a_missing_third_is_named(tiny_state, lost):
    state = as_transformers(tiny_state)
    del state[f"text_model.encoder.layers.1.self_attn.{lost}"]
    with pytest.raises(WeightsError, match=r"'transformer\.resblocks\.1\.attn\.in_proj_\w+' needs queries, keys and"):
        state_of(state, "w")


def test_thirds_of_other_shapes_are_refused(tiny_state):
    state = as_transformers(tiny_state)
    state["vision_model.encoder.layers.0.self_attn.k_proj.weight"] = torch.ones(3)
    with pytest.raises(WeightsError, match=r"needs queries, keys and values alike; there are .*'k': \[3\]"):
        state_of(state, "w")


@pytest.mark.parametrize("tower", ["vision", "text"])
def test_one_tower_alone_is_no_clip(tiny_state, tiny_file, tmp_path, tower):
    state = as_transformers(tiny_state)
    save_file({n: t for n, t in state.items() if n.startswith(f"{tower}_model")}, tmp_path / "m.safetensors")
    with pytest.raises(WeightsError, match=r"holds no CLIP.* is missing"):
        resolve(str(tiny_file), str(tmp_path / "m.safetensors"))

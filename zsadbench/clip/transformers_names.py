"""Rename the tensors of a CLIP that the library transformers saved to OpenAI's names.

The values are the same. transformers stores queries, keys and values as three matrices and both projections as linear
layers, that is transposed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from zsadbench.errors import WeightsError

if TYPE_CHECKING:
    from torch import Tensor

NAMES = {  # tensors outside the blocks: the name in transformers → OpenAI's
    "logit_scale": "logit_scale",
    "vision_model.embeddings.class_embedding": "visual.class_embedding",
    "vision_model.embeddings.patch_embedding.weight": "visual.conv1.weight",
    "vision_model.embeddings.position_embedding.weight": "visual.positional_embedding",
    "vision_model.pre_layrnorm.weight": "visual.ln_pre.weight",
    "vision_model.pre_layrnorm.bias": "visual.ln_pre.bias",
    "vision_model.post_layernorm.weight": "visual.ln_post.weight",
    "vision_model.post_layernorm.bias": "visual.ln_post.bias",
    "visual_projection.weight": "visual.proj",
    "text_model.embeddings.token_embedding.weight": "token_embedding.weight",
    "text_model.embeddings.position_embedding.weight": "positional_embedding",
    "text_model.final_layer_norm.weight": "ln_final.weight",
    "text_model.final_layer_norm.bias": "ln_final.bias",
    "text_projection.weight": "text_projection",
}
BLOCKS = {
    "vision_model.encoder.layers.": "visual.transformer.resblocks.",
    "text_model.encoder.layers.": "transformer.resblocks.",
}
IN_BLOCK = {  # modules inside a block
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
    "self_attn.out_proj": "attn.out_proj",
}
TRANSPOSED = ("visual_projection.weight", "text_projection.weight")
NO_PARAMETERS = ("vision_model.embeddings.position_ids", "text_model.embeddings.position_ids")
STEM = "vision_model.embeddings.patch_embedding.weight"  # a name that no other format has


def to_openai_names(state: Mapping[str, Any], source: str) -> dict[str, Any]:
    """Rename every tensor; names that transformers does not give to a CLIP stay, for the checks that follow.

    Args:
        state: the state dict of a `CLIPModel`, in any precision.
        source: the file, for messages.

    Raises:
        WeightsError: queries, keys or values are missing or do not fit together, or a projection is no matrix.
    """
    renamed: dict[str, Any] = {}
    joined: dict[str, dict[str, Tensor]] = {}  # OpenAI's name of the joined projection → its thirds
    for name, value in state.items():
        prefix = next((prefix for prefix in BLOCKS if name.startswith(prefix)), None)
        if name in NO_PARAMETERS:
            continue
        if prefix is None:
            renamed[NAMES.get(name, name)] = value.T if name in TRANSPOSED else value
            continue
        number, _, rest = name.removeprefix(prefix).partition(".")
        module, _, kind = rest.rpartition(".")
        third = module.removeprefix("self_attn.").removesuffix("_proj")
        if module.startswith("self_attn.") and third in {"q", "k", "v"}:
            joined.setdefault(f"{BLOCKS[prefix]}{number}.attn.in_proj_{kind}", {})[third] = value
        else:
            renamed[f"{BLOCKS[prefix]}{number}.{IN_BLOCK.get(module, module)}.{kind}"] = value
    return renamed | {name: _joined(name, thirds, source) for name, thirds in joined.items()}


def _joined(name: str, thirds: Mapping[str, Tensor], source: str) -> Tensor:
    """Join queries, keys and values to the one matrix, or bias, of OpenAI.

    Raises:
        WeightsError: one is missing, or they have several shapes.
    """
    import torch

    shapes = {part: list(tensor.shape) for part, tensor in sorted(thirds.items())}
    if len(shapes) != 3 or len({str(shape) for shape in shapes.values()}) != 1:
        raise WeightsError(
            f"{source} holds no complete CLIP: '{name}' needs queries, keys and values alike; there are {shapes}"
        )
    return torch.cat([thirds[part] for part in "qkv"])

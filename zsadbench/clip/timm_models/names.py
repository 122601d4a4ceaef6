"""Rename the tensors of an image encoder to timm's names: those of Meta's DINOv2 and DINOv3, and of transformers.

The values are the same, with three exceptions of form. transformers stores queries, keys and values as three matrices.
Where timm adds no position to the class token (DINOv2 with registers), the row of the table that belongs to it is added
to the token itself. Biases of keys, which do not change a softmax, are stored by Meta as zeros and by timm not at all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from zsadbench.checkpoints import unwrap
from zsadbench.errors import WeightsError

if TYPE_CHECKING:
    from torch import Tensor

TIMM_STEM = "patch_embed.proj.weight"  # Meta's, too
STEMS = (TIMM_STEM, "embeddings.patch_embeddings.projection.weight", "embeddings.patch_embeddings.weight")
UNREAD = re.compile(r"mask_token|head\..*|.*bias_mask|rope_embed(dings)?\..*|local_cls_norm\..*|classifier\..*")
RENAMED = (  # in this order; transformers' first, then Meta's
    (r"^embeddings\.(cls_token|mask_token)$", r"\1"),
    (r"^embeddings\.position_embeddings$", "pos_embed"),
    (r"^embeddings\.patch_embeddings\.(projection\.)?", "patch_embed.proj."),
    (r"^(embeddings\.register_tokens|register_tokens|storage_tokens)$", "reg_token"),
    (r"^layernorm\.", "norm."),
    (r"^((encoder|model)\.)?layer\.(\d+)\.", r"blocks.\3."),
    (r"\.attention\.attention\.(query|key|value)\.", lambda found: f".attn.{found[1][0]}."),
    (r"\.attention\.([qkv])_proj\.", r".attn.\1."),
    (r"\.attention\.(output\.dense|o_proj)\.", ".attn.proj."),
    (r"\.layer_scale([12])\.lambda1$", r".ls\1.gamma"),
    (r"\.mlp\.weights_in\.", ".mlp.fc1."),
    (r"\.mlp\.(weights_out|down_proj)\.", ".mlp.fc2."),
    (r"\.mlp\.w12\.", ".mlp.fc1."),
    (r"\.mlp\.(w1|gate_proj)\.", ".mlp.fc1_g."),
    (r"\.mlp\.w2\.", ".mlp.fc1_x."),
    (r"\.mlp\.w3\.", ".mlp.fc2."),
)


def holds_encoder(raw: Any) -> bool:
    """Whether a file holds an image encoder under one of these names, perhaps as a part of something else."""
    return bool(unwrap(raw, STEMS, "the file"))


def to_timm_names(raw: Any, wanted: Mapping[str, Tensor], source: str) -> dict[str, Tensor]:
    """Return the tensors of an image encoder under timm's names; names that are not known stay, for later checks.

    Args:
        raw: the content of a file, wrapped in anything.
        wanted: the names and shapes of the architecture.
        source: the file, for messages.

    Raises:
        WeightsError: there is no encoder, an entry is no tensor, or queries, keys and values do not fit together.
    """
    from torch import Tensor

    entries = unwrap(raw, STEMS, source)
    if not entries:
        raise WeightsError(f"{source} holds no image encoder: '{TIMM_STEM}' is missing; is it a CLIP, or a checkpoint?")
    state: dict[str, Tensor] = {}
    for name, value in entries.items():
        renamed = _renamed(name, wanted)
        if UNREAD.fullmatch(renamed) and renamed not in wanted:
            continue
        if not isinstance(value, Tensor):
            raise WeightsError(f"{source} holds no image encoder: '{name}' is no tensor; is the file damaged?")
        state[renamed] = value
    _join_attention(state, wanted, source)
    return _with_positions(state, wanted)


def _renamed(name: str, wanted: Mapping[str, Tensor]) -> str:
    for pattern, replacement in RENAMED:
        name = re.sub(pattern, replacement, name)
    gated = name.replace(".mlp.up_proj.", ".mlp.fc1_x.")
    name = gated if gated in wanted else name.replace(".mlp.up_proj.", ".mlp.fc1.")
    scale = re.sub(r"\.ls([12])\.gamma$", r".gamma_\1", name)
    return scale if scale in wanted else name


def _join_attention(state: dict[str, Tensor], wanted: Mapping[str, Tensor], source: str) -> None:
    """Join queries, keys and values, and give their biases the form that the architecture has.

    Raises:
        WeightsError: a part is missing, or the architecture has no place for a bias that is not zero.
    """
    import torch

    for stem in sorted({name.rpartition(".attn.")[0] for name in state if ".attn." in name}):
        base = f"{stem}.attn."
        weights, biases = ([state.pop(f"{base}{part}.{kind}", None) for part in "qkv"] for kind in ("weight", "bias"))
        if any(weight is not None for weight in weights):
            if any(weight is None or weight.shape != weights[0].shape for weight in weights):  # type: ignore[union-attr]
                raise WeightsError(f"{source}: '{base}qkv' needs queries, keys and values alike")
            state[f"{base}qkv.weight"] = torch.cat(weights)  # type: ignore[arg-type]
        if biases[0] is not None and biases[2] is not None:
            key = torch.zeros_like(biases[0]) if biases[1] is None else biases[1]
            state[f"{base}qkv.bias"] = torch.cat([biases[0], key, biases[2]])
        if f"{base}qkv.bias" in state and f"{base}qkv.bias" not in wanted:
            _split_bias(state, base, wanted, source)


def _split_bias(state: dict[str, Tensor], base: str, wanted: Mapping[str, Tensor], source: str) -> None:
    """Replace the bias of queries, keys and values by those of queries and values, or leave out one of zeros."""
    query, _, value = state.pop(f"{base}qkv.bias").chunk(3)
    if f"{base}q_bias" in wanted:
        state |= {f"{base}q_bias": query, f"{base}v_bias": value}
    elif query.any() or value.any():
        raise WeightsError(
            f"{source}: '{base}qkv.bias' is not zero, and the architecture has no such bias; "
            "pass the one of the same name that ends in '_qkvb'"
        )


def _with_positions(state: dict[str, Tensor], wanted: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Add the position of the class token to the token itself, where the architecture's table has no row for it."""
    table, own = state.get("pos_embed"), wanted.get("pos_embed")
    if table is None or own is None or "cls_token" not in state or table.dim() != 3 or own.dim() != 3:
        return state
    if table.shape[1] == own.shape[1] + 1:
        state["cls_token"] = state["cls_token"].float() + table[:, :1].float()
        state["pos_embed"] = table[:, 1:]
    return state

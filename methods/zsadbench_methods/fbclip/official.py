"""The published checkpoint files of FB-CLIP and the settings in which its fixtures are written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zsadbench.checkpoints import read_archive
from zsadbench.errors import UsageError, WeightsError
from zsadbench_methods.fbclip.options import Options

if TYPE_CHECKING:
    from torch import Tensor

STREAM = {
    "norm.weight": "norm.weight",
    "norm.bias": "norm.bias",
    "to_q.weight": "to_q.weight",
    "to_k.weight": "to_k.weight",
    "to_v.weight": "to_v.weight",
    "to_out.0.weight": "to_out.weight",
    "to_out.0.bias": "to_out.bias",
    "scale": "scale",
}
TWO_LAYERS = ("0.weight", "0.bias", "2.weight", "2.bias")


def names() -> dict[str, str]:
    """Published tensor name → ours, for every tensor that is used."""
    table = {"ctx_pos": "prompts.normal", "ctx_neg": "prompts.abnormal", "scale_weights": "layer_weights"}
    for short, stream in (("fg", "foreground"), ("bg", "background")):
        table |= {f"fb_Attention.{short}_{theirs}": f"attention.{stream}.{ours}" for theirs, ours in STREAM.items()}
    modules = {
        "fb_Attention.gate": "attention.gate",
        "token_selector": "fusion.selector",
        "text_projection_mlp": "fusion.project",
    }
    for theirs, ours in modules.items():
        table |= {f"{theirs}.{part}": f"{ours}.{part}" for part in TWO_LAYERS}
    return table | {f"fb_Attention.norm.{part}": f"attention.norm.{part}" for part in ("weight", "bias")}


def read(paths: Sequence[Path]) -> dict[str, Tensor]:
    """Read one published file: used tensors under our names, unused ones left out.

    Raises:
        WeightsError: it is not one file with `prompt_learner` and `model_trainable_params`, or a used
            tensor is missing.
    """
    if len(paths) != 1:
        raise WeightsError(f"FB-CLIP publishes one checkpoint file, {len(paths)} were given")
    raw = read_archive(paths[0])
    if not isinstance(raw, Mapping) or not {"prompt_learner", "model_trainable_params"} <= raw.keys():
        raise WeightsError(
            f"{paths[0]} is no FB-CLIP checkpoint: 'prompt_learner' or 'model_trainable_params' is missing"
        )
    tensors = {**raw["prompt_learner"], **raw["model_trainable_params"]}
    missing = sorted(names().keys() - tensors.keys())
    if missing:
        raise WeightsError(
            f"{paths[0]} is no complete FB-CLIP checkpoint: {missing[0]} is missing ({len(missing)} tensors)"
        )
    state = {ours: tensors[theirs].float() for theirs, ours in names().items()}
    return {name: tensor.flatten(0, 2) if name.startswith("prompts.") else tensor for name, tensor in state.items()}


FRACTIONS = {"first half of the token sequence": 0.5, "the whole token sequence": 1.0}


def options(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a fixture as our options.

    Raises:
        UsageError: the background fraction is written in words that are not known.
    """
    fraction = settings["background_fraction"]
    if fraction not in FRACTIONS and not isinstance(fraction, float | int):
        raise UsageError(
            f"fixture option 'background_fraction' is '{fraction}'; known: {', '.join(FRACTIONS)}, or a number"
        )
    fusion, training = settings["text_fusion_weights"], settings.get("training", {})
    return {
        "layers": tuple(settings["layers"]),
        "context": settings["n_ctx"],
        "class_word": settings["class_word"],
        "temperature": settings["temperature"],
        "views": tuple(view.lower() for view in settings["views"]),
        "text_causal": settings["text_causal_mask"],
        "weight_mean": fusion["mean"],
        "weight_attention": fusion["attention"],
        "weight_eot": fusion["eot"],
        "foreground_threshold": settings["foreground_threshold"],
        "bs_fraction": float(FRACTIONS.get(fraction, fraction)),
        "bs_mix": settings["background_mix"],
        "scr_weight": settings["consistency_weight"],
        "dice_weight": float(training.get("dice_weight", Options.dice_weight)),
        "focal_gamma": float(training.get("focal_gamma", Options.focal_gamma)),
    }

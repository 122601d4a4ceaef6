"""The published checkpoint files of AnomalyCLIP and the settings in which its fixtures are written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zsadbench.checkpoints import read_archive
from zsadbench.errors import UsageError, WeightsError
from zsadbench_methods.anomalyclip.options import LAST, Options

if TYPE_CHECKING:
    from torch import Tensor

FOREIGN = {"patch_meta_net": "FAPrompt"}  # methods that build on AnomalyCLIP and keep its names


def names() -> dict[str, str]:
    """Published tensor name → ours, for every tensor that is used."""
    deep = {f"compound_prompts_text.{k}": f"prompts.deep.{k}" for k in range(Options.deep_depth - 1)}
    return {"ctx_pos": "prompts.normal", "ctx_neg": "prompts.abnormal", **deep}


def read(paths: Sequence[Path]) -> dict[str, Tensor]:
    """Read one published file: used tensors under our names, unused ones left out.

    Raises:
        WeightsError: it is not one file with `prompt_learner` alone, it is another method's, or a used
            tensor is missing.
    """
    if len(paths) != 1:
        raise WeightsError(f"AnomalyCLIP publishes one checkpoint file, {len(paths)} were given")
    raw = read_archive(paths[0])
    if (
        not isinstance(raw, Mapping)
        or raw.keys() != {"prompt_learner"}
        or not isinstance(raw["prompt_learner"], Mapping)
    ):
        raise WeightsError(f"{paths[0]} is no AnomalyCLIP checkpoint: its one entry must be 'prompt_learner'")
    tensors = raw["prompt_learner"]
    for part, method in FOREIGN.items():
        if any(str(name).startswith(part) for name in tensors):
            raise WeightsError(f"{paths[0]} is no AnomalyCLIP checkpoint but one of {method}: it has '{part}'")
    missing = sorted(names().keys() - tensors.keys())
    if missing:
        raise WeightsError(
            f"{paths[0]} is no complete AnomalyCLIP checkpoint: {missing[0]} is missing ({len(missing)} tensors)"
        )
    state = {ours: tensors[theirs].float() for theirs, ours in names().items()}
    return {name: tensor.flatten(0, 2) if tensor.ndim == 4 else tensor for name, tensor in state.items()}


def options(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a fixture as our options.

    Raises:
        UsageError: the value-value path begins outside the tower.
    """
    begin = LAST + 2 - settings["dpam_layer"]  # published as one more than the number of blocks, from the end
    if not 1 <= begin <= LAST:
        raise UsageError(f"fixture option 'dpam_layer' is {settings['dpam_layer']}; it must lie in 2..{LAST + 1}")
    training = settings.get("training", {})
    return {
        "layers": tuple(settings["layers"]),
        "value_from": begin,
        "context": settings["n_ctx"],
        "deep_depth": settings["depth"],
        "deep_length": settings["t_n_ctx"],
        "deep_half": settings["deep_prompts_rounded_to_fp16"],
        "class_word": settings["class_word"],
        "temperature": settings["temperature"],
        "pixel_weight": float(training.get("pixel_loss_weight", Options.pixel_weight)),
        "focal_gamma": float(training.get("focal_gamma", Options.focal_gamma)),
        "focal_smoothing": float(training.get("focal_smooth", Options.focal_smoothing)),
    }


def variants(settings: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Results that a fixture repeats: `layers_NAME` among its settings are the layers of the variant NAME."""
    before = "layers_"
    return {
        name.removeprefix(before): {"layers": tuple(blocks)}
        for name, blocks in settings.items()
        if name.startswith(before)
    }

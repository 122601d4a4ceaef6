"""The published checkpoint files of AF-CLIP and the settings in which its fixtures are written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zsadbench.checkpoints import read_archive, read_modules
from zsadbench.errors import UsageError, WeightsError
from zsadbench_methods.afclip.options import HEAD_WIDTH, HEADS, Options

if TYPE_CHECKING:
    from torch import Tensor

MODULES = frozenset(
    {f"clip.adaptor.{name}" for name in ("Adaptor", "BasicTransformerBlock", "CrossAttention")}
    | {f"torch.nn.modules.{name}" for name in ("linear.Linear", "normalization.LayerNorm")}
    | {f"torch.nn.modules.{name}" for name in ("dropout.Dropout", "container.Sequential")}
)
ADAPTER = {
    **{f"attention.attn.to_{part}.weight": f"adapter.to_{part}.weight" for part in "qkv"},
    **{f"attention.attn.to_out.0.{part}": f"adapter.to_out.{part}" for part in ("weight", "bias")},
    **{f"attention.norm.{part}": f"adapter.norm.{part}" for part in ("weight", "bias")},
}
PROMPT_FILE, ADAPTER_FILE = "_prompt.pt", "_adaptor.pt"


def names() -> dict[str, str]:
    """Published tensor name → ours, for every tensor that is used."""
    return {"prompt": "prompts.context", **ADAPTER}


def companions(path: Path) -> tuple[Path, ...]:
    """Both files of a checkpoint, given either: `mvtec_prompt.pt` and `mvtec_adaptor.pt` stand side by side."""
    for here, there in ((PROMPT_FILE, ADAPTER_FILE), (ADAPTER_FILE, PROMPT_FILE)):
        if path.name.endswith(here):
            return (path, path.with_name(path.name.removesuffix(here) + there))
    return (path,)


def read(paths: Sequence[Path]) -> dict[str, Tensor]:
    """Read the two published files, in any order where their names tell them apart, else prompt first.

    Raises:
        WeightsError: they are not a prompt and a pickled adapter, or one is missing.
    """
    if len(paths) != 2:
        raise WeightsError(
            f"AF-CLIP publishes two checkpoint files, {len(paths)} given: {', '.join(map(str, paths))}; give both, "
            f"or one that is named NAME{PROMPT_FILE} or NAME{ADAPTER_FILE} and has the other beside it"
        )
    prompt, adapter = _told_apart(paths)
    return {"prompts.context": _prompt(prompt), **_adapter(adapter)}


def _told_apart(files: Sequence[Path]) -> tuple[Path, Path]:
    """(prompt, adapter), by name where the names tell, else as given."""
    first, second = files
    swapped = first.name.endswith(ADAPTER_FILE) or second.name.endswith(PROMPT_FILE)
    return (second, first) if swapped else (first, second)


def _prompt(path: Path) -> Tensor:
    from torch import Tensor

    found = read_archive(path)
    if not isinstance(found, Tensor) or found.ndim != 3 or len(found) != 1:
        raise WeightsError(f"{path} is no prompt of AF-CLIP: it must be one tensor of (1, context, width)")
    return found.detach().squeeze(0).float()


def _adapter(path: Path) -> dict[str, Tensor]:
    tensors = read_modules(path, MODULES)
    missing = sorted(ADAPTER.keys() - tensors.keys())
    if missing:
        raise WeightsError(f"{path} is no adapter of AF-CLIP: {missing[0]} is missing ({len(missing)} tensors)")
    return {ours: tensors[theirs].float() for theirs, ours in ADAPTER.items()}


def options(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a fixture as our options.

    Raises:
        UsageError: the adapter has other heads than the published one.
    """
    heads = settings["adaptor_heads"], settings["adaptor_head_dim"]
    if heads != (HEADS, HEAD_WIDTH):
        raise UsageError(f"the fixture's adapter has {heads[0]} heads of {heads[1]}, ours {HEADS} of {HEAD_WIDTH}")
    training = settings.get("training", {})
    normal, abnormal = settings["prompts"]
    alpha = float(settings.get("alpha", Options.image_alpha))
    return {
        "layers": tuple(settings["layers"]),
        "windows": tuple(settings["windows"]),
        "window_sigma": float(settings["aggregation_sigma"]),
        "context": settings["prompt_len"],
        "normal": normal,
        "abnormal": abnormal,
        "temperature": settings["temperature"],
        "memory_layers": tuple(settings.get("memory_layers", settings["layers"])),
        "image_alpha": alpha,
        "pixel_alpha": alpha,
        "pixel_weight": float(training.get("lambda1", Options.pixel_weight)),
        "alignment_weight": float(training.get("lambda2", Options.alignment_weight)),
        "focal_gamma": float(training.get("focal_gamma", Options.focal_gamma)),
    }


def variants(settings: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What a fixture repeats: the training, with the gradient that was intended."""
    return {"intended": {"target_alias": False}} if settings.get("training") else {}

"""The architecture of a CLIP: found by name, in a file, or from the shapes of its weights.

This module imports neither torch nor open_clip: open_clip's own architecture files are read as JSON.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zsadbench.clip.sizes import DEMO, BackboneConfig, TextConfig, VisionConfig, shipped_folder
from zsadbench.clip.timm_models.library import find_vision_only, is_timm, timm_names, vision_only_of
from zsadbench.clip.timm_models.pairs import pair_of
from zsadbench.errors import UsageError, WeightsError, unknown

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["DEMO", "DEMO_FOLDER", "BackboneConfig", "TextConfig", "VisionConfig", "find_config", "infer_config"]

DEMO_FOLDER = Path(__file__).with_name(DEMO)


def find_config(name: str) -> BackboneConfig:
    """Find the architecture `name`: one of open_clip or timm, the path of a `backbone.json`, or `demo`.

    A name of timm may be followed by a dot and a tag of its published weights. Where both libraries have a name, it is
    that of open_clip.

    Raises:
        UsageError: there is no such name or file, the file is invalid, or the towers cannot be used.
    """
    if name == DEMO:
        return replace(_from_file(DEMO_FOLDER / "backbone.json"), name=DEMO)
    if name.endswith(".json") or "/" in name:
        return _from_file(Path(name))
    folder = shipped_folder()
    path = folder / f"{name}.json"
    if not path.is_file():
        if is_timm(name):
            return find_vision_only(name)
        raise unknown("backbone", name, [DEMO, *(file.stem for file in folder.glob("*.json")), *timm_names()])
    return _from_open_clip(name, json.loads(path.read_text()))


def _from_open_clip(name: str, raw: Mapping[str, Any]) -> BackboneConfig:
    vision, text = raw["vision_cfg"], raw["text_cfg"]
    if "timm_model_name" in vision and "multimodal_cfg" not in raw:
        return pair_of(name, raw)
    plain_vision = set(vision) <= {"image_size", "layers", "width", "patch_size", "head_width"}
    plain_text = set(text) <= {"context_length", "vocab_size", "width", "heads", "layers"}
    if not (plain_vision and plain_text and isinstance(vision["layers"], int)):
        raise UsageError(f"backbone '{name}' is no plain CLIP transformer pair; choose one such as 'ViT-L-14-336'")
    heads = vision["width"] // vision.get("head_width", 64)
    return BackboneConfig(
        name=name,
        embed_dim=raw["embed_dim"],
        quick_gelu=raw.get("quick_gelu", False),
        vision=VisionConfig(vision["image_size"], vision["patch_size"], vision["width"], vision["layers"], heads),
        text=TextConfig(text["context_length"], text["vocab_size"], text["width"], text["heads"], text["layers"]),
    )


def _from_file(path: Path) -> BackboneConfig:
    if not path.is_file():
        raise UsageError(f"backbone '{path}' is not a file; give a backbone.json or a name such as 'ViT-L-14-336'")
    try:
        raw = json.loads(path.read_text())
        if isinstance(raw, dict) and "timm" in raw:
            return vision_only_of(raw, str(path))
        vision, text = VisionConfig(**raw["vision"]), TextConfig(**raw["text"])
        _check_sizes({**asdict(vision), **asdict(text), "embed_dim": raw["embed_dim"]})
        return BackboneConfig(_size_name(vision, text), raw["embed_dim"], raw["quick_gelu"], vision, text)
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as failure:
        raise UsageError(f"{path} is no backbone file: {type(failure).__name__}: {failure}") from failure


def _check_sizes(sizes: Mapping[str, Any]) -> None:
    """Raise `ValueError` if a size is no positive whole number."""
    wrong = next((name for name, size in sizes.items() if type(size) is not int or size < 1), None)
    if wrong:
        raise ValueError(f"'{wrong}' must be a positive whole number, not {sizes[wrong]!r}")


def infer_config(state: Mapping[str, Tensor], source: str) -> BackboneConfig:
    """Infer the architecture from a state dict with OpenAI's names; heads are assumed to be 64 wide, as OpenAI's are.

    `source` names the state in the message of an error.

    Raises:
        WeightsError: the names are not those of a CLIP with two transformers.
    """
    try:
        stem, table = state["visual.conv1.weight"], state["visual.positional_embedding"]
        grid = round((len(table) - 1) ** 0.5)
        words, context = state["token_embedding.weight"], state["positional_embedding"]
        vision_layers, text_layers = _depth(state, "visual.transformer"), _depth(state, "transformer")
        vision = VisionConfig(grid * stem.shape[-1], stem.shape[-1], stem.shape[0], vision_layers, stem.shape[0] // 64)
        text = TextConfig(len(context), len(words), words.shape[1], words.shape[1] // 64, text_layers)
        joint = state["text_projection"].shape[1]
    except (KeyError, IndexError) as failure:
        raise WeightsError(
            f"{source} holds no CLIP with an image and a text transformer: {failure} is missing"
        ) from failure
    return BackboneConfig(_size_name(vision, text), joint, quick_gelu=True, vision=vision, text=text)


def _size_name(vision: VisionConfig, text: TextConfig) -> str:
    """Build a name from the sizes, with the number of heads where they are not 64 wide: weights do not show it."""
    name = f"ViT-{vision.width}x{vision.layers}-{vision.patch_size}-{vision.image_size}"
    sizes = (("h", vision.heads, vision.width), ("t", text.heads, text.width))
    return name + "".join(f"-{mark}{heads}" for mark, heads, width in sizes if width != 64 * heads)


def _depth(state: Mapping[str, Tensor], tower: str) -> int:
    start = f"{tower}.resblocks."
    return len({key.removeprefix(start).split(".")[0] for key in state if key.startswith(start)})

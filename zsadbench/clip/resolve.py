"""From what a user asks for to one architecture and one file of weights."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from zsadbench.checkpoints import read_archive
from zsadbench.clip.config import DEMO, BackboneConfig, find_config, infer_config, is_shipped
from zsadbench.clip.taps import REFERENCE_DEPTH
from zsadbench.clip.weights import OPENAI_FILES, Weights, locate_weights
from zsadbench.errors import UsageError, WeightsError

if TYPE_CHECKING:
    from torch import Tensor

log = logging.getLogger(__name__)

DEFAULT_BACKBONE = "ViT-L-14-336"
OPENAI_ALONE = frozenset({"ViT-L-14-336"})
BOOKKEEPING = frozenset({"input_resolution", "context_length", "vocab_size"})


@dataclass(frozen=True)
class BackboneSpec:
    """An architecture with its weights, not yet loaded.

    `name` is what records call it.
    """

    config: BackboneConfig
    weights: Weights

    @property
    def name(self) -> str:
        """The name of the architecture."""
        return self.config.name

    @property
    def shipped(self) -> bool:
        """Whether the architecture is one that open_clip ships by name, not read from a file or from shapes."""
        return is_shipped(self.name)

    @property
    def demo(self) -> bool:
        """Whether it is the small architecture that is shipped for trials, which is not CLIP."""
        return self.name == DEMO

    def image_size(self, recipe_size: int) -> int:
        """The default input size: the recipe's for towers of 24 blocks, else the backbone's own."""
        return recipe_size if self.config.vision.layers == REFERENCE_DEPTH else self.config.vision.image_size

    def check_size(self, image_size: int) -> None:
        """Raise `UsageError` unless `image_size` is a positive multiple of the patch."""
        patch = self.config.vision.patch_size
        if image_size < patch or image_size % patch:
            near = max(patch, round(image_size / patch) * patch)
            raise UsageError(f"image size {image_size} is no multiple of the patch of {self.name}, {patch}; try {near}")


def resolve(backbone: str | None, weights: str | None, *, offline: bool = False) -> BackboneSpec:
    """Find the architecture and the weights; `None` stands for `ZSADBENCH_BACKBONE` and `ZSADBENCH_WEIGHTS`, else the
    defaults.

    The demo backbone and its weights name each other. Weights that OpenAI published name their own activation:
    QuickGELU. A file in OpenAI's format, given with no backbone, also names its own architecture.

    Raises:
        UsageError: no such backbone.
        WeightsError: no such weights, or they are no CLIP.
    """
    backbone = backbone or os.environ.get("ZSADBENCH_BACKBONE") or None
    weights = weights or os.environ.get("ZSADBENCH_WEIGHTS") or (DEMO if backbone == DEMO else "openai")
    if weights == DEMO and backbone is None:
        backbone = DEMO
    config = find_config(backbone or DEFAULT_BACKBONE)
    found = locate_weights(weights, config, config.name, offline=offline)
    if found.path is None:
        return BackboneSpec(config, found)
    if found.kind == "demo":
        return _of_demo(config, found)
    if found.kind == "tag":
        return BackboneSpec(replace(config, quick_gelu=config.quick_gelu or found.quick_gelu), found)
    return _with_file(config, found, named=backbone is not None)


def _of_demo(config: BackboneConfig, found: Weights) -> BackboneSpec:
    if config.name != DEMO:
        raise WeightsError(f"weights 'demo' belong to backbone 'demo', not to '{config.name}'; pass --backbone demo")
    return BackboneSpec(config, found)


def _with_file(config: BackboneConfig, found: Weights, *, named: bool) -> BackboneSpec:
    assert found.path is not None  # noqa: S101 - narrowed for the type checker: only files come here
    raw = read_archive(found.path)
    inferred = infer_config(state_of(raw, str(found.path)), str(found.path))
    if not _same_sizes(config, inferred):
        if named:
            differing = _difference(config, inferred)
            raise WeightsError(f"weights {found.path} do not fit backbone '{config.name}': they have {differing}")
        config = inferred
    quick = trained_with_quick_gelu(config, openai=is_openai(raw) or not named)
    return BackboneSpec(replace(config, quick_gelu=quick), found)


def trained_with_quick_gelu(config: BackboneConfig, *, openai: bool) -> bool:
    """What runs in the MLPs of weights from a file: QuickGELU for OpenAI's, else what the architecture's name says.

    Only OpenAI published weights for ViT-L-14-336, whatever format they come in. Where others did as well and
    the file does not say whose it is, the choice is said aloud.
    """
    if config.quick_gelu or openai or config.name in OPENAI_ALONE:
        return True
    if config.name in OPENAI_FILES:
        log.warning(
            "the weights do not say whose they are: '%s' means exact GELU, '%s-quickgelu' is what OpenAI trained with",
            *(config.name, config.name),
        )
    return False


def _same_sizes(stated: BackboneConfig, inferred: BackboneConfig) -> bool:
    return not _difference(stated, inferred)


def _difference(stated: BackboneConfig, inferred: BackboneConfig) -> str:
    """The first size that the weights contradict; heads cannot be read off weights, so they are not compared."""
    wanted, found = _flat(stated), _flat(inferred)
    return next((f"{name} {found[name]}, not {value}" for name, value in wanted.items() if found[name] != value), "")


def _flat(config: BackboneConfig) -> dict[str, int]:
    """Every size that weights tell, by name; the input size as the side of the patch grid."""
    parts = {"vision": asdict(config.vision), "text": asdict(config.text)}
    sizes = {f"{part} {name}": value for part, own in parts.items() for name, value in own.items() if name != "heads"}
    grid = sizes.pop("vision image_size") // config.vision.patch_size
    return {**sizes, "vision grid": grid, "joint width": config.embed_dim}


def is_openai(raw: Any) -> bool:
    """Whether a file is in OpenAI's own format, told by the sizes that it stores among its tensors."""
    return isinstance(raw, Mapping) and raw.keys() >= BOOKKEEPING


def state_of(raw: Any, source: str) -> dict[str, Tensor]:
    """The state dict inside a file: as it is, or under `state_dict`, with `module.` taken off.

    Raises:
        WeightsError: there is none, or something in it is no tensor.
    """
    from torch import Tensor

    inner = raw.get("state_dict", raw) if isinstance(raw, Mapping) else None
    state = (
        {str(key).removeprefix("module."): value for key, value in inner.items()} if isinstance(inner, Mapping) else {}
    )
    if "visual.conv1.weight" not in state:
        raise WeightsError(f"{source} holds no CLIP: 'visual.conv1.weight' is missing; is it a method's checkpoint?")
    kept = {name: value for name, value in state.items() if name not in BOOKKEEPING}
    foreign = [name for name, value in kept.items() if not isinstance(value, Tensor)]
    if foreign:
        raise WeightsError(f"{source} holds no CLIP: '{foreign[0]}' is no tensor; is the file damaged?")
    return kept

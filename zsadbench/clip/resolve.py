"""From the names that a user gives to one architecture and one file of weights."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zsadbench.checkpoints import check_tensors, entry_names, read_archive, unwrap
from zsadbench.clip.config import DEMO, BackboneConfig, find_config, infer_config
from zsadbench.clip.taps import REFERENCE_DEPTH
from zsadbench.clip.timm_models.config import TimmConfig
from zsadbench.clip.timm_models.names import holds_encoder
from zsadbench.clip.timm_models.pairs import PairConfig
from zsadbench.clip.transformers_names import NAMES, STEM, to_openai_names
from zsadbench.clip.weights import OPENAI_FILES, Weights, locate_weights
from zsadbench.errors import UsageError, WeightsError

if TYPE_CHECKING:
    from torch import Tensor

    from zsadbench.tokens import Activation

log = logging.getLogger(__name__)

DEFAULT_BACKBONE = "ViT-L-14-336"
OPENAI_ALONE = frozenset({"ViT-L-14-336"})
UNREAD = frozenset({"attn_mask", "logit_scale"})  # may be in a file; no part of a tower
BOOKKEEPING = frozenset({"input_resolution", "context_length", "vocab_size"})
OPENAI_STEM = "visual.conv1.weight"
ANCHORS = frozenset({OPENAI_STEM, "visual.class_embedding", "token_embedding.weight", "ln_final.weight"})
PARAMETERS = ("weight", "bias", "embedding", "proj", "projection")  # endings of the names of parameters


@dataclass(frozen=True)
class BackboneSpec:
    """An architecture with its located weights, not yet loaded."""

    config: BackboneConfig
    weights: Weights

    @property
    def name(self) -> str:
        """The name of the architecture, as in records."""
        return self.config.name

    @property
    def shipped(self) -> bool:
        """Whether open_clip ships the architecture by name; else it is from a file or from shapes."""
        return self.config.shipped

    @property
    def demo(self) -> bool:
        """Whether this is the small architecture that is shipped for trials, which is not CLIP."""
        return self.name == DEMO

    @property
    def published(self) -> bool:
        """Whether architecture and weights may be those of a published CLIP: neither random, demo nor an own size."""
        return self.shipped and not self.demo and self.weights.kind != "random"

    def image_size(self, recipe_size: int) -> int:
        """Return the default input size in pixels: the recipe's for a CLIP of 24 blocks, else the backbone's own."""
        reference = self.config.kind == "clip" and self.config.vision.layers == REFERENCE_DEPTH
        return recipe_size if reference else self.config.vision.image_size

    def check_size(self, image_size: int) -> None:
        """Raise `UsageError` unless `image_size` is a positive multiple of the patch."""
        patch = self.config.vision.patch_size
        if image_size < patch or image_size % patch:
            near = max(patch, round(image_size / patch) * patch)
            raise UsageError(f"image size {image_size} is no multiple of the patch of {self.name}, {patch}; try {near}")


def check_activation(config: BackboneConfig, activation: Activation) -> None:
    """Raise `UsageError` unless the image tower has this activation or takes it in place of its own, as CLIP's does."""
    if isinstance(config, TimmConfig) and activation not in {"native", config.activation}:
        raise UsageError(
            f"'{config.name}' runs with its own activation, {config.activation}; it cannot be replaced by {activation}"
        )


def check_timm_file(config: TimmConfig, path: Path) -> None:
    """Check that a file holds the weights of an architecture with an encoder of timm.

    Raises:
        WeightsError: it does not.
    """
    from zsadbench.clip.timm_models.pair_sources import read_pair
    from zsadbench.clip.timm_models.sources import read_vision_only

    if isinstance(config, PairConfig):
        read_pair(config, path)
    else:
        read_vision_only(config, path)


def check_tokenizer(config: BackboneConfig, *, offline: bool) -> None:
    """Check that the tokenizer of a text tower is here, or can be downloaded; CLIP's own always is.

    Raises:
        WeightsError: it cannot be loaded.
    """
    if isinstance(config, PairConfig) and config.rules.tokenizer:
        from zsadbench.clip.timm_models.text import load_tokenizer

        load_tokenizer(config.rules, offline=offline)


def resolve(backbone: str | None, weights: str | None, *, offline: bool = False) -> BackboneSpec:
    """Find the architecture and the weights.

    None stands for the environment's `ZSADBENCH_BACKBONE` and `ZSADBENCH_WEIGHTS`, else for the defaults. The demo
    backbone and its weights imply each other. Weights that OpenAI published imply QuickGELU. A file in OpenAI's format,
    given without a backbone, also implies its architecture; an image encoder alone is always named.

    Raises:
        UsageError: there is no such backbone.
        WeightsError: there are no such weights, or they are not a CLIP.
    """
    backbone = backbone or os.environ.get("ZSADBENCH_BACKBONE") or None
    weights = weights or os.environ.get("ZSADBENCH_WEIGHTS") or None
    if weights == DEMO and backbone is None:
        backbone = DEMO
    config = find_config(backbone or DEFAULT_BACKBONE)
    weights = weights or config.default_weights
    if not weights:
        raise WeightsError(f"'{config.name}' has no published weights; pass --weights PATH, or --weights random")
    located = locate_weights(weights, config, config.name, offline=offline)
    if located.path is None:
        return BackboneSpec(config, located)
    if located.kind == "demo":
        if config.name != DEMO:
            raise WeightsError(
                f"weights 'demo' belong to backbone 'demo', not to '{config.name}'; pass --backbone demo"
            )
        return BackboneSpec(config, located)
    if isinstance(config, TimmConfig):
        if located.kind == "file":
            check_timm_file(config, located.path)
        return BackboneSpec(config, located)
    if located.kind == "tag":
        return BackboneSpec(replace(config, quick_gelu=config.quick_gelu or located.quick_gelu), located)
    return _with_file(config, located, located.path, named=backbone is not None)


def _with_file(config: BackboneConfig, weights: Weights, path: Path, *, named: bool) -> BackboneSpec:
    """Check that the weights in a file fit a backbone that was `named`; else take the architecture from the file."""
    raw = read_archive(path)
    state = state_of(raw, str(path))
    inferred = infer_config(state, str(path))
    check_tensors({name: tensor for name, tensor in state.items() if name not in UNREAD}, f"weights {path}")
    difference = _difference(config, inferred)
    if difference and named:
        raise WeightsError(f"weights {path} do not fit backbone '{config.name}': they have {difference}")
    config = inferred if difference else config
    if not named and is_transformers(raw) and config.name not in OPENAI_ALONE:
        log.warning(
            "weights under the names of transformers do not say whose they are: taken for OpenAI's, with QuickGELU; "
            "pass --backbone to say otherwise"
        )
    quick = trained_with_quick_gelu(config, openai=is_openai(raw) or not named)
    return BackboneSpec(replace(config, quick_gelu=quick), weights)


def trained_with_quick_gelu(config: BackboneConfig, *, openai: bool) -> bool:
    """Whether weights from a file were trained with QuickGELU: OpenAI's were, others as their architecture's name says.

    Only OpenAI published weights for ViT-L-14-336, in any format. Where others published weights as well and the file
    does not say who trained them, the choice is logged.
    """
    if config.quick_gelu or openai or config.name in OPENAI_ALONE:
        return True
    if config.name in OPENAI_FILES:
        log.warning(
            "the weights do not say whose they are: '%s' means exact GELU, '%s-quickgelu' is what OpenAI trained with",
            *(config.name, config.name),
        )
    return False


def _difference(stated: BackboneConfig, inferred: BackboneConfig) -> str:
    """Describe the first size in which the weights differ, or return an empty text.

    Heads are not compared, since weights do not show them.
    """
    sizes = _flat_sizes(inferred)
    differing = (item for item in _flat_sizes(stated).items() if item[1] != sizes[item[0]])
    return next((f"{name} {sizes[name]}, not {value}" for name, value in differing), "")


def _flat_sizes(config: BackboneConfig) -> dict[str, int]:
    """Every size that weights show, by name; the input size as the side of the patch grid."""
    parts = {"vision": asdict(config.vision), "text": asdict(config.text)}
    sizes = {f"{part} {name}": value for part, own in parts.items() for name, value in own.items() if name != "heads"}
    grid = sizes.pop("vision image_size") // config.vision.patch_size
    return {**sizes, "vision grid": grid, "joint width": config.embed_dim}


def is_openai(raw: Any) -> bool:
    """Whether a file has OpenAI's own format, which stores sizes among the tensors."""
    return isinstance(raw, Mapping) and raw.keys() >= BOOKKEEPING


def is_transformers(raw: Any) -> bool:
    """Whether a file holds a CLIP under the names of the library transformers."""
    words = {word for name in entry_names(raw) for word in name.split(".")}
    return "vision_model" in words and "visual" not in words


def state_of(raw: Any, source: str) -> dict[str, Tensor]:
    """Return the state dict of a file under OpenAI's names, whatever it is wrapped in; transformers' are renamed.

    Raises:
        WeightsError: there is none, or an entry is no tensor.
    """
    from torch import Tensor

    entries = unwrap(raw, ANCHORS, source)
    if OPENAI_STEM not in entries and STEM in (others := unwrap(raw, NAMES, source)):
        entries = others
        _check_entries(entries, source)
        entries = to_openai_names(entries, source)
    if OPENAI_STEM not in entries and holds_encoder(raw):
        raise WeightsError(
            f"{source} holds an image encoder alone, no CLIP; name its architecture, "
            "such as --backbone vit_small_patch14_dinov2"
        )
    if OPENAI_STEM not in entries:
        raise WeightsError(f"{source} holds no CLIP: '{OPENAI_STEM}' is missing; is it a method's checkpoint?")
    _check_entries(entries, source)
    return {name: value for name, value in entries.items() if isinstance(value, Tensor) and name not in BOOKKEEPING}


def _check_entries(entries: Mapping[str, Any], source: str) -> None:
    """Check that every entry with the name of a parameter is a tensor; numbers and texts beside them do no harm.

    Raises:
        WeightsError: one is not.
    """
    from torch import Tensor

    for name, value in entries.items():
        if not isinstance(value, Tensor) and name.endswith(PARAMETERS):
            raise WeightsError(f"{source} holds no CLIP: '{name}' is no tensor; is the file damaged?")

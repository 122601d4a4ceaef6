"""Where the parameters of the towers come from. Each tower is built by itself, and no parameter is stored twice."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import log
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor, nn

from zsadbench.checkpoints import check_state, load_state, read_archive
from zsadbench.clip.resolve import UNREAD, BackboneSpec, state_of
from zsadbench.clip.timm_models.config import VisionOnlyConfig
from zsadbench.clip.timm_models.pair_sources import INITIAL_SCALE, PairSource, pair_skeleton
from zsadbench.clip.timm_models.pairs import PairConfig
from zsadbench.clip.timm_models.sources import VisionOnlySource, vision_only_skeleton
from zsadbench.clip.weights import RANDOM_SEED

if TYPE_CHECKING:
    from zsadbench.clip.config import BackboneConfig

IMAGE = "visual."  # prefix of the names of the image tower
LOGIT_SCALE = "logit_scale"
FINAL_SCALE = log(100)  # where CLIP's training is bounded
MLP_RATIO = 4.0


class TowerSource(Protocol):
    """Builds open_clip's towers, any number of times, always with the same values.

    `logit_scale` is the logarithm that the weights store, or the value where they store none; `logit_bias` is that of a
    pair that was trained with a sigmoid, else None.
    """

    @property
    def logit_scale(self) -> float:
        """The logarithm of what cosines are multiplied with; `UsageError` without a text tower."""
        ...

    @property
    def logit_bias(self) -> float | None:
        """What is added to the scaled cosines; None of a pair that was not trained with a sigmoid."""
        ...

    def vision(self) -> nn.Module:
        """Build the image tower."""
        ...

    def text(self) -> nn.Module:
        """Build the text tower."""
        ...

    def release_text(self) -> None:
        """Free tensors of a text tower that was not built; they are read again when it is needed."""
        ...


def tower_source(spec: BackboneSpec, *, quick_gelu: bool) -> TowerSource:
    """Return the source of the towers that `spec` describes.

    Raises:
        WeightsError: the file is unreadable or of another architecture.
    """
    if isinstance(spec.config, VisionOnlyConfig):
        return VisionOnlySource(spec.config, spec.weights.path, RANDOM_SEED)
    if isinstance(spec.config, PairConfig):
        return PairSource(spec.config, spec.weights.path, RANDOM_SEED)
    if spec.weights.path is None:
        return RandomTowers(spec.config, quick_gelu=quick_gelu)
    return StoredTowers(spec, quick_gelu=quick_gelu)


class RandomTowers:
    """Random towers from one seeded stream of numbers, the image tower first; the global generator is not changed."""

    def __init__(self, config: BackboneConfig, *, quick_gelu: bool) -> None:
        self._config, self._quick_gelu = config, quick_gelu
        self.logit_scale, self.logit_bias = INITIAL_SCALE, None
        self._after_vision: Tensor | None = None  # state of the generator after the image tower

    def vision(self) -> nn.Module:
        """Build the image tower."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(RANDOM_SEED)
            tower = new_vision(self._config, quick_gelu=self._quick_gelu)
            self._after_vision = torch.get_rng_state()
        return tower

    def text(self) -> nn.Module:
        """Build the text tower, after a temporary image tower where none was built before."""
        if self._after_vision is None:
            self.vision()
        assert self._after_vision is not None  # noqa: S101 - for the type checker
        with torch.random.fork_rng(devices=[]):
            torch.set_rng_state(self._after_vision)
            return new_text(self._config, quick_gelu=self._quick_gelu)

    def release_text(self) -> None:
        """Do nothing: no tensors are in memory."""


class StoredTowers:
    """Towers from a file, which is read and checked at once, and read again for a tower that is built a second time."""

    def __init__(self, spec: BackboneSpec, *, quick_gelu: bool) -> None:
        self._spec, self._quick_gelu = spec, quick_gelu
        self.logit_scale, self.logit_bias = FINAL_SCALE, None
        self._unused = self._read()  # tensors of the towers that were not built yet

    def vision(self) -> nn.Module:
        """Build the image tower."""
        return self._build(new_vision, "vision")

    def text(self) -> nn.Module:
        """Build the text tower."""
        return self._build(new_text, "text")

    def release_text(self) -> None:
        """Free the tensors of a text tower that was not built."""
        self._unused.pop("text", None)

    def _build(self, new_tower: Callable[..., nn.Module], name: str) -> nn.Module:
        state = self._unused.pop(name, None) or self._read()[name]
        with torch.device("meta"):
            tower = new_tower(self._spec.config, quick_gelu=self._quick_gelu)
        tower = tower.to_empty(device="cpu")
        load_state(tower, state, self._label)  # as float32, for any precision of the file
        return tower

    def _read(self) -> dict[str, dict[str, Tensor]]:
        """Read the tensors of both towers by their names inside the tower."""
        path = self._spec.weights.path
        assert path is not None  # noqa: S101 - `tower_source` ensures it
        tensors = state_of(read_archive(path), str(path))
        if LOGIT_SCALE in tensors:
            self.logit_scale = float(tensors[LOGIT_SCALE])
        state = {name: tensor for name, tensor in tensors.items() if name not in UNREAD}
        check_state(skeleton(self._spec.config), state, self._label)
        return {
            "vision": {name.removeprefix(IMAGE): state[name] for name in state if name.startswith(IMAGE)},
            "text": {name: state[name] for name in state if not name.startswith(IMAGE)},
        }

    @property
    def _label(self) -> str:
        return f"weights {self._spec.weights.path} for backbone '{self._spec.name}'"


def skeleton(config: BackboneConfig) -> Mapping[str, Tensor]:
    """List every parameter of both towers by OpenAI's names, or timm's: shapes without values."""
    if isinstance(config, VisionOnlyConfig):
        return vision_only_skeleton(config)
    if isinstance(config, PairConfig):
        return pair_skeleton(config)
    with torch.device("meta"):
        vision, text = new_vision(config, quick_gelu=False), new_text(config, quick_gelu=False)
    return {**{f"{IMAGE}{name}": tensor for name, tensor in vision.state_dict().items()}, **text.state_dict()}


def new_vision(config: BackboneConfig, *, quick_gelu: bool) -> nn.Module:
    """Build an image tower with open_clip's random initialisation."""
    from open_clip.transformer import VisionTransformer

    vision = config.vision
    sizes = (vision.image_size, vision.patch_size, vision.width, vision.layers, vision.heads, MLP_RATIO)
    tower: nn.Module = VisionTransformer(*sizes, output_dim=config.embed_dim, act_layer=_activation(quick_gelu))
    return tower


def new_text(config: BackboneConfig, *, quick_gelu: bool) -> nn.Module:
    """Build a text tower with open_clip's random initialisation."""
    from open_clip.transformer import TextTransformer

    text = config.text
    sizes = (text.context_length, text.vocab_size, text.width, text.heads, text.layers, MLP_RATIO)
    tower: nn.Module = TextTransformer(*sizes, output_dim=config.embed_dim, act_layer=_activation(quick_gelu))
    return tower


def _activation(quick_gelu: bool) -> type[nn.Module]:
    from open_clip.transformer import QuickGELU

    activation: type[nn.Module] = QuickGELU if quick_gelu else nn.GELU
    return activation

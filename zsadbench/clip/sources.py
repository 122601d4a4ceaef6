"""Where the parameters of the towers come from: each tower is made on its own, without the other and without a copy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor, nn

from zsadbench.checkpoints import check_state, load_state, read_archive
from zsadbench.clip.resolve import BackboneSpec, state_of
from zsadbench.clip.weights import RANDOM_SEED

if TYPE_CHECKING:
    from zsadbench.clip.config import BackboneConfig

IMAGE = "visual."  # how the names of the image tower begin
MLP_RATIO = 4.0
UNREAD = frozenset({"attn_mask", "logit_scale"})  # may be in a file; no method reads them


class Source(Protocol):
    """Makes open_clip's towers, as often as it is asked to, always the same ones."""

    def vision(self) -> nn.Module:
        """The image tower."""
        ...

    def text(self) -> nn.Module:
        """The text tower."""
        ...

    def forget_text(self) -> None:
        """Let go of what is held for a text tower that was not made yet; it is read anew when it is needed."""
        ...


def source_of(spec: BackboneSpec, *, quick_gelu: bool) -> Source:
    """The towers that `spec` describes.

    Raises:
        WeightsError: the file is unreadable or of another architecture.
    """
    if spec.weights.path is None:
        return Drawn(spec.config, quick_gelu=quick_gelu)
    return Stored(spec, quick_gelu=quick_gelu)


class Drawn:
    """Random towers out of one seeded stream of numbers, the image tower first; the global generator is left alone."""

    def __init__(self, config: BackboneConfig, *, quick_gelu: bool) -> None:
        self._config, self._quick_gelu = config, quick_gelu
        self._behind_vision: Tensor | None = None  # the generator once the image tower is drawn

    def vision(self) -> nn.Module:
        """The image tower."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(RANDOM_SEED)
            made = new_vision(self._config, quick_gelu=self._quick_gelu)
            self._behind_vision = torch.get_rng_state()
        return made

    def text(self) -> nn.Module:
        """The text tower; asked for first, an image tower is drawn before it and let go."""
        if self._behind_vision is None:
            self.vision()
        assert self._behind_vision is not None  # noqa: S101 - for the type checker
        with torch.random.fork_rng(devices=[]):
            torch.set_rng_state(self._behind_vision)
            return new_text(self._config, quick_gelu=self._quick_gelu)

    def forget_text(self) -> None:
        """Nothing is held."""


class Stored:
    """Towers out of a file, which is read and checked at once, and once more for a tower that is made again."""

    def __init__(self, spec: BackboneSpec, *, quick_gelu: bool) -> None:
        self._spec, self._quick_gelu = spec, quick_gelu
        self._held = self._read()

    def vision(self) -> nn.Module:
        """The image tower."""
        return self._made(new_vision, "vision")

    def text(self) -> nn.Module:
        """The text tower."""
        return self._made(new_text, "text")

    def forget_text(self) -> None:
        """Let go of the tensors that were read and not taken."""
        self._held.pop("text", None)

    def _made(self, make: Callable[..., nn.Module], half: str) -> nn.Module:
        state = self._held.pop(half, None) or self._read()[half]
        with torch.device("meta"):
            tower = make(self._spec.config, quick_gelu=self._quick_gelu)
        tower = tower.to_empty(device="cpu")
        load_state(tower, state, self._name)  # as float32, whatever the file has
        return tower

    def _read(self) -> dict[str, dict[str, Tensor]]:
        """The tensors of both towers by their names there."""
        path = self._spec.weights.path
        assert path is not None  # noqa: S101 - `source_of` sees to it
        state = {name: one for name, one in state_of(read_archive(path), str(path)).items() if name not in UNREAD}
        check_state(skeleton(self._spec.config), state, self._name)
        return {
            "vision": {name.removeprefix(IMAGE): one for name, one in state.items() if name.startswith(IMAGE)},
            "text": {name: one for name, one in state.items() if not name.startswith(IMAGE)},
        }

    @property
    def _name(self) -> str:
        return f"weights {self._spec.weights.path} for backbone '{self._spec.name}'"


def skeleton(config: BackboneConfig) -> Mapping[str, Tensor]:
    """Every parameter of both towers by OpenAI's names: shapes without values."""
    with torch.device("meta"):
        vision, text = new_vision(config, quick_gelu=False), new_text(config, quick_gelu=False)
    return {**{f"{IMAGE}{name}": one for name, one in vision.state_dict().items()}, **text.state_dict()}


def new_vision(config: BackboneConfig, *, quick_gelu: bool) -> nn.Module:
    """An image tower as open_clip draws it."""
    from open_clip.transformer import VisionTransformer

    vision = config.vision
    sizes = (vision.image_size, vision.patch_size, vision.width, vision.layers, vision.heads, MLP_RATIO)
    made: nn.Module = VisionTransformer(*sizes, output_dim=config.embed_dim, act_layer=_activation(quick_gelu))
    return made


def new_text(config: BackboneConfig, *, quick_gelu: bool) -> nn.Module:
    """A text tower as open_clip draws it."""
    from open_clip.transformer import TextTransformer

    text = config.text
    sizes = (text.context_length, text.vocab_size, text.width, text.heads, text.layers, MLP_RATIO)
    made: nn.Module = TextTransformer(*sizes, output_dim=config.embed_dim, act_layer=_activation(quick_gelu))
    return made


def _activation(quick_gelu: bool) -> type[nn.Module]:
    from open_clip.transformer import QuickGELU

    chosen: type[nn.Module] = QuickGELU if quick_gelu else nn.GELU
    return chosen

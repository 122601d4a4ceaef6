"""The sizes of a backbone, as values that hash and compare; imports neither torch nor a library of models."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zsadbench.errors import UsageError
from zsadbench.tokens import CLIP_PIXELS

if TYPE_CHECKING:
    from zsadbench.tokens import BackboneKind, PixelNorm

DEMO = "demo"  # the small backbone that is shipped with its weights


@dataclass(frozen=True)
class VisionConfig:
    """Sizes of the image tower; `image_size` in pixels is that of its training."""

    image_size: int
    patch_size: int
    width: int
    layers: int
    heads: int

    @property
    def prefix_tokens(self) -> int:
        """The number of tokens before the patches: the class token."""
        return 1

    @property
    def block_products(self) -> int:
        """Multiply-accumulates of a block for one token in linear layers: four of the attention, eight of the MLP."""
        return 12 * self.width**2

    @property
    def attention_width(self) -> int:
        """The width of all heads of an attention together."""
        return self.width


@dataclass(frozen=True)
class TextConfig:
    """Sizes of the text tower."""

    context_length: int
    vocab_size: int
    width: int
    heads: int
    layers: int


@dataclass(frozen=True)
class BackboneConfig:
    """Sizes of both towers. `quick_gelu` is x·sigmoid(1.702x), with which OpenAI trained; else exact GELU."""

    name: str
    embed_dim: int
    quick_gelu: bool
    vision: VisionConfig
    text: TextConfig

    @property
    def kind(self) -> BackboneKind:
        """What the backbone is: a plain CLIP, another image–text pair, or an image encoder alone."""
        return "clip"

    @property
    def pixels(self) -> PixelNorm:
        """What images are normalised with."""
        return CLIP_PIXELS

    @property
    def activation(self) -> str:
        """The activation of the MLPs of the image tower."""
        return "quick_gelu" if self.quick_gelu else "gelu"

    @property
    def text_block_products(self) -> int:
        """Multiply-accumulates of a block of the text tower for one token in linear layers."""
        return 12 * self.text.width**2

    def joint_macs(self, patches: int) -> int:
        """Count what maps the tokens of an image into the joint space: projecting the class token and the patches."""
        return (1 + patches) * self.vision.width * self.embed_dim

    @property
    def default_weights(self) -> str:
        """The weights where the user names none; empty for none."""
        return DEMO if self.name == DEMO else "openai"

    @property
    def shipped(self) -> bool:
        """Whether a library ships the architecture by name; else it is from a file or from shapes."""
        return is_shipped(self.name)

    def sizes(self) -> dict[str, Any]:
        """All fields except the name, as plain values."""
        return {key: value for key, value in asdict(self).items() if key != "name"}


def is_shipped(name: str) -> bool:
    """Whether open_clip ships an architecture of this name."""
    return (shipped_folder() / f"{name}.json").is_file()


def shipped_folder() -> Path:
    """Find the folder of open_clip's architecture files."""
    spec = find_spec("open_clip")
    if spec is None or not spec.submodule_search_locations:
        raise UsageError("open_clip is not installed; run 'pip install open_clip_torch'")
    return Path(spec.submodule_search_locations[0]) / "model_configs"

"""AF-CLIP's options: the paper's ablations, and every place where paper and code differ.

The defaults are what the published code computes.
"""

from dataclasses import dataclass
from typing import Literal

from zsadbench.errors import UsageError
from zsadbench.types import Activation, PositionRule

HEADS, HEAD_WIDTH = 8, 64  # of the adapter

Tuning = Literal["adapter", "prompt", "prefix", "lora", "none"]


@dataclass(frozen=True)
class Options:
    """Settings of AF-CLIP and of its few-shot form, AF-CLIP+.

    `layers` are tapped blocks of a 24-block tower. `windows` are the odd sides, in patches, of the squares that are
    aggregated with a Gaussian of `window_sigma` patches; `renormalise_border` makes the weights inside the image sum to
    1 at its border. `context` learned vectors stand before the start token, or after it; 0 leaves the sentences
    unchanged. `tuning` is what is learned of the image side: the adapter, or in its place one of three changes of the
    encoder (see `tuning.py`), of `visual_prompts`, `prefix_length` or `lora_rank`, or nothing. `alignment` pools the
    pairs of equal patches, as published, or keeps normal and abnormal pairs separate, as the text reads, or is left
    out. `target_alias` gives the focal loss of the patches the gradient of the published code. AF-CLIP+ remembers
    `memory_layers`; `image_alpha` and `pixel_alpha` are the shares of the zero-shot results that are added.

    Raises:
        UsageError: a value is out of range or not known.
    """

    layers: tuple[int, ...] = (6, 12, 18, 24)
    windows: tuple[int, ...] = (1, 3, 5)
    window_sigma: float = 4.0
    renormalise_border: bool = False
    context: int = 12
    context_place: Literal["before_start", "after_start"] = "before_start"
    normal: str = "without defect."
    abnormal: str = "with defect."
    tuning: Tuning = "adapter"
    visual_prompts: int = 12
    prefix_length: int = 5
    lora_rank: int = 128
    temperature: float = 0.07
    pixel_weight: float = 1.0
    alignment: Literal["pooled", "separate", "none"] = "pooled"
    alignment_weight: float = 1.0
    focal_gamma: float = 4.0
    target_alias: bool = True
    memory_layers: tuple[int, ...] = (6, 12, 18, 24)
    image_alpha: float = 0.1
    pixel_alpha: float = 0.1
    position: PositionRule = "bilinear"
    activation: Activation = "native"

    def __post_init__(self) -> None:
        for name in ("layers", "memory_layers", "windows"):
            object.__setattr__(self, name, _distinct(name, getattr(self, name), odd=name == "windows"))
        if not self.normal.strip() or not self.abnormal.strip():
            raise UsageError("options 'normal' and 'abnormal' are sentences; they must not be empty")
        if self.temperature <= 0 or self.window_sigma <= 0:
            raise UsageError("options 'temperature' and 'window_sigma' must be positive")
        for name in ("context", "pixel_weight", "alignment_weight", "focal_gamma", "image_alpha", "pixel_alpha"):
            if getattr(self, name) < 0:
                raise UsageError(f"option '{name}' is {getattr(self, name)}; it must not be negative")
        for name in ("visual_prompts", "prefix_length", "lora_rank"):
            if getattr(self, name) < 1:
                raise UsageError(f"option '{name}' is {getattr(self, name)}; it must be 1 or more")

    @property
    def adapter(self) -> bool:
        """Whether the adapter is applied."""
        return self.tuning == "adapter"

    @property
    def inside(self) -> bool:
        """Whether the tuning works inside the image encoder."""
        return self.tuning in {"prompt", "prefix", "lora"}

    @property
    def blocks(self) -> tuple[int, ...]:
        """Every tapped block, in order of depth."""
        return tuple(sorted({*self.layers, *self.memory_layers}))


@dataclass(frozen=True)
class MemoryOptions:
    """Settings of AF-CLIP+'s memory alone; they mean the same as in `Options`.

    Raises:
        UsageError: a value is out of range.
    """

    layers: tuple[int, ...] = Options.memory_layers
    windows: tuple[int, ...] = Options.windows
    window_sigma: float = Options.window_sigma
    renormalise_border: bool = Options.renormalise_border
    position: PositionRule = Options.position
    activation: Activation = Options.activation

    def __post_init__(self) -> None:
        for name in ("layers", "windows"):
            object.__setattr__(self, name, _distinct(name, getattr(self, name), odd=name == "windows"))
        if self.window_sigma <= 0:
            raise UsageError("option 'window_sigma' must be positive")


def _distinct(option: str, values: tuple[int, ...], *, odd: bool) -> tuple[int, ...]:
    """Return the values in order.

    Raises:
        UsageError: there are none, or one is repeated or not allowed.
    """
    allowed = "odd whole numbers from 1 on" if odd else "blocks of 1..24"
    fits = all(value % 2 == 1 and value > 0 if odd else 1 <= value <= 24 for value in values)
    if not values or len(set(values)) < len(values) or not fits:
        raise UsageError(f"option '{option}' is {list(values)}; it takes distinct {allowed}, at least one")
    return tuple(sorted(values))

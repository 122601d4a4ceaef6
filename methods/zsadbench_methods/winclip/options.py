"""WinCLIP's options: every place where the two public implementations differ.

There is no official code. The defaults are what anomalib computes, which is close to the paper.
"""

from dataclasses import dataclass
from typing import Literal

from zsadbench.errors import UsageError
from zsadbench.types import Activation, PositionRule


@dataclass(frozen=True)
class Options:
    """Settings of WinCLIP and of its few-shot form, WinCLIP+.

    `scales` are the sides of the windows in patches. `templates` are the 22 `canonical` captions, or `anomalib`'s 21,
    of which one occurs twice; `period` ends every sentence with a period. `normalise_text` gives the mean text features
    unit length, which changes no score. `temperature` divides the cosines.

    `aggregation` says how the windows over a patch are averaged: `abnormal` takes the harmonic mean of their scores, so
    that one normal window keeps a patch normal; `normal` takes one minus the harmonic mean of their normal
    probabilities, and the arithmetic mean of their distances, so that one abnormal window makes a patch abnormal.
    `whole_image` counts the image as one more scale of the map. The score of an image is that of the `class_token`,
    with the largest distance of a patch in WinCLIP+, or the largest pixel of the `map`.

    WinCLIP+ compares windows, and with `patches` patch tokens too, with those of normal images. `fusion` takes the
    arithmetic mean of both maps, or half their harmonic mean; without normal images the latter halves the map.
    `first_window_shifted` compares the first window of a scale with those of the scale before it, an effect of the
    index in one of the public codes.

    Raises:
        UsageError: a value is out of range or not known.
    """

    scales: tuple[int, ...] = (2, 3)
    templates: Literal["anomalib", "canonical"] = "anomalib"
    period: bool = True
    normalise_text: bool = False
    temperature: float = 0.07
    aggregation: Literal["abnormal", "normal"] = "abnormal"
    whole_image: bool = True
    image_score: Literal["class_token", "map"] = "class_token"
    patches: bool = True
    fusion: Literal["mean", "harmonic"] = "mean"
    first_window_shifted: bool = False
    position: PositionRule = "bicubic_antialias"
    activation: Activation = "native"

    def __post_init__(self) -> None:
        if not self.scales or min(self.scales) < 1 or len(set(self.scales)) < len(self.scales):
            raise UsageError(f"option 'scales' is {list(self.scales)}; it takes distinct whole numbers from 1 on")
        if self.temperature <= 0:
            raise UsageError("option 'temperature' must be positive")
        object.__setattr__(self, "scales", tuple(sorted(self.scales)))

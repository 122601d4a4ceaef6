"""PromptAD's options: where paper and code differ, and ablations. The defaults are what the published code computes."""

from dataclasses import dataclass
from typing import Literal

from zsadbench.errors import UsageError
from zsadbench.types import Activation
from zsadbench_methods.promptad.names import CLS

COUNTS = ("normal_cls", "normal_seg", "abnormal", "context", "abnormal_context")


@dataclass(frozen=True)
class Options:
    """Settings of PromptAD.

    `normal_cls` and `normal_seg` are the numbers of learned normal contexts of both trainings, `abnormal` that of
    learned abnormal ones; `context` and `abnormal_context` are the lengths of a context in tokens. `pairing` decides
    which pairs of a normal and an abnormal context make sentences: sentence j has the normal context j modulo their
    number and the abnormal one j modulo theirs, as published (`modulo`), or every pair occurs once (`all`).
    `abnormal_place` puts abnormal contexts `before` the class word, as published, or `after` it, as in the paper.
    `states` are the written states of an anomaly: generic ones and those of the class, where there are any (`class`),
    or the former alone (`generic`).

    `memory_blocks` are two blocks of the image tower, counted in the tower itself (see `place_memory`); remembered are
    the patches after the `attention` of these blocks, or those that enter them (`input`). `values` takes the patches
    that are compared with text from the second path of value-value attention, else from the plain one.

    `temperature` multiplies cosines: CLIP's value as it is `stored`, a logarithm, or its exponential (`exp`). `fusion`
    combines text and memory: half their harmonic mean, or their mean. `resolution` is the side in pixels to which the
    map of the memory is enlarged before its maximum enters the image score; 0 for that of the input.

    `match_weight` weighs the distance between the means of written and learned abnormal features. `margin` is that of
    the triplet term; with `triplet` that term is taken per channel over all patches (`channels`), or per patch
    (`patches`).

    Raises:
        UsageError: a value is out of range.
    """

    normal_cls: int = 3
    normal_seg: int = 1
    abnormal: int = 4
    context: int = 4
    abnormal_context: int = 1
    pairing: Literal["modulo", "all"] = "modulo"
    abnormal_place: Literal["before", "after"] = "before"
    states: Literal["class", "generic"] = "class"
    memory_blocks: tuple[int, ...] = (4, 9)
    memory_point: Literal["attention", "input"] = "attention"
    values: bool = True
    temperature: Literal["stored", "exp"] = "stored"
    fusion: Literal["harmonic", "mean"] = "harmonic"
    resolution: int = 400
    match_weight: float = 0.001
    margin: float = 0.0
    triplet: Literal["channels", "patches"] = "channels"
    activation: Activation = "native"

    def __post_init__(self) -> None:
        small = next((name for name in COUNTS if getattr(self, name) < 1), None)
        if small:
            raise UsageError(f"option '{small}' is {getattr(self, small)}; it must be at least 1")
        blocks = self.memory_blocks
        if len(blocks) != 2 or len(set(blocks)) != 2 or min(blocks) < 1:
            raise UsageError(f"option 'memory_blocks' is {list(blocks)}; it takes two different blocks, counted from 1")
        object.__setattr__(self, "memory_blocks", tuple(sorted(blocks)))
        if self.resolution < 0 or self.match_weight < 0:
            raise UsageError("options 'resolution' and 'match_weight' must not be negative")

    def normal(self, part: str) -> int:
        """Return the number of learned normal contexts of a training."""
        return self.normal_cls if part == CLS else self.normal_seg

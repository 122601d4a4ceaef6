"""Evaluation protocols as values: frozen, hashed, printed, compared field by field.

Numbers made under two protocols are never averaged or ranked together. The core defines the strict
ones; a method brings its own `paper:NAME` on its card.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from zsadbench.errors import unknown


@dataclass(frozen=True)
class EvaluationProtocol:
    """Every choice between an image on disk and a number in a table.

    `smoothing` is the method's published Gaussian, or none; `unsmoothed` names targets on which the
    publication leaves it out. `map_size` is the input size of the run, or each mask's own size.
    `mask_resize` is nearest, the publications' bilinear or bicubic (cut at one half), or none.
    `aupro` is the variant that a comparison with the publication uses.
    `epochs` overrides the recipe per auxiliary set; empty means the recipe's own.
    """

    name: str
    preprocessing: Literal["rgb_first", "resize_first"] = "rgb_first"
    interpolation: str = "pillow-bicubic"
    mask_values: Literal["card", "nonzero"] = "card"
    mask_resize: Literal["nearest", "bilinear-half", "bicubic-half", "none"] = "nearest"
    map_size: Literal["input", "native"] = "input"
    map_resize: str = "bilinear, align_corners=false"
    smoothing: Literal["published", "none"] = "published"
    unsmoothed: tuple[str, ...] = ()
    image_score: str = "published"
    aupro: Literal["exact", "200_minmax", "200_max"] = "exact"
    fpr_limit: float = 0.3
    connectivity: int = 8
    averaging: str = "unweighted mean over classes"
    checkpoint: str = "last epoch"
    epochs: tuple[tuple[str, int], ...] = ()
    seeds: tuple[int, ...] = ()
    across_images: str = "none"

    @property
    def digest(self) -> str:
        """The first 12 hexadecimal digits of the SHA-256 of the canonical JSON of all fields."""
        text = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:12]


STRICT = (
    EvaluationProtocol("strict"),
    EvaluationProtocol("strict-raw", smoothing="none"),
    EvaluationProtocol("strict-native", map_size="native", mask_resize="none"),
)


def find_protocol(name: str, brought: Iterable[EvaluationProtocol] = ()) -> EvaluationProtocol:
    """Return the protocol called `name`, from the strict ones and those that methods brought.

    Raises:
        UsageError: no protocol has this name; the nearest one is named.
    """
    known = {protocol.name: protocol for protocol in (*STRICT, *brought)}
    if name not in known:
        raise unknown("protocol", name, known)
    return known[name]


def differing(left: EvaluationProtocol, right: EvaluationProtocol) -> dict[str, tuple[Any, Any]]:
    """Fields, the name apart, in which two protocols differ: field → (left, right)."""
    names = [field.name for field in fields(EvaluationProtocol) if field.name != "name"]
    pairs = {name: (getattr(left, name), getattr(right, name)) for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}

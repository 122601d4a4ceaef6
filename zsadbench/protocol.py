"""Evaluation protocols as values, which can be hashed, printed and compared field by field.

Results under different protocols are never averaged or ranked together. The strict protocols are defined here; the
card of a method defines its `paper:NAME`.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from zsadbench.errors import unknown
from zsadbench.tokens import Preprocessing

LATER = frozenset({"supports", "map_side"})  # fields that left the digests as they were


@dataclass(frozen=True)
class EvaluationProtocol:
    """Every choice that affects a result, from the image file to the number in a table.

    Attributes:
        name: the name on the command line and in records.
        preprocessing: whether images are resized before or after the conversion to RGB, or read as by OpenCV first (see
            `zsadbench.data.images.preprocess`).
        interpolation: how images are resized.
        mask_values: which grey values of a mask are anomalous: by the rule of the card, or all non-zero values.
        mask_resize: nearest neighbour, the same as OpenCV does it by way of 1024 pixels, bilinear or bicubic with
            threshold one half, or none.
        map_size: the size at which maps are evaluated: the input size of the run, or each mask's own size.
        map_resize: how maps are resized.
        smoothing: the Gaussian published with the method, or none.
        unsmoothed: targets on which the publication does not smooth.
        image_score: how the score of an image is computed.
        aupro: the variant of AUPRO that is compared with the publication.
        fpr_limit: the largest false positive rate in AUPRO.
        connectivity: the neighbours of a pixel that belong to the same region.
        averaging: how classes are averaged.
        checkpoint: which epoch is evaluated.
        epochs: (auxiliary set, epochs) that replace those of the recipe.
        seeds: the seeds of the publication.
        across_images: whether image scores may use statistics over all test images of a class: the `transductive`
            finishing step of a method that has one, or none.
        supports: how support images are preprocessed; empty for the way of all images.
        map_side: the side of the evaluated maps in pixels; 0 for that of `map_size`.
    """

    name: str
    preprocessing: Preprocessing = "rgb_first"
    interpolation: str = "pillow-bicubic"
    mask_values: Literal["card", "nonzero"] = "card"
    mask_resize: Literal["nearest", "opencv-1024-nearest", "bilinear-half", "bicubic-half", "none"] = "nearest"
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
    across_images: Literal["none", "transductive"] = "none"
    supports: Preprocessing | Literal[""] = ""
    map_side: int = 0

    @property
    def preprocessing_of_supports(self) -> Preprocessing:
        """How support images are preprocessed."""
        return self.supports or self.preprocessing

    @property
    def digest(self) -> str:
        """The first 12 hexadecimal digits of the SHA-256 of the canonical JSON of all fields but empty `LATER` ones."""
        named = {name: value for name, value in asdict(self).items() if value or name not in LATER}
        text = json.dumps(named, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:12]


STRICT = (
    EvaluationProtocol("strict"),
    EvaluationProtocol("strict-raw", smoothing="none"),
    EvaluationProtocol("strict-native", map_size="native", mask_resize="none"),
)


def find_protocol(name: str, of_methods: Iterable[EvaluationProtocol] = ()) -> EvaluationProtocol:
    """Return the protocol `name`, a strict one or one of `of_methods`.

    Raises:
        UsageError: no protocol has this name; the message gives the nearest name.
    """
    known = {protocol.name: protocol for protocol in (*STRICT, *of_methods)}
    if name not in known:
        raise unknown("protocol", name, known)
    return known[name]


def differing(left: EvaluationProtocol, right: EvaluationProtocol) -> dict[str, tuple[Any, Any]]:
    """Compare two protocols: field → (left, right), for all fields that differ except the name."""
    names = [field.name for field in fields(EvaluationProtocol) if field.name != "name"]
    pairs = {name: (getattr(left, name), getattr(right, name)) for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}

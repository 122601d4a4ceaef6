"""The sentences of WinCLIP's compositional prompt ensemble: 7 normal and 4 abnormal states in 22 captions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zsadbench_methods.parts.states import NORMAL, fill

if TYPE_CHECKING:
    from zsadbench_methods.winclip.options import Options

ABNORMAL = ("damaged {}", "{} with flaw", "{} with defect", "{} with damage")

_PHOTOS = (
    *("a cropped photo of", "a close-up photo of", "a bright photo of", "a dark photo of"),
    *("a jpeg corrupted photo of", "a blurry photo of", "a photo of"),
)
_SIZES = tuple(f"a photo of {article} {size} {{}}" for size in ("small", "large") for article in ("a", "the"))
_ENDS = ("for visual inspection", "for anomaly detection")
CANONICAL = (
    *(f"{photo} {article} {{}}" for photo in _PHOTOS for article in ("a", "the")),
    *_SIZES,
    *(f"a photo of {article} {{}} {end}" for end in _ENDS for article in ("a", "the")),
)
CORRUPTED = "a jpeg corrupted photo of the {}"
ANOMALIB = (  # one caption is missing, and one occurs twice
    *(caption for caption in CANONICAL if caption not in {"a cropped photo of a {}", "a jpeg corrupted photo of a {}"}),
    CORRUPTED,
)


def sentences_of(options: Options, class_name: str) -> tuple[list[str], list[str]]:
    """Write the normal and the abnormal sentences of a class."""
    captions = ANOMALIB if options.templates == "anomalib" else CANONICAL
    templates = [f"{caption}." if options.period else caption for caption in captions]
    return fill(NORMAL, templates, class_name), fill(ABNORMAL, templates, class_name)

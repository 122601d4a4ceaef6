"""Fit a threshold on a user's images with a loaded method, and check one on new images."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from zsadbench.data import images_of
from zsadbench.data.user_images.folder import PREFIX, is_labelled
from zsadbench.data.user_images.table import PREFIX as TABLE_PREFIX
from zsadbench.data.user_images.target import UserImage
from zsadbench.engine.record.provenance import machine_of, provenance
from zsadbench.errors import DataError, UsageError
from zsadbench.files import file_sha256
from zsadbench.predict.detector import LoadedMethod
from zsadbench.predict.detector_facts import detector_facts
from zsadbench.predict.scoring import Failed, ImageScorer
from zsadbench.predict.tiles import Tiles
from zsadbench.thresholds import (
    Agreement,
    Level,
    Threshold,
    agreement_of,
    conformal_threshold,
    images_needed,
    is_above,
    recall_of,
)

log = logging.getLogger(__name__)

LEVELS = ("image", "pixel")
IN_FILE = ("methods", "options", "backbone", "weights", "checkpoint", "aux", "image_size")  # fields of a request


class Values(NamedTuple):
    """What thresholds are applied to: the score of an image, and the largest value of its anomaly map."""

    image: float
    pixel: float


@dataclass(frozen=True)
class ThresholdImages:
    """The images of a fit, by SHA-256: copies count once."""

    normal: Mapping[str, Path]
    defective: Mapping[str, Path]


def find_images(
    normal: Sequence[str], defective: Sequence[str], alpha: float, supports: Sequence[Path] = ()
) -> ThresholdImages:
    """List the images of a fit, and check that they are enough; nothing is scored.

    Args:
        normal: folders of normal images, or single images.
        defective: folders of defective images; empty if there are none.
        alpha: the false-alarm rate.
        supports: reference images of a few-shot method, which do not count.

    Raises:
        UsageError: alpha is not between 0 and 1, or a name is `folder:PATH` or `csv:PATH`.
        DataError: a folder is missing, empty or holds both kinds, an image is among both, or there are too few.
    """
    needed = images_needed(alpha)
    normals = without_reference(unique_images(normal, "--normal"), supports)
    found = ThresholdImages(normals, unique_images(defective, "--defective"))
    both = found.normal.keys() & found.defective.keys()
    if both:
        one = min(both)
        raise DataError(f"'{found.defective[one]}' is a defective image and, as '{found.normal[one]}', a normal one")
    if len(found.normal) < needed:
        conformal_threshold([0.0] * len(found.normal), alpha)  # raises with the number needed
    return found


def unique_images(names: Sequence[str], flag: str) -> dict[str, Path]:
    """List images by the SHA-256 of their files; copies count once, with a warning.

    Raises:
        UsageError: a name is `folder:PATH` or `csv:PATH`.
        DataError: a folder is missing or empty, or has one folder of normal images beside others.
    """
    for name in names:
        if name.startswith((PREFIX, TABLE_PREFIX)):
            raise UsageError(f"{flag} '{name}': give a folder of images; --class-name sets the word in prompts")
        if Path(name).is_dir() and is_labelled(Path(name)):
            raise DataError(f"{flag} '{name}' holds normal and defective images in separate folders; give one of these")
    paths = list(images_of(names)) if names else []
    found: dict[str, Path] = {}
    for path in paths:
        found.setdefault(_hash(path), path)
    if len(found) < len(paths):
        log.warning(
            "%s: %d of %d images are copies of others and count once", flag, len(paths) - len(found), len(paths)
        )
    return found


def _hash(path: Path) -> str:
    try:
        return file_sha256(path)
    except OSError as failure:
        raise DataError(f"'{path}' cannot be read: {failure.strerror or failure}") from failure


def score_images(scorer: ImageScorer, paths: Iterable[Path], word: str) -> Iterator[Values | DataError]:
    """Score images in their order, as `predict` does; one that cannot be read or scored gives an error."""
    for result in scorer(UserImage(path, word, path.name) for path in paths):
        if isinstance(result, Failed):
            yield DataError(result.reason)
        else:
            yield Values(result.score, float(result.map.max()))


def without_reference(images: Mapping[str, Path], supports: Sequence[Path]) -> dict[str, Path]:
    """Return images without those that a few-shot method compares with, whose scores are too low; says how many."""
    known = {_hash(path) for path in supports}
    kept = {sha256: path for sha256, path in images.items() if sha256 not in known}
    if len(kept) < len(images):
        log.warning("%d images are reference images and do not count", len(images) - len(kept))
    return kept


def all_read(values: Iterable[Values | DataError]) -> list[Values]:
    """Return the values of all images.

    Raises:
        DataError: images could not be read; all are named.
    """
    scored = list(values)
    failures = [str(value) for value in scored if isinstance(value, DataError)]
    if failures:
        raise DataError("\nerror: ".join([*failures, "no threshold without these images; repair or remove them"]))
    return [value for value in scored if isinstance(value, Values)]


def fit_threshold(
    detector: LoadedMethod,
    images: ThresholdImages,
    values: Sequence[Values],
    alpha: float,
    *,
    word: str,
    request: Mapping[str, Any],
    reference: str | None = None,
    tiles: Tiles | None = None,
) -> Threshold:
    """Fit the thresholds of both levels.

    Args:
        detector: the loaded method.
        images: what was scored.
        values: of the normal images, followed by those of the defective ones.
        alpha: the false-alarm rate.
        word: in prompts.
        request: the flags that the detector was loaded with, by the names of fields.
        reference: the digest of the reference images; None without.
        tiles: how images were cut; None where they were scored whole.
    """
    number = len(images.normal)
    levels = {}
    for level in LEVELS:
        normal = [getattr(value, level) for value in values[:number]]
        defective = [getattr(value, level) for value in values[number:]]
        recall = recall_of(normal, defective, alpha) if defective else None
        levels[level] = Level(conformal_threshold(normal, alpha), recall)
    named = {"normal": images.normal, "defective": images.defective}
    return Threshold(
        detector_facts(detector, word, reference=reference, tiles=(tiles.side, tiles.overlap) if tiles else None),
        levels["image"],
        levels["pixel"],
        {kind: {"images": len(found), "sha256": sorted(found)} for kind, found in named.items() if found},
        {name: _plain(request[name]) for name in IN_FILE if request.get(name)},
        provenance(machine_of(detector.backbone.device)),
    )


def check_threshold(threshold: Threshold, values: Sequence[Values]) -> dict[str, Agreement]:
    """Compare the false alarms on new normal images with what a threshold promises, for each level."""
    agreements = {}
    for level in LEVELS:
        fit = getattr(threshold, level).fit
        above = sum(is_above(getattr(value, level), fit.threshold) for value in values)
        agreements[level] = agreement_of(above, len(values), alpha=fit.alpha, normal=fit.normal, rank=fit.rank)
    return agreements


def _plain(value: Any) -> Any:
    """Return the value of a field as JSON has it."""
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value if isinstance(value, int) else str(value)

"""Images of a target without a map: refuse them, or leave them out; every one is named."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence

from zsadbench.errors import MANY, DataError
from zsadbench.saved_maps.folder import SCORES, MapFolder
from zsadbench.saved_maps.ground_truth import GroundTruth

log = logging.getLogger(__name__)


def images_of(truth: GroundTruth, classes: Sequence[str]) -> list[str]:
    """Return the relative paths of all images of these classes."""
    return [relative for name in classes for relative in truth.rows(name)["relative"]]


def check_missing(
    folder: MapFolder,
    mapped: Iterable[str],
    truth: GroundTruth,
    classes: Sequence[str],
    *,
    allow_partial: bool,
    scores: bool = True,
) -> dict[str, list[str]]:
    """Find the images without a map, or without a score where the folder has scores; every one is named in the log.

    A data set without masks needs no maps if the folder has scores.

    Args:
        folder: of the maps.
        mapped: relative paths of the images that have a map.
        truth: the images.
        classes: those to measure.
        allow_partial: whether such images may be left out.
        scores: whether scores are needed at all.

    Raises:
        DataError: there are some and `allow_partial` is off, or a class would have no image left.
    """
    scored = folder.scores if scores else None
    needed = [frozenset(mapped)] if truth.target.card.pixel_level or scored is None else []
    needed += [frozenset(scored)] if scored is not None else []
    images = {name: images_of(truth, [name]) for name in classes}
    complete = frozenset.intersection(*needed)
    missing = {name: [path for path in paths if path not in complete] for name, paths in images.items()}
    missing = {name: lacking for name, lacking in missing.items() if lacking}
    if not missing:
        return {}
    empty = [name for name, lacking in missing.items() if len(lacking) == len(images[name])]
    if not allow_partial or empty:
        total = sum(map(len, images.values()))
        raise _missing_error(folder, missing, total, empty if allow_partial else [], scored=scored is not None)
    for lacking in missing.values():
        for relative in lacking:
            log.warning("left out, for it has no map%s: %s", " or no score" if scored is not None else "", relative)
    return missing


def _missing_error(
    folder: MapFolder, missing: Mapping[str, list[str]], images: int, empty: Sequence[str], *, scored: bool
) -> DataError:
    """Make the error that names the missing images; those beyond the first few are named in the log.

    Args:
        folder: of the maps.
        missing: relative paths by class.
        images: number of images of all classes.
        empty: classes without any image left, where images may be left out.
        scored: whether the folder has scores.
    """
    lacks = f"map, or no score in {SCORES}," if scored else "map"
    needs = f"a map and a score in {SCORES}" if scored else "a map"
    paths = [relative for lacking in missing.values() for relative in lacking]
    if empty:
        return DataError(
            f"no image of {', '.join(empty)} has {needs} in '{folder.root}'; choose other classes with --class"
        )
    if len(paths) == images:
        return DataError(
            f"no image has {needs} in '{folder.root}'; expected, for example, '{folder.root / paths[0]}.npy' "
            "(or .npz, .tiff, 16-bit .png)"
        )
    for relative in paths[MANY:]:
        log.warning("no %s for %s", lacks.rstrip(","), relative)
    named = ", ".join(paths[:MANY]) + (f" and {len(paths) - MANY} more, named above" if len(paths) > MANY else "")
    by_class = ", ".join(f"{name} {len(lacking)}" for name, lacking in missing.items())
    return DataError(
        f"{len(paths)} of {images} images have no {lacks} in '{folder.root}' ({by_class}): {named}. "
        "Add them, or pass --allow-partial to leave these images out (the record says so)."
    )

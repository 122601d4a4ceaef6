"""Images of a target for which a folder has no map: named, and refused or left out."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence

from zsadbench.errors import MANY, DataError
from zsadbench.saved_maps.folder import SCORES, MapFolder
from zsadbench.saved_maps.ground_truth import GroundTruth

log = logging.getLogger(__name__)


def images_of(truth: GroundTruth, classes: Sequence[str]) -> list[str]:
    """The relative paths of all images of some classes."""
    return [relative for name in classes for relative in truth.rows(name)["relative"]]


def check_missing(
    folder: MapFolder,
    found: Iterable[str],
    truth: GroundTruth,
    classes: Sequence[str],
    *,
    allow_partial: bool,
    scores: bool = True,
) -> dict[str, list[str]]:
    """The images without a map, or without a score where there are scores, by class; each is named in the log.

    A set without masks needs no maps where all images have scores. With `scores` off, only maps are looked for.

    Raises:
        DataError: there are some and that is not allowed, or nothing is left of a class.
    """
    scored = folder.scores if scores else None
    needed = [frozenset(found)] if truth.target.card.pixel_level or scored is None else []
    needed += [frozenset(scored)] if scored is not None else []
    images = {name: images_of(truth, [name]) for name in classes}
    missing = {name: [one for one in of if any(one not in kind for kind in needed)] for name, of in images.items()}
    missing = {name: lacking for name, lacking in missing.items() if lacking}
    if not missing:
        return {}
    emptied = [name for name, lacking in missing.items() if len(lacking) == len(images[name])]
    if not allow_partial or emptied:
        what = "map" if scored is None else f"map, or no score in {SCORES},"
        raise _too_few(folder, what, missing, sum(map(len, images.values())), emptied if allow_partial else [])
    for lacking in missing.values():
        for one in lacking:
            log.warning("left out, for it has no map%s: %s", " or no score" if scored is not None else "", one)
    return missing


def _too_few(
    folder: MapFolder, what: str, missing: Mapping[str, list[str]], images: int, emptied: Sequence[str]
) -> DataError:
    names = [one for lacking in missing.values() for one in lacking]
    if emptied:
        return DataError(
            f"no image of {', '.join(emptied)} has a {what} in '{folder.root}'; choose other classes with --class"
        )
    if len(names) == images:
        return DataError(
            f"no image has a {what} in '{folder.root}'; expected, for example, '{folder.root / names[0]}.npy' "
            "(or .npz, .tiff, 16-bit .png)"
        )
    for one in names[MANY:]:
        log.warning("no %s for %s", what.rstrip(","), one)
    shown = ", ".join(names[:MANY]) + (f" and {len(names) - MANY} more, named above" if len(names) > MANY else "")
    by_class = ", ".join(f"{name} {len(lacking)}" for name, lacking in missing.items())
    return DataError(
        f"{len(names)} of {images} images have no {what} in '{folder.root}' ({by_class}): {shown}. "
        "Add them, or pass --allow-partial to leave these images out (the record says so)."
    )

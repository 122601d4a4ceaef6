"""What records already hold: finished classes are not evaluated again."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from zsadbench.engine.plan.request import RunRequest
from zsadbench.errors import DataError, ZsadError
from zsadbench.records import Record, map_path, read_images, read_record

if TYPE_CHECKING:
    from zsadbench.data import Dataset

log = logging.getLogger(__name__)


def selected_classes(request: RunRequest, target: Dataset) -> tuple[str, ...]:
    """The classes of a copy that are asked for.

    Raises:
        DataError: the copy has none of them.
    """
    selected = tuple(name for name in target.classes if not request.classes or name in request.classes)
    absent = [name for name in request.classes if name in target.card.classes and name not in selected]
    if absent:
        log.warning("%s: this copy has no image of %s", target.card.name, ", ".join(absent))
    if not selected:
        raise DataError(f"{target.card.name}: this copy has no image of {', '.join(request.classes)}")
    return selected


def record_so_far(request: RunRequest, path: Path) -> tuple[Record | None, str]:
    """The record so far, None if there is none or it shall be made anew; or why the file is no record."""
    if not path.is_file() or request.overwrite == "always":
        return None, ""
    try:
        return read_record(path), ""
    except ZsadError as failure:
        return None, f"{failure}; move it away, or pass --overwrite always to replace it"


def classes_done(request: RunRequest, record: Record | None, path: Path, wanted: frozenset[str]) -> set[str]:
    """The classes of a record that need nothing more: every metric and, if asked for, every map is there."""
    if record is None:
        return set()
    if request.overwrite == "never":
        return set(record.expected)
    measured = {name for name, row in record.classes.items() if wanted <= row.keys()}
    return measured & _mapped(path) if request.save_maps else measured


def _mapped(path: Path) -> set[str]:
    """The classes of which every image that the record at `path` counts has its map beside it."""
    images = read_images(path)
    if images is None:
        return set()
    there = images["path"].map(lambda relative: map_path(path.with_suffix(".maps"), relative).is_file())
    return set(images["class"]) - set(images.loc[~there, "class"])

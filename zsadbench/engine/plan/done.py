"""Find the classes that a record already holds, so that they are not evaluated again."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from zsadbench.engine.plan.request import RunRequest
from zsadbench.errors import DataError, ZsadError
from zsadbench.records import Cell, Record, identity, is_stale, map_path, read_images, read_record, stale_records

if TYPE_CHECKING:
    from zsadbench.data import Dataset

log = logging.getLogger(__name__)


def selected_classes(request: RunRequest, target: Dataset) -> tuple[str, ...]:
    """Return the classes of the request of which this copy of the target has images, in the card's order.

    Raises:
        DataError: it has images of none of them.
    """
    selected = tuple(name for name in target.classes if not request.classes or name in request.classes)
    absent = [name for name in request.classes if name in target.card.classes and name not in selected]
    if absent:
        log.warning("%s: this copy has no image of %s", target.card.name, ", ".join(absent))
    if not selected:
        raise DataError(f"{target.card.name}: this copy has no image of {', '.join(request.classes)}")
    return selected


def record_so_far(request: RunRequest, path: Path) -> tuple[Record | None, str]:
    """Return the record at `path`, None if there is none or it is to be replaced; and why it cannot be used, if so."""
    if blocked := _blocking(request.out, path):
        return None, f"record '{path}' cannot be written: {blocked}; move it away"
    if not path.is_file() or request.overwrite == "always":
        return None, ""
    try:
        record = read_record(path)
        if identity(record.cell)[:16] != path.stem:
            raise ZsadError(f"{path}: it is the record {identity(record.cell)[:16]} under another name")
    except ZsadError as failure:
        return None, f"{failure}; move it away, or pass --overwrite always to replace it"
    return record, ""


def _blocking(out: Path, path: Path) -> str:
    """Say what lies where a record, a file beside it or a folder above it should be; empty if nothing does."""
    above = next((folder for folder in path.parents if folder != out and folder.exists() and not folder.is_dir()), None)
    if above is not None:
        return f"'{above}' is a file"
    folders = sorted(
        file for file in path.parent.glob(f"{path.stem}.*") if file.suffix not in {".maps", ".shards"} and file.is_dir()
    )
    return f"'{folders[0]}' is a folder" if folders else ""


def warn_of_stale(out: Path, cells: Iterable[Cell]) -> None:
    """Warn once if records of an earlier identity scheme are below `out`; `cells` are those of the records to make."""
    stale = [] if all(map(is_stale, cells)) else stale_records(out)
    if stale:
        log.warning(
            "%d records in '%s' are of an earlier identity scheme (first '%s'): they stay and are reported; "
            "what they hold is measured again into new records",
            *(len(stale), out, stale[0]),
        )


def classes_done(request: RunRequest, record: Record | None, path: Path, metrics: frozenset[str]) -> set[str]:
    """Return the classes that need no further evaluation.

    Those with all `metrics`, and with all anomaly maps if the request saves maps; with --overwrite never, all classes
    of an existing record.
    """
    if record is None:
        return set()
    if request.overwrite == "never":
        return set(record.expected)
    measured = {name for name, values in record.classes.items() if metrics <= values.keys()}
    return measured & _classes_with_maps(path) if request.save_maps else measured


def _classes_with_maps(path: Path) -> set[str]:
    """Return the classes for which every image of the record at `path` has its saved anomaly map."""
    images = read_images(path)
    if images is None:
        return set()
    exists = images["path"].map(lambda relative: map_path(path.with_suffix(".maps"), relative).is_file())
    return set(images["class"]) - set(images.loc[~exists, "class"])

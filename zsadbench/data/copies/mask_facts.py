"""What each mask of a set holds, decoded once a copy and kept in the cache."""

import hashlib
import json
import logging
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np
import pandas as pd

from zsadbench.clip import cache_folder
from zsadbench.data.cards.card import Positive
from zsadbench.data.images.masks import grey_values, is_positive
from zsadbench.errors import DataError
from zsadbench.files import write_atomically

log = logging.getLogger(__name__)

VERSION = 1  # of the facts and of the file
MANY = 1000  # masks whose decoding is worth a word


class MaskFacts(NamedTuple):
    """Height, width, anomalous pixels, and the grey values 0..255 that occur, ascending."""

    height: int
    width: int
    anomalous: int
    greys: tuple[int, ...]


Facts: TypeAlias = list[MaskFacts | None]


def mask_facts(masks: Sequence[str], positive: Positive) -> Facts:
    """The facts of every mask file, in order; None for an empty name, and for what cannot be decoded.

    Decoded in threads and kept under the files' names, sizes and times of change, and the rule `positive`.
    """
    named = [path for path in masks if path]
    place = cache_folder() / "masks" / f"{_stamp(named, positive)}.json"
    known = _kept(place, len(named))
    if known is None:
        if len(named) >= MANY:
            log.warning(
                "decoding %d masks, once for this copy: their statistics are part of its fingerprint", len(named)
            )
        with ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="zsadbench-mask") as pool:
            known = list(pool.map(lambda path: _look(path, positive), named))
        _keep(place, known)
    found = iter(known)
    return [next(found) if path else None for path in masks]


def lines_of(manifest: pd.DataFrame, facts: Facts) -> list[str]:
    """One line a mask that could be decoded, sorted: its image's relative path and the facts."""
    pairs = zip(manifest["relative"], facts, strict=True)
    return sorted(json.dumps([relative, *fact]) for relative, fact in pairs if fact is not None)


def _look(path: str, positive: Positive) -> MaskFacts | None:
    try:
        grey = grey_values(path)
    except DataError:
        return None
    values = grey.values
    greys = np.flatnonzero(np.bincount(values.ravel(), minlength=256)).tolist()
    height, width = values.shape
    return MaskFacts(height, width, int(np.count_nonzero(is_positive(grey, positive))), tuple(greys))


def _stamp(paths: Sequence[str], positive: Positive) -> str:
    told = hashlib.sha256(json.dumps([VERSION, positive]).encode())
    for path in paths:
        try:
            about = os.stat(path)  # noqa: PTH116  (a Path for each of 100 000 files costs more than the call)
        except OSError:
            told.update(f"\n{path!r} gone".encode())
        else:
            told.update(f"\n{path!r} {about.st_size} {about.st_mtime_ns} {about.st_ino}".encode())
    return told.hexdigest()


def _kept(place: Path, number: int) -> Facts | None:
    """What the cache has of these very files; None where it has nothing, or nothing sound."""
    try:
        rows = json.loads(place.read_bytes())
        facts = [None if row is None else _read(*row) for row in rows]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as failure:
        log.info("'%s' is broken and is made anew: %s", place, failure)
        return None
    return facts if len(facts) == number else None


def _read(height: int, width: int, anomalous: int, greys: Sequence[int]) -> MaskFacts:
    return MaskFacts(int(height), int(width), int(anomalous), tuple(map(int, greys)))


def _keep(place: Path, facts: Facts) -> None:
    try:
        write_atomically(place, json.dumps(facts).encode())
    except OSError as failure:
        log.info("the statistics of masks are not kept: %s", failure)

"""Facts about each mask of a copy: size, anomalous pixels and grey values. Masks are decoded once and cached."""

import hashlib
import json
import logging
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from zsadbench.clip import cache_folder
from zsadbench.data.cards.card import PositiveRule
from zsadbench.data.images.mask_values import read_grey_mask
from zsadbench.data.images.masks import is_positive
from zsadbench.errors import DataError
from zsadbench.files import DAMAGED, write_atomically

log = logging.getLogger(__name__)

VERSION = 2  # of the facts and of the cache file
MANY = 1000  # masks; decoding more than these is announced


class MaskFacts(NamedTuple):
    """Height and width, the number of anomalous pixels, and the grey values 0..255 that occur, ascending."""

    height: int
    width: int
    anomalous: int
    greys: tuple[int, ...]


def mask_facts(masks: Sequence[str], positive: PositiveRule) -> list[MaskFacts | None]:
    """The facts of every mask file, in order; None for an empty path and for a mask that cannot be decoded.

    The masks are decoded by several threads. The cache key is made of the paths, sizes and times of the files
    and of the rule `positive`.
    """
    paths = [path for path in masks if path]
    cache_file = cache_folder() / "masks" / f"{_cache_key(paths, positive)}.json"
    facts = _read_cache(cache_file, len(paths))
    if facts is None:
        if len(paths) >= MANY:
            log.warning(
                "decoding %d masks, once for this copy: their statistics are part of its fingerprint", len(paths)
            )
        with ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="zsadbench-mask") as pool:
            facts = list(pool.map(lambda path: _decode(path, positive), paths))
        try:
            write_atomically(cache_file, json.dumps(facts).encode())
        except OSError as failure:
            log.info("the statistics of masks are not kept: %s", failure)
    in_order = iter(facts)
    return [next(in_order) if path else None for path in masks]


def fact_lines(manifest: pd.DataFrame, facts: Sequence[MaskFacts | None]) -> list[str]:
    """One JSON line per decoded mask, sorted: the relative path of its image, and the facts."""
    pairs = zip(manifest["relative"], facts, strict=True)
    return sorted(json.dumps([relative, *fact]) for relative, fact in pairs if fact is not None)


def _decode(path: str, positive: PositiveRule) -> MaskFacts | None:
    try:
        grey = read_grey_mask(path)
    except DataError:
        return None
    height, width = grey.values.shape
    greys = np.flatnonzero(np.bincount(grey.values.ravel(), minlength=256)).tolist()
    return MaskFacts(height, width, int(np.count_nonzero(is_positive(grey, positive))), tuple(greys))


def _cache_key(paths: Sequence[str], positive: PositiveRule) -> str:
    digest = hashlib.sha256(json.dumps([VERSION, positive]).encode())
    for path in paths:
        try:
            status = os.stat(path)  # noqa: PTH116  (a Path for each of 100 000 files costs more than the call)
        except OSError:
            digest.update(f"\n{path!r} gone".encode())
        else:
            times = f"{status.st_mtime_ns} {status.st_ctime_ns}"
            digest.update(f"\n{path!r} {status.st_size} {times} {status.st_ino}".encode())
    return digest.hexdigest()


def _read_cache(file: Path, number: int) -> list[MaskFacts | None] | None:
    """The cached facts of `number` masks; None if there are none, or if the file is broken."""
    try:
        rows = json.loads(file.read_bytes())
        facts = [None if row is None else _mask_facts_of(*row) for row in rows]
    except FileNotFoundError:
        return None
    except DAMAGED as failure:
        log.info("'%s' is broken and is written again: %s", file, failure)
        return None
    return facts if len(facts) == number else None


def _mask_facts_of(height: int, width: int, anomalous: int, greys: Sequence[int]) -> MaskFacts:
    return MaskFacts(int(height), int(width), int(anomalous), tuple(map(int, greys)))

"""The perceptual hashes of a set's images, computed once a copy and kept in the cache."""

import hashlib
import io
import logging
import os
import zipfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from zsadbench.clip import cache_folder
from zsadbench.data.copies.dataset import Dataset
from zsadbench.data.images.perceptual_hash import BITS, DETAIL, LEAST, Hashes, perceptual_hash
from zsadbench.data.images.preprocess import read_image
from zsadbench.errors import DataError
from zsadbench.files import write_atomically

log = logging.getLogger(__name__)

VERSION = 1  # of the hash and of the file
UNREADABLE = -1
BROKEN = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile)


@dataclass(frozen=True)
class Hashed:
    """Images that can be compared: `paths` relative to the root, and their hashes, uint8 (n, 32).

    `flat` counts images in which there is too little to see, `unreadable` those that cannot be opened.
    """

    paths: tuple[str, ...]
    hashes: Hashes
    flat: int
    unreadable: int


def hash_images(dataset: Dataset, rows: pd.DataFrame | None = None, workers: int = 2) -> Hashed:
    """The hashes of a set's images; of the images of some `rows` of its manifest alone, where these are given.

    Those of a whole set come from the cache, or go there. What cannot be opened is counted, not raised.
    """
    whole = dataset.manifest.sort_values("relative")
    known = _from_cache(dataset, whole)
    if known is None and rows is not None and len(rows) < len(whole):
        return _comparable(rows["relative"].tolist(), *_compute(rows["path"].tolist(), workers))
    if known is None:
        log.info("%s: hashing %d images, to find them in other sets", dataset.card.name, len(whole))
        known = _compute(whole["path"].tolist(), workers)
        _keep(dataset, whole, *known)
    wanted = np.ones(len(whole), dtype=bool) if rows is None else whole["relative"].isin(rows["relative"]).to_numpy()
    return _comparable(whole["relative"][wanted].tolist(), known[0][wanted], known[1][wanted])


def _comparable(paths: Sequence[str], hashes: Hashes, details: NDArray[np.int16]) -> Hashed:
    good = details >= DETAIL
    unreadable = int((details == UNREADABLE).sum())
    kept = tuple(path for path, wanted in zip(paths, good, strict=True) if wanted)
    return Hashed(kept, hashes[good], int((~good).sum()) - unreadable, unreadable)


def _compute(paths: Sequence[str], workers: int) -> tuple[Hashes, NDArray[np.int16]]:
    """Hashes, uint8 (n, 32), and details, int16 (n,)."""
    with ThreadPoolExecutor(max(1, workers), thread_name_prefix="zsadbench-hash") as pool:
        looks = list(pool.map(_look, paths))
    hashes = np.array([bits for bits, _ in looks], dtype=np.uint8).reshape(-1, BITS // 8)
    return hashes, np.array([detail for _, detail in looks], dtype=np.int16)


def _look(path: str) -> tuple[NDArray[np.uint8], int]:
    try:
        return perceptual_hash(read_image(path, LEAST))
    except DataError:
        return np.zeros(BITS // 8, dtype=np.uint8), UNREADABLE


def _file(dataset: Dataset) -> Path:
    return cache_folder() / "hashes" / f"{dataset.fingerprint}.npz"


def _stamp(rows: pd.DataFrame) -> str:
    """SHA-256 over every file's name, size and time of change: the fingerprint says less of what is in them."""
    told = hashlib.sha256(f"{VERSION}".encode())
    for relative, path in rows[["relative", "path"]].itertuples(index=False):
        try:
            about = os.stat(path)  # noqa: PTH116  (a Path for each of 100 000 files costs more than the call)
        except OSError:
            told.update(f"\n{relative!r} gone".encode())
        else:
            told.update(f"\n{relative!r} {about.st_size} {about.st_mtime_ns}".encode())
    return told.hexdigest()


def _from_cache(dataset: Dataset, rows: pd.DataFrame) -> tuple[Hashes, NDArray[np.int16]] | None:
    """What the cache has of these very files, one row an image; None where it has nothing, or nothing sound."""
    path = _file(dataset)
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            hashes, details, stamp = (archive[name] for name in ("hashes", "details", "stamp"))
    except FileNotFoundError:
        return None
    except BROKEN as failure:
        log.info("'%s' is broken and is made anew: %s", path, failure)
        return None
    sound = hashes.shape == (len(rows), BITS // 8) and hashes.dtype == np.uint8
    sound = sound and details.shape == (len(rows),) and details.dtype == np.int16
    return (hashes, details) if sound and str(stamp) == _stamp(rows) else None


def _keep(dataset: Dataset, rows: pd.DataFrame, hashes: Hashes, details: NDArray[np.int16]) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, hashes=hashes, details=details, stamp=np.array(_stamp(rows)))
    try:
        write_atomically(_file(dataset), buffer.getvalue())
    except OSError as failure:
        log.info("the hashes of %s are not kept: %s", dataset.card.name, failure)

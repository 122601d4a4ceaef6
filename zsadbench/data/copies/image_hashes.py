"""Perceptual hashes of the images of a copy, computed once per copy and cached."""

import hashlib
import io
import logging
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from zsadbench.clip import cache_folder
from zsadbench.data.copies.dataset import Dataset
from zsadbench.data.images.perceptual_hash import (
    BITS,
    DETAIL,
    MIN_SIDE,
    Hashes,
    PerceptualHash,
    perceptual_hash,
)
from zsadbench.data.images.preprocess import read_image
from zsadbench.errors import DataError
from zsadbench.files import DAMAGED, write_atomically

log = logging.getLogger(__name__)

VERSION = 1  # of the hash and of the cache file
UNREADABLE = -1  # in place of the detail of an image that cannot be opened

HashesAndDetails = tuple[Hashes, NDArray[np.int16]]  # uint8 (n, 32) and int16 (n,)


@dataclass(frozen=True)
class ImageHashes:
    """The hashes of the images that can be compared.

    Attributes:
        paths: paths of these images, relative to the root.
        hashes: their hashes, uint8 (n, 32).
        flat: the number of images with too little detail to compare.
        unreadable: the number of images that cannot be opened.
    """

    paths: tuple[str, ...]
    hashes: Hashes
    flat: int
    unreadable: int


def hash_images(dataset: Dataset, rows: pd.DataFrame | None = None, workers: int = 2) -> ImageHashes:
    """Compute the hashes of the images of a data set, or only of those in some `rows` of its manifest.

    The hashes of a whole data set are cached. An image that cannot be opened is counted and does not raise.
    """
    whole = dataset.manifest.sort_values("relative")
    known = _read_cache(dataset, whole)
    if known is None and rows is not None and len(rows) < len(whole):
        return hash_rows(rows, workers)
    if known is None:
        log.info("%s: hashing %d images, to find them in other sets", dataset.card.name, len(whole))
        known = _compute(whole["path"].tolist(), workers)
        _write_cache(dataset, whole, *known)
    wanted = np.ones(len(whole), dtype=bool) if rows is None else whole["relative"].isin(rows["relative"]).to_numpy()
    return _comparable(whole["relative"][wanted].tolist(), known[0][wanted], known[1][wanted])


def hash_rows(rows: pd.DataFrame, workers: int = 2) -> ImageHashes:
    """Compute the hashes of the images in some rows of a manifest; nothing is cached.

    An image that cannot be opened is counted and does not raise.
    """
    return _comparable(rows["relative"].tolist(), *_compute(rows["path"].tolist(), workers))


def same_pixels(left: pd.DataFrame, right: pd.DataFrame, workers: int = 2) -> list[tuple[str, str]]:
    """Find the pairs of images, by relative path, whose decoded pixels are all equal; rows of manifests.

    Images that cannot be opened equal none. Without rows on the left, nothing is read.
    """
    if left.empty or right.empty:
        return []
    with ThreadPoolExecutor(max(1, workers), thread_name_prefix="zsadbench-hash") as pool:
        of_left, of_right = (list(pool.map(_pixel_digest, rows["path"])) for rows in (left, right))
    return [
        (first, second)
        for first, digest in zip(left["relative"], of_left, strict=True)
        for second, other in zip(right["relative"], of_right, strict=True)
        if digest and digest == other
    ]


def _pixel_digest(path: str) -> str:
    """SHA-256 of the size and the RGB pixels of an image; empty where it cannot be opened."""
    try:
        image = read_image(path).convert("RGB")
    except DataError:
        return ""
    return hashlib.sha256(f"{image.size}".encode() + image.tobytes()).hexdigest()


def _comparable(paths: Sequence[str], hashes: Hashes, details: NDArray[np.int16]) -> ImageHashes:
    detailed = details >= DETAIL
    unreadable = int((details == UNREADABLE).sum())
    kept = tuple(path for path, wanted in zip(paths, detailed, strict=True) if wanted)
    return ImageHashes(kept, hashes[detailed], int((~detailed).sum()) - unreadable, unreadable)


def _compute(paths: Sequence[str], workers: int) -> HashesAndDetails:
    with ThreadPoolExecutor(max(1, workers), thread_name_prefix="zsadbench-hash") as pool:
        computed = list(pool.map(_hash_file, paths))
    hashes = np.array([bits for bits, _ in computed], dtype=np.uint8).reshape(-1, BITS // 8)
    return hashes, np.array([detail for _, detail in computed], dtype=np.int16)


def _hash_file(path: str) -> PerceptualHash:
    try:
        return perceptual_hash(read_image(path, MIN_SIDE))
    except DataError:
        return PerceptualHash(np.zeros(BITS // 8, dtype=np.uint8), UNREADABLE)


def _cache_file(dataset: Dataset) -> Path:
    return cache_folder() / "hashes" / f"{dataset.fingerprint}.npz"


def _files_stamp(rows: pd.DataFrame) -> str:
    """SHA-256 over the name, size and modification time of every file; the fingerprint does not cover the last."""
    digest = hashlib.sha256(f"{VERSION}".encode())
    for relative, path in rows[["relative", "path"]].itertuples(index=False):
        try:
            status = os.stat(path)  # noqa: PTH116  (a Path for each of 100 000 files costs more than the call)
        except OSError:
            digest.update(f"\n{relative!r} gone".encode())
        else:
            digest.update(f"\n{relative!r} {status.st_size} {status.st_mtime_ns}".encode())
    return digest.hexdigest()


def _read_cache(dataset: Dataset, rows: pd.DataFrame) -> HashesAndDetails | None:
    """The cached hashes of these files; None if there are none, the files have changed, or the cache is broken."""
    path = _cache_file(dataset)
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            hashes, details, stamp = (archive[name] for name in ("hashes", "details", "stamp"))
    except FileNotFoundError:
        return None
    except DAMAGED as failure:
        log.info("'%s' is broken and is written again: %s", path, failure)
        return None
    valid = hashes.shape == (len(rows), BITS // 8) and hashes.dtype == np.uint8
    valid = valid and details.shape == (len(rows),) and details.dtype == np.int16
    return (hashes, details) if valid and str(stamp) == _files_stamp(rows) else None


def _write_cache(dataset: Dataset, rows: pd.DataFrame, hashes: Hashes, details: NDArray[np.int16]) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, hashes=hashes, details=details, stamp=np.array(_files_stamp(rows)))
    try:
        write_atomically(_cache_file(dataset), buffer.getvalue())
    except OSError as failure:
        log.info("the hashes of %s are not kept: %s", dataset.card.name, failure)

"""Fingerprints: the identity of the images, masks and labels of a copy, wherever the copy is stored."""

import hashlib
import json
import os
import posixpath

import pandas as pd

from zsadbench.data.cards.card import PositiveRule
from zsadbench.data.copies.mask_facts import mask_facts
from zsadbench.data.images.preprocess import read_image
from zsadbench.errors import DataError

COLUMNS = ["relative", "path", "mask", "label", "class", "split"]


def content_fingerprint(manifest: pd.DataFrame) -> str:
    """Hash the pixels of every image and mask: SHA-256, hexadecimal, over one line per sample.

    A line holds the relative path, label, class, split, and a hash of the pixels of image and mask. Generated sets are
    identified by it, because another version of zlib may write other bytes for the same pixels.

    Raises:
        DataError: a file no longer exists or cannot be read.
    """
    lines = sorted(
        json.dumps([relative, int(label), name, split, _pixel_hash(path), _pixel_hash(mask)])
        for relative, path, mask, label, name, split in manifest[COLUMNS].itertuples(index=False)
    )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _pixel_hash(path: str) -> str:
    if not path:
        return ""
    image = read_image(path)
    return hashlib.sha256(f"{image.mode} {image.size} ".encode() + image.tobytes()).hexdigest()


def fingerprint(manifest: pd.DataFrame, positive: PositiveRule) -> str:
    """Hash file sizes and masks: SHA-256, hexadecimal, over one line per sample.

    A line holds the path, the sizes of image and mask in bytes, label, class, split, and of the mask its height and
    width, its number of anomalous pixels by the rule `positive` and its grey values (see
    `zsadbench.data.copies.mask_facts`). Paths are relative to the deepest folder that contains all images, and lines
    are sorted, so neither the location of the root nor the order of the rows changes the result.

    Raises:
        DataError: a file no longer exists.
    """
    top = posixpath.commonpath([posixpath.dirname(path) for path in manifest["relative"]]) if len(manifest) else ""
    rows = list(manifest[COLUMNS].itertuples(index=False, name=None))
    sizes = [(_size(path), _size(mask)) for _, path, mask, *_ in rows]
    facts = mask_facts(manifest["mask"].tolist(), positive)
    lines = sorted(
        json.dumps([posixpath.relpath(relative, top or "."), *size, int(label), name, split, mask_fact])
        for (relative, _, _, label, name, split), size, mask_fact in zip(rows, sizes, facts, strict=True)
    )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _size(path: str) -> int:
    """The size of a file in bytes; −1 for an empty path."""
    if not path:
        return -1
    try:
        return os.stat(path).st_size  # noqa: PTH116  (a Path for each of 100 000 files costs more than the call)
    except OSError as failure:
        raise DataError(f"'{path}' cannot be read: {failure.strerror}") from failure

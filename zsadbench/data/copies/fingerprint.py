"""The identity of a copy: what was read, wherever it lies."""

import hashlib
import json
import os
import posixpath

import pandas as pd

from zsadbench.data.cards.card import Positive
from zsadbench.data.copies.mask_facts import mask_facts
from zsadbench.data.images.preprocess import read_image
from zsadbench.errors import DataError


def content_fingerprint(manifest: pd.DataFrame) -> str:
    """SHA-256, in hexadecimal, over one line a sample: path, label, class, split, pixels of image and mask.

    For sets that are drawn: another zlib may write other bytes for the same pixels, and another edition
    may write as many bytes for others.

    Raises:
        DataError: a file has gone or cannot be read.
    """
    names = ["relative", "path", "mask", "label", "class", "split"]
    lines = sorted(
        json.dumps([relative, int(label), name, split, _pixels(path), _pixels(mask)])
        for relative, path, mask, label, name, split in manifest[names].itertuples(index=False)
    )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _pixels(path: str) -> str:
    if not path:
        return ""
    image = read_image(path)
    return hashlib.sha256(f"{image.mode} {image.size} ".encode() + image.tobytes()).hexdigest()


def fingerprint(manifest: pd.DataFrame, positive: Positive) -> str:
    """SHA-256, in hexadecimal, over one line a sample: path, label, class, split, sizes, what its mask holds.

    The sizes are those of image and mask in bytes; of a mask also height and width, the number of pixels that
    are anomalous by the rule `positive`, and its grey values (see `zsadbench.data.copies.mask_facts`). Paths are
    relative to the deepest folder that holds all images, so that neither the place of the root nor the order of
    the rows matters.

    Raises:
        DataError: a file has gone.
    """
    above = posixpath.commonpath([posixpath.dirname(path) for path in manifest["relative"]]) if len(manifest) else ""
    names = ["relative", "path", "mask", "label", "class", "split"]
    rows = list(manifest[names].itertuples(index=False, name=None))
    sizes = [(_size(path), _size(mask)) for _, path, mask, *_ in rows]
    facts = mask_facts(manifest["mask"].tolist(), positive)
    lines = sorted(
        json.dumps([posixpath.relpath(relative, above or "."), *size, int(label), name, split, fact])
        for (relative, _, _, label, name, split), size, fact in zip(rows, sizes, facts, strict=True)
    )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _size(path: str) -> int:
    if not path:
        return -1
    try:
        return os.stat(path).st_size  # noqa: PTH116  (a Path for each of 100 000 files costs more than the call)
    except OSError as failure:
        raise DataError(f"'{path}' cannot be read: {failure.strerror}") from failure

"""Fingerprints: the identity of the images, masks and labels of a copy, wherever the copy is stored.

fingerprint           bytes of the files, paths below their common folder, labels: the identity in records
content_fingerprint   decoded pixels and paths: the identity of generated sets
pixel_fingerprint     decoded pixels and labels, no names at all: shows that two copies hold the same pictures
"""

import hashlib
import json
import os
import posixpath
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import pandas as pd
from PIL import Image

from zsadbench.data.cards.card import PositiveRule
from zsadbench.data.copies.file_hashes import FileHashes, hash_files
from zsadbench.data.copies.mask_facts import mask_facts
from zsadbench.data.images.mask_values import read_grey_mask
from zsadbench.data.images.preprocess import read_image

COLUMNS = ["relative", "path", "mask", "label", "class", "split"]


def fingerprint(manifest: pd.DataFrame, positive: PositiveRule, files: FileHashes | None = None) -> str:
    """Hash the bytes of images and masks, and their labels: SHA-256, hexadecimal, over one line per sample.

    A line holds the path, the hash of the bytes of image and mask, label, class, split, and of the mask its height and
    width, its number of anomalous pixels by the rule `positive` and its grey values (see
    `zsadbench.data.copies.mask_facts`). Paths are relative to the deepest folder that contains all images, and lines
    are sorted, so neither the location of the root, nor times of files, nor the order of the rows change the result.

    Args:
        manifest: the samples.
        positive: the grey values of a mask that count as anomalous.
        files: the hashes of all images and masks; None to compute them.

    Raises:
        DataError: a file no longer exists, or changes while it is read.
    """
    hashes = files or hash_manifest(manifest)
    top = posixpath.commonpath([posixpath.dirname(path) for path in manifest["relative"]]) if len(manifest) else ""
    facts = mask_facts(manifest["mask"].tolist(), positive)
    lines = (
        [posixpath.relpath(relative, top or "."), hashes.digest(path), hashes.digest(mask), int(label), *names, fact]
        for (relative, path, mask, label, *names), fact in zip(
            manifest[COLUMNS].itertuples(index=False, name=None), facts, strict=True
        )
    )
    return _hash_lines(map(json.dumps, lines))


def hash_manifest(manifest: pd.DataFrame, folder: str | os.PathLike[str] = "") -> FileHashes:
    """Hash the bytes of every image and mask of a manifest.

    Args:
        manifest: the samples.
        folder: the folder of the copy, which names the cache file; empty for the deepest folder of all images.

    Raises:
        DataError: as `hash_files`.
    """
    paths: list[str] = manifest["path"].tolist()
    top = os.fspath(folder) or (os.path.commonpath(map(os.path.dirname, paths)) if paths else "")
    return hash_files([*paths, *manifest["mask"]], top)


def content_fingerprint(manifest: pd.DataFrame) -> str:
    """Hash the pixels of every image and mask, and their paths: SHA-256, hexadecimal, over one line per sample.

    A line holds the relative path, label, class, split, and a hash of the pixels of image and mask. Generated sets are
    identified by it, because another version of zlib may write other bytes for the same pixels.

    Raises:
        DataError: a file no longer exists or cannot be read.
    """
    return _hash_lines(
        json.dumps([relative, int(label), name, split, _pixel_hash(path), _pixel_hash(mask)])
        for relative, path, mask, label, name, split in manifest[COLUMNS].itertuples(index=False)
    )


def _pixel_hash(path: str) -> str:
    if not path:
        return ""
    return _image_hash(read_image(path))


def pixel_fingerprint(manifest: pd.DataFrame) -> str:
    """Hash the pixels and labels of all samples, without any name: SHA-256, hexadecimal.

    Two copies of one set have the same hash under other names of folders, classes and files and in other lossless
    formats. Each class is hashed over one sorted line per sample (hashes of the pixels of image and mask, label,
    split), the set over the sorted hashes of its classes; so it matters which samples form a class, not what the class
    is called. The pixels are those that a run reads: upright, with 8 bits per channel, in RGB, with an alpha channel
    only where a pixel is transparent; of masks the grey values. Masks of normal samples, which no run reads, are left
    out.

    Raises:
        DataError: a file no longer exists or cannot be read.
    """
    masks = manifest["mask"].where(manifest["label"] == 1, "").tolist()
    with ThreadPoolExecutor(thread_name_prefix="zsadbench-pixels") as pool:
        try:
            image_hashes = list(pool.map(_colour_hash, manifest["path"]))
            mask_hashes = list(pool.map(lambda mask: _grey_hash(mask) if mask else "", masks))
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    by_class: dict[str, list[str]] = {}
    rows = zip(image_hashes, mask_hashes, manifest["label"].tolist(), manifest["split"], strict=True)
    for class_name, row in zip(manifest["class"], rows, strict=True):
        by_class.setdefault(class_name, []).append(json.dumps(row))
    return _hash_lines(map(_hash_lines, by_class.values()))


def _colour_hash(path: str) -> str:
    """The hash of the pixels of an image, whatever their mode in the file."""
    image = read_image(path)
    pixels = image.convert("RGBA") if image.has_transparency_data else image.convert("RGB")
    if pixels.mode == "RGBA" and pixels.getchannel("A").getextrema() == (255, 255):
        pixels = pixels.convert("RGB")
    return _image_hash(pixels)


def _grey_hash(path: str) -> str:
    return _image_hash(Image.fromarray(read_grey_mask(path).values.astype("uint8")))


def _image_hash(image: Image.Image) -> str:
    return hashlib.sha256(f"{image.mode} {image.size} ".encode() + image.tobytes()).hexdigest()


def _hash_lines(lines: Iterable[str]) -> str:
    """SHA-256 over sorted lines, hexadecimal."""
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()

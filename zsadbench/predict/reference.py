"""`--reference FOLDER`: the normal images that a few-shot method compares with."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from zsadbench.data import images_of
from zsadbench.errors import DataError
from zsadbench.files import file_sha256

if TYPE_CHECKING:
    from zsadbench.predict.detector import LoadedMethod


def reference_images(folder: Path) -> list[Path]:
    """List the normal images of a folder, sorted.

    Raises:
        DataError: it is no folder, or holds no image.
    """
    if not folder.is_dir():
        raise DataError(f"--reference '{folder}' is no folder; give a folder of normal images")
    return list(images_of([folder]))


def remember_reference(detector: LoadedMethod, images: list[Path], word: str) -> str:
    """Give a few-shot method its normal images.

    Returns:
        A digest of the images, for `detector_facts`: equal for equal files in any order.

    Raises:
        UsageError: the method has no few-shot form.
        DataError: an image cannot be read.
        CellError: the method fails.
    """
    detector.remember(images, word)
    digests = sorted(file_sha256(image) for image in images)
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()

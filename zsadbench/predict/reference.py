"""`--reference FOLDER`: the normal images that a few-shot method compares with."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from zsadbench.data import images_of
from zsadbench.errors import DataError, UsageError
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


def check_reference(detector: LoadedMethod, *, given: bool) -> None:
    """Check that normal images are given to a method that needs them, and to none that takes none.

    Raises:
        UsageError: they are missing, or the method has no use for them.
    """
    method = detector.setup.method
    takes = method.card.few_shot and not detector.scores_whole_classes
    if given and not takes:
        raise UsageError(
            f"--reference: no few-shot form of '{method.card.name}' is known, so it compares with no normal images"
        )
    if not given and method.card.needs_shots(method.options):
        raise UsageError(f"'{method.card.name}' compares with normal images; pass --reference FOLDER with some")


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

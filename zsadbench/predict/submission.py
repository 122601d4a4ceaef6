"""Write the archive of anomaly maps that a benchmark's server evaluates on its test parts without published labels.

The archive has two maps of every image, both as large as the image:

    anomaly_images/<class>/<part>/<image>.tiff               float16: the anomaly map
    anomaly_images_thresholded/<class>/<part>/<image>.png    uint8: 255 where the map reaches the threshold, else 0

This is the layout that MVTec AD 2's server is known to take; its instructions were not read, so compare it with them
before a submission. Choices of this project: maps are those of a run, enlarged from the evaluated size to that of the
image bilinearly; the threshold of a class is that of SegF1, from the maps of its normal validation images at the
evaluated size (`zsadbench.metrics.at_threshold`). The same maps give the same bytes: files are in a fixed
order and have no time.
"""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from zsadbench.data import load_dataset, read_image
from zsadbench.data.layouts.hidden import HiddenImage, hidden_images, missing_parts
from zsadbench.engine.evaluate.maps import enlarge
from zsadbench.engine.evaluate.normal_thresholds import VALIDATION
from zsadbench.errors import CellError, DataError
from zsadbench.files import replacing
from zsadbench.metrics import NormalPixels
from zsadbench.pictures import encoded

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray
    from torch import Tensor

    from zsadbench.data import Dataset
    from zsadbench.predict.detector import LoadedMethod

MAPS, BINARY = "anomaly_images", "anomaly_images_thresholded"


@dataclass(frozen=True)
class SubmissionImages:
    """The images of a submission: the normal validation part of the data set, and the images without labels."""

    validation: Dataset
    images: Sequence[HiddenImage]

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes that have images without labels, in the order of the card."""
        there = {image.class_name for image in self.images}
        return tuple(name for name in self.validation.card.classes if name in there)

    def normal(self, class_name: str) -> pd.DataFrame:
        """The manifest of the normal validation images of a class."""
        rows = self.validation.manifest
        return rows[(rows["class"] == class_name) & (rows["label"] == 0)]


@dataclass(frozen=True)
class WrittenClass:
    """What the archive holds of one class: the threshold, and the number of images."""

    class_name: str
    threshold: float
    images: int


def find_submission_images(name: str, roots: Sequence[Path], *, allow_partial: bool = False) -> SubmissionImages:
    """Find the validation images of a data set and its images without labels.

    Raises:
        UsageError: there is no data set of this name.
        DataError: it has no test part without labels; the copy is not found; or it lacks classes or parts, unless
            `allow_partial`, or the validation images of a class that has others.
    """
    validation = load_dataset(name, roots or None, allow_partial, (VALIDATION,))
    card = validation.card
    found = SubmissionImages(validation, hidden_images(card, validation.root))
    missing = missing_parts(card, list(found.images))
    if not found.images or (missing and not allow_partial):
        raise DataError(f"{card.name}: incomplete: no image of {', '.join(missing)}; in '{validation.root}'")
    without = [class_name for class_name in found.classes if found.normal(class_name).empty]
    if without:
        raise DataError(f"{card.name}: {', '.join(without)}: no normal validation image, which gives the threshold")
    return found


def write_submission(
    detector: LoadedMethod, found: SubmissionImages, out: Path, on_image: Callable[[], None] = lambda: None
) -> list[WrittenClass]:
    """Score all images and write the archive `out`, a .tar.gz; where something fails there is no archive.

    Args:
        detector: the loaded method.
        found: the images.
        out: the file.
        on_image: called after every image, those of the validation part included.

    Raises:
        DataError: an image cannot be read.
        CellError: the method fails, or a score or a map is not finite, or beyond float16.
    """
    words = found.validation.card.words(detector.setup.name)
    written = []
    with _archive(out) as archive:
        for name in found.classes:
            threshold = _threshold(detector, found.normal(name)["path"].tolist(), words[name], on_image)
            images = [image for image in found.images if image.class_name == name]
            for image in images:
                anomaly_map = _map_of(detector, image, words[name])
                place = f"{image.class_name}/{image.part}/{image.stem}"
                _add(archive, f"{MAPS}/{place}.tiff", _as_tiff(anomaly_map, image))
                _add(archive, f"{BINARY}/{place}.png", _as_png(anomaly_map >= np.float32(threshold)))
                on_image()
            written.append(WrittenClass(name, threshold, len(images)))
    return written


def _threshold(detector: LoadedMethod, paths: Sequence[str], word: str, on_image: Callable[[], None]) -> float:
    """Return the threshold of a class, from its normal validation images."""
    pixels = NormalPixels()
    for path in paths:
        pixels.update([_scored(detector, path, word)[0].numpy()])
        on_image()
    threshold = pixels.threshold()
    assert threshold is not None  # noqa: S101 - every class has validation images
    return threshold


def _map_of(detector: LoadedMethod, image: HiddenImage, word: str) -> NDArray[np.float32]:
    """Return the anomaly map of an image at the size of the image, (height, width)."""
    width, height = read_image(image.path).size
    enlarged: NDArray[np.float32] = enlarge(_scored(detector, image.path, word), (height, width))[0]
    return enlarged


def _scored(detector: LoadedMethod, path: str | Path, word: str) -> Tensor:
    """Return the anomaly map of an image at the evaluated size, (1, size, size); failures name the image."""
    try:
        return detector.predict(path, word).pixel
    except CellError as failure:
        raise CellError(f"{path}: {failure}") from failure


def _as_tiff(anomaly_map: NDArray[np.float32], image: HiddenImage) -> bytes:
    import tifffile

    if np.abs(anomaly_map).max() > np.finfo(np.float16).max:
        raise CellError(f"{image.path}: its map has values beyond float16, which the archive takes")
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, anomaly_map.astype(np.float16), metadata=None, software=False, photometric="minisblack")
    return buffer.getvalue()


def _as_png(flagged: NDArray[np.bool_]) -> bytes:
    from PIL import Image

    return encoded(Image.fromarray(flagged.astype(np.uint8) * np.uint8(255)), "PNG")


@contextmanager
def _archive(out: Path) -> Iterator[tarfile.TarFile]:
    """Open an archive that becomes `out` after the block, and is removed if that fails."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with (
        replacing(out) as stream,
        gzip.GzipFile(filename="", mode="wb", fileobj=stream, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        yield archive


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    archive.addfile(entry, io.BytesIO(content))

"""Ground truth for saved maps: the images of a target, and their masks under a protocol."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch

from zsadbench.data import limited, oriented_size, read_mask
from zsadbench.data.images.preprocess import size_text
from zsadbench.engine.encode.masks import Mask, resize_mask
from zsadbench.engine.evaluate.maps import enlarge
from zsadbench.engine.evaluate.scoring import check_finite
from zsadbench.saved_maps.map_file import SavedMap, read_map

if TYPE_CHECKING:
    from zsadbench.data import Dataset, FileHashes
    from zsadbench.protocol import EvaluationProtocol


@dataclass(frozen=True)
class GroundTruth:
    """A target under a protocol.

    `size` is the side in pixels to which masks are resized where the protocol resizes them; `limit` is the number of
    normal and of anomalous images per class, None for all. `hashes` are those of images and masks when the record was
    planned; None for no check.
    """

    target: Dataset
    protocol: EvaluationProtocol
    size: int
    limit: int | None
    hashes: FileHashes | None = None

    def _unchanged(self, path: str) -> AbstractContextManager[None]:
        """Return a context that checks a file if there are hashes; see `FileHashes.unchanged`."""
        return self.hashes.unchanged(path) if self.hashes else nullcontext()

    def rows(self, class_name: str) -> pd.DataFrame:
        """Return the manifest rows of a class that are measured, in the order of the manifest."""
        return limited(self.target.manifest, class_name, self.limit)

    def native(self, row: Any) -> Mask:
        """Read the mask of a row at native size, uint8 (height, width) of 0 and 1; zeros for a normal image.

        Raises:
            DataError: the mask, or the header of the image, cannot be read or has changed.
        """
        if row.label:
            card = self.target.card
            with self._unchanged(row.mask):
                positive = card.positive if self.protocol.mask_values == "card" else "!= 0"
                return read_mask(row.mask, positive, row.path)
        if self.protocol.mask_resize != "none":
            return np.zeros((self.size, self.size), np.uint8)  # a mask of zeros is the same at every size
        with self._unchanged(row.path):
            width, height = oriented_size(row.path)
        return np.zeros((height, width), np.uint8)

    def resized(self, mask: Mask) -> Mask:
        """Resize a mask to the size at which it is measured."""
        return resize_mask(mask, self.protocol, self.size)


@dataclass
class MapReader:
    """Read maps and resize them to their masks.

    `files` are by relative path of the image, `hashes` those of their content when the record was planned, None for
    no check; `enlarged` counts the resized maps by their size in the file.
    """

    files: Mapping[str, Path]
    hashes: FileHashes | None = None
    enlarged: Counter[str] = field(default_factory=Counter)

    def read(self, relative: str) -> SavedMap:
        """Read the map of an image at the size of its file.

        Raises:
            DataError: the file is not a map or has changed.
            CellError: the map holds NaN or infinity.
        """
        path = self.files[relative]
        with self.hashes.unchanged(str(path)) if self.hashes else nullcontext():
            anomaly_map = read_map(path)
        check_finite(anomaly_map, (relative,), "anomaly map")
        return anomaly_map

    def fit(self, anomaly_map: SavedMap, relative: str, shape: tuple[int, ...]) -> SavedMap:
        """Resize a map to the shape of its mask, bilinear; a map of this shape is returned as it is.

        Maps of float64 are resized in float64, others in float32.

        Raises:
            CellError: values of the resized map exceed the range of their type.
        """
        if anomaly_map.shape == shape:
            return anomaly_map
        self.enlarged[size_text(*anomaly_map.shape[::-1])] += 1
        values = torch.from_numpy(anomaly_map if anomaly_map.dtype == np.float64 else anomaly_map.astype(np.float32))
        height, width = shape
        resized: SavedMap = enlarge(values[None], (height, width))[0]
        check_finite(resized, (relative,), "resized anomaly map")
        return resized

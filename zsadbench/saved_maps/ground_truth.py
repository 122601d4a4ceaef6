"""What maps are measured against: the images of a target, and their masks by the protocol's rule."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from zsadbench.data import limited, oriented_size, read_mask
from zsadbench.data.images.preprocess import size_text
from zsadbench.engine.encode.batches import RESIZE, Mask
from zsadbench.engine.evaluate.maps import enlarge
from zsadbench.engine.evaluate.scoring import finite
from zsadbench.metrics import count_regions
from zsadbench.saved_maps.folder import Map, read_map

if TYPE_CHECKING:
    from zsadbench.data import Dataset
    from zsadbench.protocol import EvaluationProtocol


@dataclass(frozen=True)
class Truth:
    """A target under a protocol; masks of protocols that resize them are `size` pixels wide and high."""

    target: Dataset
    protocol: EvaluationProtocol
    size: int
    limit: int | None

    def rows(self, class_name: str) -> pd.DataFrame:
        """The rows of a class that are measured, in the manifest's order."""
        return limited(self.target.manifest, class_name, self.limit)

    def native(self, row: Any) -> Mask:
        """The mask of a row at its own size, uint8 of 0 and 1; zeros for a normal image.

        Raises:
            DataError: the mask, or the header of the image, cannot be read.
        """
        if row.label:
            card = self.target.card
            return read_mask(row.mask, card.positive if self.protocol.mask_values == "card" else "> 0")
        if self.protocol.mask_resize != "none":
            return np.zeros((self.size, self.size), np.uint8)  # a mask of zeros is the same at every size
        width, height = oriented_size(row.path)
        return np.zeros((height, width), np.uint8)

    def resized(self, mask: Mask) -> Mask:
        """A mask at the size at which it is measured."""
        made: Mask = RESIZE[self.protocol.mask_resize](mask, self.size)
        return made


@dataclass
class Reader:
    """Maps from their files, at the sizes of their masks; `enlarged` counts those that had another size, by theirs."""

    found: Mapping[str, Path]
    enlarged: Counter[str] = field(default_factory=Counter)

    def raw(self, relative: str) -> Map:
        """The map of an image as its file has it.

        Raises:
            DataError: the file is no map.
            CellError: the map holds NaN or infinity.
        """
        made = read_map(self.found[relative])
        finite(made, (relative,), "anomaly map")
        return made

    def fitted(self, made: Map, relative: str, shape: tuple[int, ...]) -> Map:
        """A map as it is where it has the shape, else bilinear to it, float32.

        Raises:
            CellError: enlarged, its values leave the range of float32.
        """
        if made.shape == shape:
            return made
        self.enlarged[size_text(*made.shape[::-1])] += 1
        height, width = shape
        with np.errstate(over="ignore"):
            full: Map = enlarge(torch.from_numpy(made.astype(np.float32))[None], (height, width))[0]
        finite(full, (relative,), "anomaly map, in float32,")
        return full


def region_counts(native: Sequence[Mask], resized: Sequence[NDArray[np.uint8]]) -> dict[str, int]:
    """Regions before the masks were resized, and the masks that lost all of theirs by it."""
    pairs = [(mask, made) for mask, made in zip(native, resized, strict=True) if mask.any()]
    return {
        "regions_native": sum(count_regions(mask) for mask, _ in pairs),
        "masks_emptied": sum(not made.any() for _, made in pairs),
    }

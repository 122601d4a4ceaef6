"""Check the arguments of callers and convert them to one form; every error is a ValueError of one line."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zsadbench.metrics.counting.arrays import Bools, Floats, Images, UInt8s

TWO_KINDS = "must be boolean, 0 and 1, or 0 and 255"


def split_by_label(scores: ArrayLike, labels: ArrayLike, ndim: int | None = None) -> tuple[Floats, Floats]:
    """Split scores into normal and anomalous ones, each one-dimensional; `ndim`, if not None, is the required rank.

    Raises:
        ValueError: shapes differ, a dtype or a label is invalid, or a score is NaN.
    """
    values, anomalous = _as_scores(scores), _as_bools(labels, "labels")
    if values.shape != anomalous.shape:
        raise ValueError(f"scores {values.shape} and labels {anomalous.shape} differ in shape")
    if ndim is not None and values.ndim != ndim:
        raise ValueError(f"scores must have {ndim} axis, one score per image, not the shape {values.shape}")
    nan = np.isnan(values)
    if nan.any():
        index = ", ".join(map(str, np.argwhere(nan)[0]))
        raise ValueError(f"scores[{index}] is NaN")
    return values[~anomalous], values[anomalous]


def map_mask_pairs(scores: Images, masks: Images) -> Iterator[tuple[Floats, UInt8s]]:
    """Pair every map with its mask, both (height, width), contiguous and in native byte order.

    Values of the pixels are not checked here: a uint8 mask may still hold invalid values, and a map NaN.

    Raises:
        ValueError: counts or shapes differ, or a dtype or a mask value is invalid; the message names the index of
            the image.
    """
    map_stack, mask_stack = _stack(scores, "scores"), _stack(masks, "masks")
    if len(map_stack) != len(mask_stack):
        raise ValueError(f"{len(map_stack)} score maps but {len(mask_stack)} masks")
    for index, (anomaly_map, given_mask) in enumerate(zip(map_stack, mask_stack, strict=True)):
        values = _as_scores(anomaly_map)
        array = np.asarray(given_mask)
        mask = array if array.dtype == np.uint8 else _as_bools(array, f"masks[{index}]").view(np.uint8)
        if values.shape != mask.shape or values.ndim != 2:
            raise ValueError(f"scores[{index}] {values.shape} and masks[{index}] {mask.shape} must share one 2-D shape")
        yield values, np.ascontiguousarray(mask)


def checked_limit(limit: float) -> float:
    """Return a limit of the false positive rate as a float.

    Raises:
        ValueError: the limit is not in (0, 1].
    """
    if not 0 < limit <= 1:
        raise ValueError(f"limit must lie in (0, 1], not {limit}")
    return float(limit)


def checked_connectivity(connectivity: int) -> bool:
    """Return whether corners connect pixels: true for 8, false for 4.

    Raises:
        ValueError: the connectivity is neither 4 nor 8.
    """
    if connectivity not in (4, 8):
        raise ValueError(f"connectivity must be 4 or 8, not {connectivity}")
    return connectivity == 8


def _stack(images: Images, argument: str) -> Sequence[ArrayLike] | NDArray[Any]:
    if isinstance(images, list | tuple):
        return images
    array = np.asarray(images)
    if array.ndim != 3:
        raise ValueError(f"{argument} must have the shape (n, height, width), not {array.shape}")
    return array


def _as_scores(values: ArrayLike) -> Floats:
    array = np.asarray(values)
    if array.dtype.kind == "f" and array.dtype.itemsize <= 8:  # float32 represents every float16
        return np.ascontiguousarray(array, np.float64 if array.dtype.itemsize == 8 else np.float32)
    if array.dtype.kind in "iu" or not array.size:
        return array.astype(np.float64)
    raise ValueError(f"scores must be float16, float32, float64 or integers, not {array.dtype}")


def _as_bools(values: ArrayLike, argument: str) -> Bools:
    array = np.asarray(values)
    if array.dtype == np.bool_:
        return array
    if array.dtype.kind not in "iuf":
        raise ValueError(f"{argument} must be boolean or numbers, not {array.dtype}")
    anomalous: Bools = array == (255 if array.size and array.max() == 255 else 1)
    if not (anomalous | (array == 0)).all():
        raise ValueError(f"{argument} {TWO_KINDS}")
    return anomalous

"""What callers hand in, checked and brought to one form; every complaint is a ValueError of one line."""

from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats: TypeAlias = NDArray[np.floating[Any]]  # float32 or float64
Bools: TypeAlias = NDArray[np.bool_]
Marks: TypeAlias = NDArray[np.uint8]
Images: TypeAlias = NDArray[Any] | Sequence[ArrayLike]  # (n, height, width), or n images of their own sizes

TWO_KINDS = "must be boolean, 0 and 1, or 0 and 255"


def labelled(scores: ArrayLike, labels: ArrayLike, ndim: int | None = None) -> tuple[Floats, Floats]:
    """Split scores into (normal, anomalous), both one-dimensional; `ndim` insists on that many axes.

    Raises:
        ValueError: shapes differ, a dtype or a label cannot be right, or a score is NaN.
    """
    values, marks = _as_scores(scores), _as_bools(labels, "labels")
    if values.shape != marks.shape:
        raise ValueError(f"scores {values.shape} and labels {marks.shape} differ in shape")
    if ndim is not None and values.ndim != ndim:
        raise ValueError(f"scores must have {ndim} axis, one score an image, not the shape {values.shape}")
    nan = np.isnan(values)
    if nan.any():
        where = ", ".join(map(str, np.argwhere(nan)[0]))
        raise ValueError(f"scores[{where}] is NaN")
    return values[~marks], values[marks]


def images(scores: Images, masks: Images) -> Iterator[tuple[Floats, Marks]]:
    """Pair every map with its mask, both (height, width), contiguous and in the machine's byte order.

    A mask of bytes may still hold other values than two kinds, and a map may hold NaN: who reads the
    pixels looks out for them.

    Raises:
        ValueError: counts or shapes differ, or a dtype or a mask value cannot be right; the message names
            the index of the image.
    """
    maps, marks = _stack(scores, "scores"), _stack(masks, "masks")
    if len(maps) != len(marks):
        raise ValueError(f"{len(maps)} score maps but {len(marks)} masks")
    for index, (one_map, one_mask) in enumerate(zip(maps, marks, strict=True)):
        values, mark = _as_scores(one_map), _as_marks(one_mask, f"masks[{index}]")
        if values.shape != mark.shape or values.ndim != 2:
            raise ValueError(f"scores[{index}] {values.shape} and masks[{index}] {mark.shape} must share one 2-D shape")
        yield values, mark


def checked_limit(limit: float) -> float:
    """Return a limit of the false positive rate as a float; it must lie in (0, 1]."""
    if not 0 < limit <= 1:
        raise ValueError(f"limit must lie in (0, 1], not {limit}")
    return float(limit)


def checked_connectivity(connectivity: int) -> bool:
    """Whether corners connect: 8 says so, 4 says not."""
    if connectivity not in (4, 8):
        raise ValueError(f"connectivity must be 4 or 8, not {connectivity}")
    return connectivity == 8


def _stack(value: Images, what: str) -> Sequence[ArrayLike] | NDArray[Any]:
    if isinstance(value, list | tuple):
        return value
    array = np.asarray(value)
    if array.ndim != 3:
        raise ValueError(f"{what} must have the shape (n, height, width), not {array.shape}")
    return array


def _as_scores(values: ArrayLike) -> Floats:
    array = np.asarray(values)
    if array.dtype.kind == "f" and array.dtype.itemsize <= 8:  # every float16 is a float32
        return np.ascontiguousarray(array, np.float64 if array.dtype.itemsize == 8 else np.float32)
    if array.dtype.kind in "iu" or not array.size:
        return array.astype(np.float64)
    raise ValueError(f"scores must be float16, float32, float64 or integers, not {array.dtype}")


def _as_marks(values: ArrayLike, what: str) -> Marks:
    array = np.asarray(values)
    marks = array if array.dtype == np.uint8 else _as_bools(array, what).view(np.uint8)
    return np.ascontiguousarray(marks)


def _as_bools(values: ArrayLike, what: str) -> Bools:
    array = np.asarray(values)
    if array.dtype == np.bool_:
        return array
    if array.dtype.kind not in "iuf":
        raise ValueError(f"{what} must be boolean or numbers, not {array.dtype}")
    marked: Bools = array == (255 if array.size and array.max() == 255 else 1)
    if not (marked | (array == 0)).all():
        raise ValueError(f"{what} {TWO_KINDS}")
    return marked

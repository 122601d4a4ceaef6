"""Take the finishing step of a method whose published image scores need all test images of a class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from zsadbench.engine.machine.method_calls import call_method, what_is
from zsadbench.errors import CellError

if TYPE_CHECKING:
    from zsadbench.types import Transductive


def finished_scores(step: Transductive, parts: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
    """Compute the image scores of a class from the parts of all its images, (images,) each.

    Raises:
        CellError: the step fails, or its scores are not one finite number per image.
    """
    if step.finish is None:
        raise CellError(f"'{step.name}' scores whole classes; it has no finishing step")
    wide = {name: np.asarray(values, np.float64) for name, values in parts.items()}
    scores = call_method(step.name, "the finishing step", step.finish, wide)
    count = len(next(iter(wide.values())))
    if not isinstance(scores, np.ndarray) or scores.shape != (count,):
        raise CellError(f"'{step.name}' returned {what_is(scores)}; wanted are image scores of the shape ({count})")
    narrow = scores.astype(np.float32)
    if not np.isfinite(narrow).all():
        raise CellError(f"'{step.name}' gives an image score that is NaN or infinite; nothing can be ranked with it")
    return narrow

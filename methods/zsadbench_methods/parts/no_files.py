"""A method that publishes no files with trained parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from zsadbench.errors import WeightsError

if TYPE_CHECKING:
    from torch import Tensor


def refuse_files(paths: Sequence[Path]) -> dict[str, Tensor]:
    """Raise `WeightsError`: no published file belongs to the method."""
    raise WeightsError(f"{', '.join(map(str, paths)) or 'nothing'}: no checkpoint of this method is published")


def no_names() -> Mapping[str, str]:
    """Return the published names of trained tensors: there are none."""
    return {}

"""Tokens that a parity fixture gives in place of images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from zsadbench.types import Tokens


def with_class_rows(patches: Tensor) -> Tensor:
    """Put a row of zeros in front of the patches, (batch, patches, width), where the class token would be."""
    return torch.cat([torch.zeros_like(patches[:, :1]), patches], dim=1)


def given(
    layers: Sequence[Tensor], shape: tuple[int, int], parts: Mapping[str, Tensor], *, values: Sequence[Tensor] = ()
) -> Tokens:
    """Make the tokens of a batch from those of its layers, (batch, 1 + patches, width), on a grid of this shape."""
    rows, columns = shape
    return Tokens(tuple(layers), columns, tuple(values), None, parts, 0 if rows == columns else rows)

"""The mask of the foreground: the first principal component of an image's own tokens, cut at a threshold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import max_pool1d, max_pool2d

if TYPE_CHECKING:
    from zsadbench_methods.anomalydino.options import Options

KERNEL = 3


def first_component(patches: Tensor, shape: tuple[int, int], options: Options) -> Tensor:
    """Project patches on the first principal component of their image: (batch, patches, width) → (batch, patches).

    The sign is that under which the mask covers more than `centre_share` of the centre window. Where neither or both
    signs do, the rule keeps the first or the second; the first is that of a component whose largest entry is positive,
    as scikit-learn from 1.5 on has it.
    """
    centred = patches.double() - patches.double().mean(dim=1, keepdim=True)
    _, vectors = torch.linalg.eigh(centred.transpose(1, 2) @ centred)  # eigenvalues rise
    axis = vectors[..., -1]  # (batch, width)
    largest = axis.gather(1, axis.abs().argmax(dim=1, keepdim=True))
    component = (centred @ (axis * largest.sign()).unsqueeze(2)).squeeze(2)
    covered = (component > options.threshold)[:, centre_window(shape, options.border)].double().mean(dim=1)
    return torch.where((covered <= options.centre_share).unsqueeze(1), -component, component).float()


def centre_window(shape: tuple[int, int], border: float) -> Tensor:
    """Return the places of the patches in the centre window, in raster order."""
    places = torch.arange(shape[0] * shape[1]).view(shape)
    rows, columns = (slice(int(side * border), int(side * (1 - border))) for side in shape)
    return places[rows, columns].flatten()


def foreground(patches: Tensor, shape: tuple[int, int], options: Options) -> Tensor:
    """Compute the mask of the foreground, boolean (batch, patches), of tokens after the final norm."""
    above = first_component(patches, shape, options) > options.threshold
    return clean(above, shape, on_grid=options.masks == "grid")


def clean(mask: Tensor, shape: tuple[int, int], *, on_grid: bool) -> Tensor:
    """Dilate a mask by a 3 × 3 kernel, then close it; outside is neutral. Boolean (batch, patches) → the same.

    Off the grid the kernel acts along the raster order, as published: on the patch before and the patch after, and from
    the end of a row to the begin of the next.
    """
    values = mask.float().view(len(mask), 1, *shape) if on_grid else mask.float().unsqueeze(1)
    pool = max_pool2d if on_grid else max_pool1d
    for sign in (1, 1, -1):  # dilate, dilate, erode
        values = sign * pool(sign * values, KERNEL, stride=1, padding=KERNEL // 2)
    return values.flatten(1) > 0.5

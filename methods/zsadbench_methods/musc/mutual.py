"""The mutual scoring mechanism (MSM): distances of every patch to the nearest patch of each other image.

All pairs of images are compared, N·(N − 1)/2 products of matrices for N images: one product serves both images of a
pair, whose nearest patches are the largest cosines of its rows and of its columns. Images are read in blocks, so that
of the tokens two blocks are in memory; the distances take N²·patches numbers for the layer and degree at work. Images
that are added later are compared with those before them, and with nothing else.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

BLOCK = 8  # images per side that are in memory at once
NEAR = 0.999  # cosine from which a distance is computed from differences: products leave too few digits
PRODUCT = 1 << 21  # cosines of one product: 8 MiB, which stay in the caches of a processor
ON_DEVICE = 32  # times as many on a GPU

Load = Callable[[int, int], Tensor]  # first image, image behind the last → (images, patches, width), unit rows


class Distances:
    """Distances to the nearest patch of every other image, for one layer and one degree.

    `table` is (N, N, patches): of every image, to every other image, for every patch; infinite to itself.
    """

    def __init__(self) -> None:
        self.table: Tensor | None = None

    def grow(self, load: Load, count: int, block: int = BLOCK) -> None:
        """Compare the images from those known so far up to `count` with all images before them.

        Args:
            load: gives the unit patches of images.
            count: of all images, at least as many as are known.
            block: images per side that are in memory at once; no result depends on it but by rounding.
        """
        known = 0 if self.table is None else len(self.table)
        for start in range(known, count, block):
            images = load(start, min(start + block, count))
            self._make_room(count, images)
            for before in range(0, start + len(images), block):
                others = images if before == start else load(before, min(before + block, start))
                for number, image in enumerate(images, start=start):
                    some = others[: max(0, number - before)]
                    if len(some):
                        self._compare(number, image, before, some)

    def _make_room(self, count: int, images: Tensor) -> None:
        known = 0 if self.table is None else len(self.table)
        if known < count:
            larger = images.new_full((count, count, images.shape[1]), torch.inf)
            if self.table is not None:
                larger[:known, :known] = self.table
            self.table = larger

    def _compare(self, number: int, image: Tensor, before: int, others: Tensor) -> None:
        """Enter the distances of an image to others that come before it, and theirs to it."""
        assert self.table is not None  # noqa: S101 - made by `_make_room`
        wanted = PRODUCT if image.device.type == "cpu" else ON_DEVICE * PRODUCT
        step = max(1, wanted // image.shape[0] ** 2)
        for start in range(0, len(others), step):
            some = others[start : start + step]
            first, last = before + start, before + start + len(some)
            self.table[number, first:last], self.table[first:last, number] = compare(image, some)

    def scores(self, nearest: int) -> Tensor:
        """Average the distances to the `nearest` nearest images: (N, patches)."""
        assert self.table is not None  # noqa: S101 - there are images
        return torch.stack([of_image.topk(nearest, dim=0, largest=False).values.mean(dim=0) for of_image in self.table])


def compare(image: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
    """Compare an image with others: distances of its patches to theirs, and of theirs to its, (images, patches) each.

    Args:
        image: unit rows (patches, width).
        others: (images, patches, width), of the same number of patches.
    """
    count, patches, _ = others.shape
    cosines = (image @ others.flatten(0, 1).T).view(patches, count, patches)
    forward, backward = cosines.amax(dim=2).T, cosines.amax(dim=0)  # (images, patches)
    there, back = ((2 - 2 * cosine).clamp_min(0).sqrt() for cosine in (forward, backward))
    if bool((forward > NEAR).any()):
        number, row = (forward > NEAR).nonzero(as_tuple=True)
        there[number, row] = (image[row] - others[number, cosines[row, number].argmax(dim=1)]).norm(dim=1)
    if bool((backward > NEAR).any()):
        number, row = (backward > NEAR).nonzero(as_tuple=True)
        back[number, row] = (others[number, row] - image[cosines[:, number, row].argmax(dim=0)]).norm(dim=1)
    return there, back

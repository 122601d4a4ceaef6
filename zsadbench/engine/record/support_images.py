"""Find support images of a few-shot run among the test images, whatever their names and file formats are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from zsadbench.data.copies.image_hashes import hash_images, hash_rows, same_pixels
from zsadbench.data.images.perceptual_hash import BITS, CLOSE, near_duplicates

if TYPE_CHECKING:
    from zsadbench.data import Dataset
    from zsadbench.engine.plan.supports import Supports


def compare_supports(
    supports: Supports, target: Dataset, evaluated: pd.DataFrame, workers: int, most: int
) -> dict[str, Any]:
    """Compare the support images with the evaluated images of the target; the entry `supports` of a ledger.

    Images with too little detail for a perceptual hash are compared pixel by pixel.

    Args:
        supports: of all classes.
        target: the data set that is evaluated.
        evaluated: the rows of its manifest that are evaluated.
        workers: threads that read images.
        most: number of pairs that are named; all are counted.
    """
    rows = pd.concat(supports.rows.values(), ignore_index=True)
    given, images = hash_rows(rows, workers), hash_images(target, evaluated, workers)
    close = near_duplicates(given.hashes, images.hashes)
    pairs = [(given.paths[left], images.paths[right], int(bits)) for left, right, bits in close]
    flat = rows[~rows["relative"].isin(given.paths)], evaluated[~evaluated["relative"].isin(images.paths)]
    pairs += [(left, right, 0) for left, right in same_pixels(*flat, workers)]
    nearest = sorted(pairs, key=lambda pair: pair[2])[:most]
    return {
        "pairs": len(pairs),
        "support_images": len({left for left, _, _ in pairs}),
        "target_images": len({right for _, right, _ in pairs}),
        "examples": [{"support": left, "target": right, "bits": bits} for left, right, bits in nearest],
        "compared": {"supports": len(rows), "target": len(evaluated)},
        "unreadable": {"supports": given.unreadable, "target": images.unreadable},
        "rule": f"at most {CLOSE} of {BITS} bits of a perceptual hash differ; without detail, all pixels are equal",
    }

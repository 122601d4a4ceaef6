"""What the masks of a copy look like: how many, how much they mark, and an identity of their own."""

import hashlib
import json
from dataclasses import dataclass

import numpy as np
import pandas as pd

from zsadbench.data.card import Positive
from zsadbench.data.images import grey_values, is_positive
from zsadbench.errors import DataError


@dataclass(frozen=True)
class MaskStatistics:
    """`number` masks could be decoded; `blank` ones mark nothing, `grey` ones hold more than two grey values.

    `share` is the part of all their pixels that is anomalous, None without any; `smallest` and `largest` are the
    least and the most anomalous pixels of a mask that is not blank. `digest` is the SHA-256 over one line a mask:
    its image's relative path, its size, its anomalous pixels and its grey values.
    """

    number: int
    blank: tuple[str, ...]
    grey: tuple[str, ...]
    share: float | None
    smallest: int | None
    largest: int | None
    digest: str

    def as_json(self) -> dict[str, object]:
        """Its numbers, and how many masks are blank or grey."""
        return {
            "number": self.number,
            "blank": len(self.blank),
            "grey": len(self.grey),
            "share": self.share,
            "smallest": self.smallest,
            "largest": self.largest,
            "digest": self.digest,
        }


def mask_statistics(manifest: pd.DataFrame, positive: Positive) -> MaskStatistics:
    """Decode every mask of a manifest once; those that cannot be are passed over, for `check` names them."""
    lines, blank, many = [], [], []
    marked: list[int] = []
    pixels = 0
    for relative, path in manifest.loc[manifest["mask"] != "", ["relative", "mask"]].itertuples(index=False):
        try:
            grey = grey_values(path)
        except DataError:
            continue
        number, kinds = int(np.count_nonzero(is_positive(grey, positive))), np.unique(grey.values).tolist()
        lines.append(json.dumps([relative, *grey.values.shape, number, kinds]))
        pixels += grey.values.size
        marked.append(number)
        blank += [] if number else [path]
        many += [path] if len(kinds) > 2 else []
    seen = [number for number in marked if number]
    return MaskStatistics(
        number=len(marked),
        blank=tuple(blank),
        grey=tuple(many),
        share=sum(marked) / pixels if pixels else None,
        smallest=min(seen, default=None),
        largest=max(seen, default=None),
        digest=hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest(),
    )

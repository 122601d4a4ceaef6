"""What the masks of a copy look like: how many, how much they mark, and an identity of their own."""

import hashlib
from dataclasses import dataclass

import pandas as pd

from zsadbench.data.cards.card import Positive
from zsadbench.data.copies.mask_facts import lines_of, mask_facts


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
    """The statistics of every mask of a manifest; those that cannot be decoded are passed over, `check` names them."""
    paths = manifest["mask"].tolist()
    facts = mask_facts(paths, positive)
    known = [(path, fact) for path, fact in zip(paths, facts, strict=True) if fact is not None]
    marked = [fact.anomalous for _, fact in known]
    pixels = sum(fact.height * fact.width for _, fact in known)
    seen = [number for number in marked if number]
    return MaskStatistics(
        number=len(known),
        blank=tuple(path for path, fact in known if not fact.anomalous),
        grey=tuple(path for path, fact in known if len(fact.greys) > 2),
        share=sum(marked) / pixels if pixels else None,
        smallest=min(seen, default=None),
        largest=max(seen, default=None),
        digest=hashlib.sha256("\n".join(lines_of(manifest, facts)).encode()).hexdigest(),
    )

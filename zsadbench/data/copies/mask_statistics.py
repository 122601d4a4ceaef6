"""Statistics of the masks of a copy, and a digest that identifies them."""

import hashlib
from dataclasses import dataclass

import pandas as pd

from zsadbench.data.cards.card import PositiveRule
from zsadbench.data.copies.mask_facts import fact_lines, mask_facts


@dataclass(frozen=True)
class MaskStatistics:
    """Statistics over the masks that can be decoded.

    Attributes:
        number: how many these are.
        blank: paths of masks without an anomalous pixel.
        grey: paths of masks with more than two grey values.
        share: the fraction of all pixels that is anomalous; None if there are no masks.
        smallest: the least number of anomalous pixels in a mask that is not blank; None if there is none.
        largest: the largest number of anomalous pixels in a mask; None if all are blank.
        digest: SHA-256 over one line per mask: relative path of its image, size, anomalous pixels, grey values.
    """

    number: int
    blank: tuple[str, ...]
    grey: tuple[str, ...]
    share: float | None
    smallest: int | None
    largest: int | None
    digest: str

    def as_json(self) -> dict[str, object]:
        """The statistics for JSON; `blank` and `grey` are numbers of masks."""
        return {
            "number": self.number,
            "blank": len(self.blank),
            "grey": len(self.grey),
            "share": self.share,
            "smallest": self.smallest,
            "largest": self.largest,
            "digest": self.digest,
        }


def mask_statistics(manifest: pd.DataFrame, positive: PositiveRule) -> MaskStatistics:
    """Compute the statistics of the masks of a manifest; masks that cannot be decoded are skipped."""
    paths = manifest["mask"].tolist()
    facts = mask_facts(paths, positive)
    known = [(path, fact) for path, fact in zip(paths, facts, strict=True) if fact is not None]
    anomalous = [fact.anomalous for _, fact in known]
    pixels = sum(fact.height * fact.width for _, fact in known)
    not_blank = [number for number in anomalous if number]
    return MaskStatistics(
        number=len(known),
        blank=tuple(path for path, fact in known if not fact.anomalous),
        grey=tuple(path for path, fact in known if len(fact.greys) > 2),
        share=sum(anomalous) / pixels if pixels else None,
        smallest=min(not_blank, default=None),
        largest=max(not_blank, default=None),
        digest=hashlib.sha256("\n".join(fact_lines(manifest, facts)).encode()).hexdigest(),
    )

"""A name → a data set that is there, complete, and says what it is."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

from zsadbench.data.cards.card import Card
from zsadbench.data.catalogue import find_card
from zsadbench.data.copies.completeness import edition_of, expectation, judge
from zsadbench.data.copies.fingerprint import content_fingerprint, fingerprint
from zsadbench.data.copies.locate import Place, find_copy
from zsadbench.data.copies.manifest import manifest
from zsadbench.data.images.preprocess import by, oriented_size
from zsadbench.data.layouts.read import read_layout
from zsadbench.data.layouts.sample import Reading, Sample
from zsadbench.data.user_images.target import is_own, own_card
from zsadbench.errors import DataError


@dataclass(frozen=True, eq=False)
class Dataset:
    """One copy of a benchmark, as far as the wanted splits go.

    `manifest` is described in `zsadbench.data.copies.manifest`. `partial` says that images, or the masks of
    samples that were therefore left out, are missing; `missing` says which, a line each, `skipped` counts
    the samples left out, by class, and `left_out` names the mask that each of them lacks. `synthetic` marks
    a miniature. `notes` are oddities that change nothing: images beyond the known counts, files that the
    layout does not speak of. `edition` is the known variant of the set that this is, by its counts; empty where
    it is none.
    """

    card: Card
    root: Path
    layout: str
    manifest: pd.DataFrame
    splits: tuple[str, ...]
    partial: bool
    synthetic: bool
    missing: tuple[str, ...]
    skipped: Mapping[str, int]
    notes: tuple[str, ...]
    left_out: tuple[str, ...] = ()
    edition: str = ""

    @cached_property
    def fingerprint(self) -> str:
        """The identity of what was read; see `zsadbench.data.copies.fingerprint`."""
        if self.card.generated:
            return content_fingerprint(self.manifest)
        return fingerprint(self.manifest, self.card.positive)

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes that have images, in the card's order."""
        there = set(self.manifest["class"])
        return tuple(name for name in self.card.classes if name in there)


def load_dataset(
    name: str,
    roots: Sequence[str | Path] | None = None,
    allow_partial: bool = False,
    splits: Sequence[str] = ("test",),
) -> Dataset:
    """Find, read and check the data set `name`, or the images that `folder:PATH` or `csv:PATH` names.

    Without `roots` the environment says where to look; see `zsadbench.data.copies.locate`.

    Raises:
        UsageError: no card has this name.
        DataError: it is not found, incomplete (unless `allow_partial`), or wrong.
    """
    card, place = _placed(name, roots)
    expected, synthetic = expectation(card, place.root)
    reading = _read(card, place, splits)
    verdict = judge(reading.samples, expected, splits)
    missing = [*verdict.missing, *_absent(reading.absent)]
    edition = edition_of(card, reading.samples) if verdict.missing else ""
    if missing and not allow_partial:
        raise _incomplete(card, place, [*missing, *_as_many(edition)])
    kept, maskless = _with_masks(card, reading.samples, leave_out=allow_partial and not is_own(name))
    return Dataset(
        card=card,
        root=place.root,
        layout=place.layout.name,
        manifest=manifest(card, place.root, kept),
        splits=tuple(splits),
        partial=bool(missing or maskless),
        synthetic=synthetic,
        missing=(*missing, *_masks_gone(maskless)),
        skipped=dict(Counter(sample.class_name for sample in maskless)),
        notes=(*_as_many(edition), *verdict.notes, *reading.notes),
        left_out=tuple(f"{one.wanted or 'a mask'} is missing (the mask of {one.image})" for one in maskless),
        edition=edition,
    )


def check_masks(dataset: Dataset) -> None:
    """Compare the size of every mask with its image's, from the headers of the files.

    Raises:
        DataError: some differ or cannot be opened; the first is named, the others are counted.
    """
    faults = mask_faults(dataset)
    if faults:
        more = f"; {len(faults) - 1} more like it" if len(faults) > 1 else ""
        raise DataError(f"{dataset.card.name}: {faults[0]}{more}")


def mask_faults(dataset: Dataset) -> list[str]:
    """A line for every mask that cannot be opened or is not as large as its image, judged by the headers.

    An image that cannot be opened is no fault of its mask: it costs its own class when it is read, and no other.
    """
    return [fault for image, mask in _pairs(dataset.manifest) if (fault := _fault(image, mask))]


def _pairs(frame: pd.DataFrame) -> Iterable[tuple[str, str]]:
    masked = frame[frame["mask"] != ""]
    return zip(masked["path"], masked["mask"], strict=True)


def _fault(image: str, mask: str) -> str:
    try:
        own = oriented_size(mask)
    except DataError as failure:
        return str(failure)
    try:
        size = oriented_size(image)
    except DataError:
        return ""
    return "" if own == size else f"mask '{mask}' is {by(*own)}, its image is {by(*size)}"


def _placed(name: str, roots: Sequence[str | Path] | None) -> tuple[Card, Place]:
    if is_own(name):
        card, layout, root = own_card(name)
        return card, Place(root, layout)
    card = find_card(name)
    return card, find_copy(card, roots)


def _read(card: Card, place: Place, splits: Sequence[str]) -> Reading:
    """What the layout says of these splits; an error where that is not a single image."""
    reading = read_layout(card, place.layout, place.root)
    samples, absent = ([sample for sample in part if sample.split in splits] for part in reading[:2])
    if not samples:
        raise DataError(
            f"{card.name}: no {' or '.join(splits)} image in '{place.root}' "
            f"(layout '{place.layout.name}'){''.join(f'; {line}' for line in _absent(absent))}"
        )
    return Reading(samples, absent, reading.notes)


def _absent(absent: Sequence[Sample]) -> list[str]:
    if not absent:
        return []
    first = absent[0]
    return [f"{len(absent)} images that a table names are not there, first {first.image} (named in {first.named_in})"]


def _as_many(edition: str) -> list[str]:
    return [f"as many images as in another edition: {edition}"] if edition else []


def _incomplete(card: Card, place: Place, missing: Iterable[str]) -> DataError:
    what = f"{card.name}: incomplete: {'; '.join(missing)}; in '{place.root}'. "
    if card.generated:
        return DataError(f"{what}Remove this folder, and the set is drawn anew")
    if is_own(card.name):
        return DataError(f"{what}Restore what is missing, or correct the table")
    return DataError(
        f"{what}Restore what is missing from {card.homepage}, or pass --allow-partial to use what is there "
        "(the record says so)."
    )


def _with_masks(card: Card, samples: Iterable[Sample], leave_out: bool) -> tuple[list[Sample], list[Sample]]:
    """Samples to use, and anomalous ones of a pixel-level set that lack their mask, where these may be left out."""
    kept: list[Sample] = []
    maskless: list[Sample] = []
    for sample in samples:
        lacks = card.pixel_level and sample.label == 1 and not sample.mask
        (maskless if lacks else kept).append(sample)
    if maskless and not (leave_out and kept):
        raise _maskless(card, maskless)
    return kept, maskless


def _maskless(card: Card, maskless: Sequence[Sample]) -> DataError:
    first = maskless[0]
    place = f", {first.named_in}" if first.named_in else ""
    named = f"named in {first.named_in}" if first.named_in and first.wanted else f"the mask of {first.image}{place}"
    more = f", and {len(maskless) - 1} more" if len(maskless) > 1 else ""
    remedy = (
        "Restore it"
        if is_own(card.name)
        else ("Restore it from the archive, or pass --allow-partial to leave such samples out and have them counted")
    )
    return DataError(f"{card.name}: {first.wanted or 'a mask'} is missing ({named}){more}. {remedy}.")


def _masks_gone(maskless: Sequence[Sample]) -> list[str]:
    counts = Counter(sample.class_name for sample in maskless)
    return [f"{name}: {number} anomalous left out, for their masks are missing" for name, number in counts.items()]

"""Check a copy of a data set: faults with their paths, and the number of images per class."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from zsadbench.data.cards.card import Card, LabelCounts
from zsadbench.data.catalogue import find_card
from zsadbench.data.copies.completeness import expected_counts
from zsadbench.data.copies.dataset import Dataset, load_dataset
from zsadbench.data.copies.mask_review import emptied_masks
from zsadbench.data.copies.mask_statistics import MaskStatistics, mask_statistics
from zsadbench.data.images.preprocess import oriented_size, read_image
from zsadbench.data.layouts.left_out import LeftOut, all_left_out
from zsadbench.data.user_images.target import is_user_target
from zsadbench.errors import DataError
from zsadbench.printing import blank_masks_line, left_out_line

SIZE = 518  # pixels: the usual size of evaluation


@dataclass(frozen=True)
class Check:
    """The result of checking one copy.

    Attributes:
        card: the card of the data set.
        faults: what must be repaired before a run, one line each.
        root: the folder of the copy; None if it was not found.
        layout: the name of its layout.
        synthetic: whether the copy is a synthetic miniature.
        fingerprint: its identity, as in records.
        classes: class → (normal, anomalous) images found, and those expected; None if these are unknown.
        notes: oddities that do not prevent a run, one line each.
        edition: the known edition of the data set that this is; empty if it is none.
        masks: statistics of the masks, after a deep check.
        unread: class → files that are or claim to be images and are not read, as in `Dataset.unread`.
    """

    card: Card
    faults: tuple[str, ...]
    root: Path | None = None
    layout: str = ""
    synthetic: bool = False
    fingerprint: str = ""
    classes: Mapping[str, tuple[LabelCounts, LabelCounts | None]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    edition: str = ""
    masks: MaskStatistics | None = None
    unread: Mapping[str, LeftOut] = field(default_factory=dict)


def check_copy(
    name: str,
    roots: Sequence[str | Path] | None = None,
    splits: Sequence[str] = ("test",),
    normal: Sequence[str] = (),
    *,
    deep: bool = False,
) -> Check:
    """Check the copy of the data set `name` that a run would use.

    Args:
        name: a data set, `folder:PATH` or `csv:PATH`.
        roots: data roots; None for those of the environment.
        splits: the splits to check; a zero-shot run reads only `test`.
        normal: of `folder:PATH`, names of the folders of normal images; empty to recognise them.
        deep: whether to decode every file instead of reading only headers.

    Raises:
        UsageError: there is no data set with this name.
    """
    try:
        dataset = load_dataset(name, roots, allow_partial=True, splits=splits, normal=normal)
    except DataError as failure:
        unreadable = Card(name, name, "own", (), {}, (), licence="your own")
        return Check(unreadable if is_user_target(name) else find_card(name), (str(failure),))
    notes, masks = [*dataset.notes, *dataset.mask_review.warnings, *_size_notes(dataset)], None
    faults = _file_faults(dataset)
    if deep:
        faults += [fault for fault in _decoding_faults(dataset.manifest) if fault not in faults]
        masks = mask_statistics(dataset.manifest, dataset.card.positive)
        notes += _mask_notes(masks)
    return Check(
        card=dataset.card,
        faults=tuple(faults),
        root=dataset.root,
        layout=dataset.layout,
        synthetic=dataset.synthetic,
        fingerprint=dataset.fingerprint,
        classes=_counts_by_class(dataset),
        notes=tuple(notes),
        edition=dataset.edition,
        masks=masks,
        unread=dataset.unread,
    )


def _file_faults(dataset: Dataset) -> list[str]:
    """What is missing or too much, files that are not read, masks that cannot be used, and images without a header."""
    unread, review = all_left_out(dataset.unread), dataset.mask_review
    faults = [*dataset.missing, *dataset.excess, *dataset.left_out, *([left_out_line(*unread)] if unread else [])]
    faults += [*review.refused, *review.broken]
    return [*faults, *(fault for fault in _header_faults(dataset.manifest) if fault not in faults)]


def _size_notes(dataset: Dataset) -> list[str]:
    """A note on masks that are blank at the usual size."""
    emptied = [] if dataset.card.generated else emptied_masks(dataset.manifest, dataset.card.positive, SIZE)
    return [blank_masks_line(len(emptied), int((dataset.manifest["mask"] != "").sum()), SIZE)] if emptied else []


def _counts_by_class(dataset: Dataset) -> dict[str, tuple[LabelCounts, LabelCounts | None]]:
    """Class → images found and expected, over all checked splits."""
    by_split, _ = expected_counts(dataset.card, dataset.root)
    found = dataset.manifest.groupby(["class", "label"]).size()
    counts: dict[str, tuple[LabelCounts, LabelCounts | None]] = {}
    for name in dataset.card.classes:
        known = [
            by_split[split].counts[name]
            for split in dataset.splits
            if split in by_split and name in by_split[split].counts
        ]
        expected = (sum(pair[0] for pair in known), sum(pair[1] for pair in known)) if known else None
        counts[name] = ((int(found.get((name, 0), 0)), int(found.get((name, 1), 0))), expected)
    return counts


def _decoding_faults(manifest: pd.DataFrame) -> Iterator[str]:
    """One line per image or mask that cannot be decoded completely."""
    for path in [*manifest["path"], *manifest.loc[manifest["mask"] != "", "mask"]]:
        try:
            read_image(path)
        except DataError as failure:
            yield str(failure)


def _header_faults(manifest: pd.DataFrame) -> Iterator[str]:
    """One line per image whose header cannot be read, with the text that decoding it would give."""
    for path in manifest["path"]:
        try:
            oriented_size(path)
        except DataError as failure:
            yield str(failure)


def _mask_notes(masks: MaskStatistics) -> list[str]:
    """A note on anomalous images with a blank mask."""
    blank = masks.blank
    return [f"{len(blank)} blank masks of anomalous images (their label stays), first {blank[0]}"] if blank else []

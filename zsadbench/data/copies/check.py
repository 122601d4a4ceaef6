"""Is the copy on disk the right one? Every fault with its path, per class what is there and what should be."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from zsadbench.data.cards.card import Card, Pair
from zsadbench.data.catalogue import find_card
from zsadbench.data.copies.completeness import expectation
from zsadbench.data.copies.dataset import Dataset, load_dataset, mask_faults
from zsadbench.data.copies.mask_statistics import MaskStatistics, mask_statistics
from zsadbench.data.images.preprocess import oriented_size, read_image
from zsadbench.data.user_images.target import is_own
from zsadbench.errors import DataError


@dataclass(frozen=True)
class Check:
    """What was found of one data set. `classes` maps a class to the (normal, anomalous) found and expected.

    `faults` are what must be mended before a run, a line each; `notes` are oddities that stop nothing. `masks` are
    there after a deep check.
    """

    card: Card
    faults: tuple[str, ...]
    root: Path | None = None
    layout: str = ""
    synthetic: bool = False
    fingerprint: str = ""
    classes: Mapping[str, tuple[Pair, Pair | None]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    edition: str = ""
    masks: MaskStatistics | None = None


def check_copy(
    name: str, roots: Sequence[str | Path] | None = None, splits: Sequence[str] = ("test",), *, deep: bool = False
) -> Check:
    """Judge the copy of the data set `name` that a run would use.

    Args:
        name: a data set, `folder:PATH` or `csv:PATH`.
        roots: where to look; None for the environment's.
        splits: what to judge; a zero-shot run reads `test` alone.
        deep: decode every file, not only the headers.

    Raises:
        UsageError: no data set has this name.
    """
    try:
        found = load_dataset(name, roots, allow_partial=True, splits=splits)
    except DataError as failure:
        return Check(_nameable(name), (str(failure),))
    notes, masks = list(found.notes), None
    faults = [*found.missing, *found.left_out, *mask_faults(found)]
    faults += [fault for fault in _without_header(found.manifest) if fault not in faults]
    if deep:
        faults += [fault for fault in _undecodable(found.manifest) if fault not in faults]
        masks = mask_statistics(found.manifest, found.card.positive)
        notes += _odd(masks, found.card.positive)
    return Check(
        card=found.card,
        faults=tuple(faults),
        root=found.root,
        layout=found.layout,
        synthetic=found.synthetic,
        fingerprint=found.fingerprint,
        classes=_classes(found),
        notes=tuple(notes),
        edition=found.edition,
        masks=masks,
    )


def _nameable(name: str) -> Card:
    """The card, or as much of it as one's own images have when they cannot be read."""
    return Card(name, name, "own", (), {}, (), licence="your own") if is_own(name) else find_card(name)


def _classes(found: Dataset) -> dict[str, tuple[Pair, Pair | None]]:
    """Per class, all judged splits together."""
    expected, _ = expectation(found.card, found.root)
    counted = found.manifest.groupby(["class", "label"]).size()
    rows: dict[str, tuple[Pair, Pair | None]] = {}
    for name in found.card.classes:
        known = [expected[split].counts[name] for split in found.splits if name in _counts(expected.get(split))]
        wanted = (sum(pair[0] for pair in known), sum(pair[1] for pair in known)) if known else None
        rows[name] = ((int(counted.get((name, 0), 0)), int(counted.get((name, 1), 0))), wanted)
    return rows


def _counts(expected: object) -> Mapping[str, Pair]:
    return getattr(expected, "counts", {})


def _undecodable(manifest: pd.DataFrame) -> Iterator[str]:
    """A line for every image or mask that cannot be decoded to its end."""
    for path in [*manifest["path"], *manifest.loc[manifest["mask"] != "", "mask"]]:
        try:
            read_image(path)
        except DataError as failure:
            yield str(failure)


def _without_header(manifest: pd.DataFrame) -> Iterator[str]:
    """A line for every image whose header cannot be read, one of no bytes among them, as decoding it would say."""
    for path in manifest["path"]:
        try:
            oriented_size(path)
        except DataError as failure:
            yield str(failure)


def _odd(masks: MaskStatistics, positive: str) -> list[str]:
    """Anomalous samples whose mask is blank, and masks with more than two grey values; counted, the first named."""
    kinds = (
        (masks.blank, "blank masks of anomalous images (their label stays)"),
        (masks.grey, f"masks with more than two grey values (the rule is '{positive}')"),
    )
    return [f"{len(paths)} {what}, first {paths[0]}" for paths, what in kinds if paths]

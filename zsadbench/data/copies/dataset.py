"""Load a data set: find the copy, read its manifest, and check that it is complete."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from zsadbench.data.cards.card import Card
from zsadbench.data.cards.layout import TableLayout
from zsadbench.data.catalogue import all_cards, find_card
from zsadbench.data.copies.completeness import compare_counts, edition_of, expected_counts, probable_set
from zsadbench.data.copies.file_hashes import FileHashes
from zsadbench.data.copies.fingerprint import content_fingerprint, fingerprint, hash_manifest
from zsadbench.data.copies.locate import CopyLocation, find_copy
from zsadbench.data.copies.manifest import make_manifest
from zsadbench.data.copies.mask_missing import mask_missing
from zsadbench.data.copies.mask_review import MaskReview, frame_faults, review_masks
from zsadbench.data.copies.overview import count_images, overview_html
from zsadbench.data.layouts.irregular import check_regular
from zsadbench.data.layouts.left_out import LeftOut, all_left_out
from zsadbench.data.layouts.read import read_layout
from zsadbench.data.layouts.sample import LayoutSamples, Sample
from zsadbench.data.user_images.target import NORMAL_NAMES, is_folder, is_user_target, user_target_card
from zsadbench.errors import DataError
from zsadbench.printing import left_out_line


@dataclass(frozen=True, eq=False)
class Dataset:
    """One copy of a data set, with the samples of the splits that were loaded.

    Attributes:
        card: the card of the data set.
        root: the folder of the copy.
        layout: the name of its layout.
        manifest: one row per sample; see `zsadbench.data.copies.manifest`.
        splits: the splits that were loaded.
        partial: whether images are missing, or samples are left out because their masks are missing, or there are more
            images than the data set has.
        synthetic: whether the copy is a synthetic miniature.
        missing: what is missing, one line each.
        skipped: class → number of samples left out because their masks are missing.
        notes: oddities that change nothing, one line each.
        left_out: the missing mask of each sample left out, one line each.
        edition: the known edition of the data set that this is, by its number of images; empty if it is none.
        excess: the images that are more than an exact number, one line each.
        unread: class → files below its folders that are or claim to be images, are not ignored by the card, and are
            not read; those below no folder of a class are under an empty name.
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
    excess: tuple[str, ...] = ()
    unread: Mapping[str, LeftOut] = field(default_factory=dict)

    @cached_property
    def files(self) -> FileHashes:
        """The hashes of every image and mask when this was first read; a run compares its files with them.

        Raises:
            DataError: a file no longer exists, or changes while it is read.
        """
        return hash_manifest(self.manifest, self.root)

    @cached_property
    def fingerprint(self) -> str:
        """The identity of the samples; see `zsadbench.data.copies.fingerprint`.

        Raises:
            DataError: as `files`, or an image of a generated set cannot be read.
        """
        files = self.files  # before any pixel is read, so that a later change is seen
        if self.card.generated:
            return content_fingerprint(self.manifest)
        return fingerprint(self.manifest, self.card.positive, files)

    @cached_property
    def mask_review(self) -> MaskReview:
        """What is wrong or odd about the masks; see `zsadbench.data.copies.mask_review`."""
        return review_masks(self.manifest, self.card.positive)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a user of the numbers should know of the files, one line each: files not read, unusual masks."""
        unread = all_left_out(self.unread)
        return (*([left_out_line(*unread)] if unread else []), *self._warnings_in_records)

    @property
    def _warnings_in_records(self) -> tuple[str, ...]:
        rows = self.manifest
        with_normal = set(rows.loc[rows["label"] == 0, "class"])
        asked = is_folder(self.card.name) and "test" in self.splits
        without = [name for name in self.classes if asked and name not in with_normal]
        lines = [f"{', '.join(without)}: no normal image; {NORMAL_NAMES}"] if without else []
        return (*lines, *self.mask_review.warnings)

    def left_out_of(self, class_name: str) -> int:
        """The number of files below the folders of a class that are or claim to be images and are not read."""
        return self.unread[class_name].number if class_name in self.unread else 0

    def provenance(self) -> dict[str, Any]:
        """What a record says of the copy: its layout, its edition, and where there are any, its warnings."""
        unread, warnings = all_left_out(self.unread), self._warnings_in_records
        return {
            "data_layout": self.layout,
            "data_edition": self.edition or None,
            **({"data_left_out": unread._asdict()} if unread else {}),
            **({"data_warnings": list(warnings)} if warnings else {}),
        }

    def counts(self) -> pd.DataFrame:
        """Return the numbers of images per class and split; see `zsadbench.data.copies.overview.count_images`."""
        return count_images(self.manifest)

    def _repr_html_(self) -> str:
        """Show the counts and a few anomalous images with their masks."""
        origin = (f"{len(self.missing)} things are missing",) if self.missing else ()
        return overview_html(self.card.title, self.manifest, self.card.positive, origin)

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes that have images, in the order of the card."""
        with_images = set(self.manifest["class"])
        return tuple(name for name in self.card.classes if name in with_images)


def load_dataset(
    name: str,
    roots: Sequence[str | Path] | None = None,
    allow_partial: bool = False,
    splits: Sequence[str] = ("test",),
    normal: Sequence[str] = (),
) -> Dataset:
    """Load a data set, or the images of `folder:PATH` or `csv:PATH`.

    Args:
        name: a data set, `folder:PATH` or `csv:PATH`.
        roots: data roots; None for those of the environment, see `zsadbench.data.copies.locate`.
        allow_partial: whether images and masks may be missing, and whether there may be more than the data set has.
        splits: the splits to load.
        normal: of `folder:PATH`, names of the folders of normal images; empty to recognise them.

    Raises:
        UsageError: there is no data set with this name.
        DataError: the copy is not found, incomplete or too large (unless `allow_partial`), or invalid.
    """
    card, location = _locate(name, roots, normal)
    expected, synthetic = expected_counts(card, location.root)
    content = _read_splits(card, location, splits)
    links = not (isinstance(location.layout, TableLayout) and location.layout.user_made)
    check_regular(card.name, location.root, content.samples, links=links)
    completeness = compare_counts(content.samples, expected, splits)
    missing = [*completeness.missing, *_absent_images(content.absent)]
    excess, differs = completeness.excess, any(completeness)
    edition, likely = _likely(card, content) if differs else ("", "")
    if (missing or excess) and not allow_partial:
        raise _incomplete(card, location, missing, excess, likely)
    leave_out = allow_partial and not is_user_target(name)
    kept, maskless = _split_maskless(card, location.root, content.samples, leave_out=leave_out)
    skipped = Counter(sample.class_name for sample in maskless)
    for class_name, number in skipped.items():
        missing.append(f"{class_name}: {number} anomalous left out, for their masks are missing")
    return Dataset(
        card=card,
        root=location.root,
        layout=location.layout.name,
        manifest=make_manifest(card, location.root, kept),
        splits=tuple(splits),
        partial=bool(missing or excess),
        synthetic=synthetic,
        missing=tuple(missing),
        skipped=dict(skipped),
        notes=(*filter(None, [likely]), *completeness.notes, *content.notes),
        left_out=tuple(f"{sample.wanted or 'a mask'} is missing (the mask of {sample.image})" for sample in maskless),
        edition=edition,
        excess=tuple(excess),
        unread=content.left_out,
    )


def _likely(card: Card, content: LayoutSamples) -> tuple[str, str]:
    """The edition with as many images, and a line that names it or another such data set; empty if there is none."""
    edition = edition_of(card, content.samples)
    if edition:
        return edition, f"as many images as in another edition: {edition}"
    title = "" if is_user_target(card.name) else probable_set(card, all_cards(), content.samples)
    return "", f"as many images as in {title}: probably that data set" if title else ""


def check_masks(dataset: Dataset) -> None:
    """Check that every mask is as large as its image and can be read in one way only.

    Raises:
        DataError: there is another mask; the first is named, the others are counted.
    """
    _raise_first(dataset, review_masks(dataset.manifest, dataset.card.positive).refused)


def check_files(dataset: Dataset) -> None:
    """Check what can be known of the files before a run: masks, as `check_masks`, and that no image has several frames.

    Raises:
        DataError: there is a fault; the first is named, the others are counted.
    """
    _raise_first(dataset, dataset.mask_review.refused)
    _raise_first(dataset, frame_faults(dataset.manifest["path"]))


def _raise_first(dataset: Dataset, faults: Sequence[str]) -> None:
    if faults:
        more = f"; {len(faults) - 1} more like it" if len(faults) > 1 else ""
        raise DataError(f"{dataset.card.name}: {faults[0]}{more}")


def _locate(name: str, roots: Sequence[str | Path] | None, normal: Sequence[str]) -> tuple[Card, CopyLocation]:
    if is_user_target(name):
        card, layout, root = user_target_card(name, normal)
        return card, CopyLocation(root, layout)
    card = find_card(name)
    return card, find_copy(card, roots)


def _read_splits(card: Card, location: CopyLocation, splits: Sequence[str]) -> LayoutSamples:
    """Read the samples of these splits.

    Raises:
        DataError: there are none, or as `read_layout`.
    """
    content = read_layout(card, location.layout, location.root)
    samples = [sample for sample in content.samples if sample.split in splits]
    absent = [sample for sample in content.absent if sample.split in splits]
    if not samples:
        raise DataError(
            f"{card.name}: no {' or '.join(splits)} image in '{location.root}' "
            f"(layout '{location.layout.name}'){''.join(f'; {line}' for line in _absent_images(absent))}"
        )
    return content._replace(samples=samples, absent=absent)


def _absent_images(absent: Sequence[Sample]) -> list[str]:
    if not absent:
        return []
    first = absent[0]
    return [f"{len(absent)} images that a table names are not there, first {first.image} (named in {first.named_in})"]


def _incomplete(
    card: Card, location: CopyLocation, missing: Sequence[str], excess: Sequence[str], likely: str
) -> DataError:
    found = [("incomplete", missing), ("more images than the data set has", excess)]
    lines = [f"{fault}: {'; '.join(lines)}" for fault, lines in found if lines]
    what = f"{card.name}: {'; '.join(filter(None, [*lines, likely]))}; in '{location.root}'. "
    if card.generated:
        return DataError(f"{what}Remove this folder, and the set is generated again")
    if is_user_target(card.name):
        return DataError(f"{what}Restore what is missing, or correct the table")
    remedy = f"Restore what is missing from {card.homepage}" if missing else "Remove what belongs to other data sets"
    return DataError(f"{what}{remedy}, or pass --allow-partial to use what is there (the record says so).")


def _split_maskless(
    card: Card, root: Path, samples: Iterable[Sample], *, leave_out: bool
) -> tuple[list[Sample], list[Sample]]:
    """The samples to use, and those left out: anomalous samples of a pixel-level set without a mask.

    Raises:
        DataError: a mask is missing and samples may not be left out, or no sample would remain.
    """
    kept: list[Sample] = []
    maskless: list[Sample] = []
    for sample in samples:
        lacks_mask = card.pixel_level and sample.label == 1 and not sample.mask
        (maskless if lacks_mask else kept).append(sample)
    if maskless and not (leave_out and kept):
        raise DataError(mask_missing(card, root, maskless))
    return kept, maskless

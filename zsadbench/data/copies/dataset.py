"""Load a data set: find the copy, read its manifest, and check that it is complete."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

from zsadbench.data.cards.card import Card
from zsadbench.data.catalogue import find_card
from zsadbench.data.copies.completeness import compare_counts, edition_of, expected_counts
from zsadbench.data.copies.file_hashes import FileHashes
from zsadbench.data.copies.fingerprint import content_fingerprint, fingerprint, hash_manifest
from zsadbench.data.copies.locate import CopyLocation, find_copy
from zsadbench.data.copies.manifest import make_manifest
from zsadbench.data.images.preprocess import oriented_size, size_text
from zsadbench.data.layouts.read import read_layout
from zsadbench.data.layouts.sample import LayoutSamples, Sample
from zsadbench.data.user_images.target import is_user_target, user_target_card
from zsadbench.errors import DataError


@dataclass(frozen=True, eq=False)
class Dataset:
    """One copy of a data set, with the samples of the splits that were loaded.

    Attributes:
        card: the card of the data set.
        root: the folder of the copy.
        layout: the name of its layout.
        manifest: one row per sample; see `zsadbench.data.copies.manifest`.
        splits: the splits that were loaded.
        partial: whether images are missing, or samples are left out because their masks are missing.
        synthetic: whether the copy is a synthetic miniature.
        missing: what is missing, one line each.
        skipped: class → number of samples left out because their masks are missing.
        notes: oddities that change nothing, one line each: more images than expected, files that the layout ignores.
        left_out: the missing mask of each sample left out, one line each.
        edition: the known edition of the data set that this is, by its number of images; empty if it is none.
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
) -> Dataset:
    """Load a data set, or the images of `folder:PATH` or `csv:PATH`.

    Args:
        name: a data set, `folder:PATH` or `csv:PATH`.
        roots: data roots; None for those of the environment, see `zsadbench.data.copies.locate`.
        allow_partial: whether images and masks may be missing.
        splits: the splits to load.

    Raises:
        UsageError: there is no data set with this name.
        DataError: the copy is not found, incomplete (unless `allow_partial`), or invalid.
    """
    card, location = _locate(name, roots)
    expected, synthetic = expected_counts(card, location.root)
    content = _read_splits(card, location, splits)
    completeness = compare_counts(content.samples, expected, splits)
    missing = [*completeness.missing, *_absent_images(content.absent)]
    edition = edition_of(card, content.samples) if completeness.missing else ""
    edition_notes = [f"as many images as in another edition: {edition}"] if edition else []
    if missing and not allow_partial:
        raise _incomplete(card, location, [*missing, *edition_notes])
    kept, maskless = _split_maskless(card, content.samples, leave_out=allow_partial and not is_user_target(name))
    skipped = Counter(sample.class_name for sample in maskless)
    for class_name, number in skipped.items():
        missing.append(f"{class_name}: {number} anomalous left out, for their masks are missing")
    return Dataset(
        card=card,
        root=location.root,
        layout=location.layout.name,
        manifest=make_manifest(card, location.root, kept),
        splits=tuple(splits),
        partial=bool(missing),
        synthetic=synthetic,
        missing=tuple(missing),
        skipped=dict(skipped),
        notes=(*edition_notes, *completeness.notes, *content.notes),
        left_out=tuple(f"{sample.wanted or 'a mask'} is missing (the mask of {sample.image})" for sample in maskless),
        edition=edition,
    )


def check_masks(dataset: Dataset) -> None:
    """Check that every mask is as large as its image, by the headers of the files.

    Raises:
        DataError: a mask has another size or cannot be opened; the first is named, the others are counted.
    """
    faults = mask_faults(dataset)
    if faults:
        more = f"; {len(faults) - 1} more like it" if len(faults) > 1 else ""
        raise DataError(f"{dataset.card.name}: {faults[0]}{more}")


def mask_faults(dataset: Dataset) -> list[str]:
    """One line per mask that cannot be opened or is not as large as its image, by the headers of the files.

    An image that cannot be opened is not a fault of its mask; it fails its own class when it is read.
    """
    masked = dataset.manifest[dataset.manifest["mask"] != ""]
    pairs = zip(masked["path"], masked["mask"], strict=True)
    return [fault for image, mask in pairs if (fault := _mask_fault(image, mask))]


def _mask_fault(image: str, mask: str) -> str:
    try:
        mask_size = oriented_size(mask)
    except DataError as failure:
        return str(failure)
    try:
        image_size = oriented_size(image)
    except DataError:
        return ""
    if mask_size == image_size:
        return ""
    return f"mask '{mask}' is {size_text(*mask_size)}, its image is {size_text(*image_size)}"


def _locate(name: str, roots: Sequence[str | Path] | None) -> tuple[Card, CopyLocation]:
    if is_user_target(name):
        card, layout, root = user_target_card(name)
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
    return LayoutSamples(samples, absent, content.notes)


def _absent_images(absent: Sequence[Sample]) -> list[str]:
    if not absent:
        return []
    first = absent[0]
    return [f"{len(absent)} images that a table names are not there, first {first.image} (named in {first.named_in})"]


def _incomplete(card: Card, location: CopyLocation, missing: Iterable[str]) -> DataError:
    what = f"{card.name}: incomplete: {'; '.join(missing)}; in '{location.root}'. "
    if card.generated:
        return DataError(f"{what}Remove this folder, and the set is generated again")
    if is_user_target(card.name):
        return DataError(f"{what}Restore what is missing, or correct the table")
    return DataError(
        f"{what}Restore what is missing from {card.homepage}, or pass --allow-partial to use what is there "
        "(the record says so)."
    )


def _split_maskless(card: Card, samples: Iterable[Sample], leave_out: bool) -> tuple[list[Sample], list[Sample]]:
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
        raise _mask_missing(card, maskless)
    return kept, maskless


def _mask_missing(card: Card, maskless: Sequence[Sample]) -> DataError:
    first = maskless[0]
    table = f", {first.named_in}" if first.named_in else ""
    source = f"named in {first.named_in}" if first.named_in and first.wanted else f"the mask of {first.image}{table}"
    more = f", and {len(maskless) - 1} more" if len(maskless) > 1 else ""
    remedy = (
        "Restore it"
        if is_user_target(card.name)
        else "Restore it from the archive, or pass --allow-partial to leave such samples out and have them counted"
    )
    return DataError(f"{card.name}: {first.wanted or 'a mask'} is missing ({source}){more}. {remedy}.")

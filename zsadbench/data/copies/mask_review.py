"""Review the masks of a copy: which cannot be used, which can be read in two ways, and which are unusual."""

import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import pandas as pd

from zsadbench.data.cards.card import PositiveRule
from zsadbench.data.copies.mask_facts import MaskFacts, mask_facts
from zsadbench.data.images.formats import SeveralFramesError
from zsadbench.data.images.mask_values import AmbiguousMaskError, read_grey_mask
from zsadbench.data.images.masks import is_drawn_unturned, read_mask, resize_mask_nearest
from zsadbench.data.images.preprocess import ImageHeader, read_header, size_text
from zsadbench.errors import DataError

MOST = 0.5  # of the pixels of a mask, and of the masks of a class
MIDDLE = 128  # of grey values
NOT_OPENED = frozenset({"jpg", "jpeg", "jpe", "jfif", "dcm", "dicom"})  # to look for frames: JPEG has none


class MaskReview(NamedTuple):
    """One line for each of these.

    Attributes:
        refused: masks that prevent a run: missing or without a header, of another size than their image, or to be read
            in two ways.
        broken: masks that cannot be decoded, and are not refused; a run loses their classes.
        warnings: kinds of unusual masks.
    """

    refused: tuple[str, ...]
    broken: tuple[str, ...]
    warnings: tuple[str, ...]


class _Pair(NamedTuple):
    """A mask with its image and class; its facts are None if it cannot be decoded."""

    image: str
    mask: str
    class_name: str
    facts: MaskFacts | None


def review_masks(manifest: pd.DataFrame, positive: PositiveRule) -> MaskReview:
    """Review the masks of a manifest; `positive` is the rule by which their values are anomalous."""
    rows = manifest[manifest["mask"] != ""]
    facts = mask_facts(rows["mask"].tolist(), positive)
    pairs = [_Pair(*row) for row in zip(rows["path"], rows["mask"], rows["class"], facts, strict=True)]
    refused: list[str] = []
    broken: list[str] = []
    undecided: list[str] = []
    for pair in pairs:
        fault, is_undecided = _compare_headers(pair.image, pair.mask)
        if fault:
            refused.append(fault)
        elif pair.facts is None:
            _add_decoding_fault(pair.mask, refused, broken)
        elif is_undecided:
            undecided.append(pair.mask)
    return MaskReview(tuple(refused), tuple(broken), (*_turned_warning(undecided), *_unusual(pairs, positive)))


def _compare_headers(image: str, mask: str) -> tuple[str, bool]:
    """A fault of the mask, by the headers of both files, and whether they leave open which way up the mask is.

    An image that cannot be opened is not a fault of its mask; it fails its own class when it is read.
    """
    try:
        mask_header = read_header(mask)
    except DataError as failure:
        return str(failure), False
    try:
        image_header = read_header(image)
    except DataError:
        return "", False
    turned = is_drawn_unturned(image_header, mask_header)
    if mask_header.upright != image_header.upright and not turned:
        return _size_fault(image_header, mask, mask_header), False
    is_rotated = image_header.orientation not in {None, 1}
    return "", is_rotated and mask_header.orientation is None and not _sizes_tell(image_header, turned=turned)


def _sizes_tell(image: ImageHeader, *, turned: bool) -> bool:
    """Whether sizes tell if a mask without an orientation is drawn on the stored or on the upright image."""
    return turned or image.stored != image.upright


def _size_fault(image: ImageHeader, mask: str, mask_header: ImageHeader) -> str:
    sizes = f"{size_text(*mask_header.upright)}, its image is {size_text(*image.upright)}"
    turned = " after EXIF has turned it" if image.stored != image.upright else ""
    return f"mask '{mask}' is {sizes}{turned}"


def _add_decoding_fault(mask: str, refused: list[str], broken: list[str]) -> None:
    """Decode a mask that could not be decoded once more, for the reason."""
    try:
        read_grey_mask(mask)
    except AmbiguousMaskError as failure:
        refused.append(str(failure))
    except DataError as failure:
        broken.append(str(failure))


def _turned_warning(masks: Sequence[str]) -> list[str]:
    if not masks:
        return []
    return [
        f"EXIF turns the images of {len(masks)} masks that state no orientation, and sizes do not tell whether they "
        f"are drawn on the turned images, as is assumed; turn the images for good; first '{masks[0]}'"
    ]


def _unusual(pairs: Sequence[_Pair], positive: PositiveRule) -> list[str]:
    """Warnings: classes most of whose masks mark most of their pixels, or none; masks that mark all; grey masks."""
    by_class: dict[str, list[tuple[str, float]]] = defaultdict(list)
    for pair in pairs:
        if pair.facts is not None:
            share = pair.facts.anomalous / max(1, pair.facts.height * pair.facts.width)
            by_class[pair.class_name].append((pair.mask, share))
    lines = [line for name, shares in by_class.items() for line in _class_warnings(name, shares)]
    return [*lines, *_grey_warning(pairs, positive)]


def _grey_warning(pairs: Sequence[_Pair], positive: PositiveRule) -> list[str]:
    """A line about masks in which dark and light grey values occur, as the rule decides what they mark."""
    grey = [pair.mask for pair in pairs if pair.facts is not None and _is_grey(pair.facts.greys)]
    if not grey:
        return []
    rule = "those from 128 on" if positive == ">= 128" else "all but black; in lossy files those from 128 on"
    return [f"{len(grey)} of {len(pairs)} masks have grey values, and count as anomalous: {rule}; first '{grey[0]}'"]


def _is_grey(values: Sequence[int]) -> bool:
    """Whether marked pixels are on both sides of the middle; numbers of classes, as in VisA, are all below it."""
    marked = [value for value in values if value]
    return bool(marked) and marked[0] < MIDDLE <= marked[-1]


def _class_warnings(class_name: str, shares: Sequence[tuple[str, float]]) -> list[str]:
    large, all_marked = ([mask for mask, share in shares if share > least] for least in (MOST, 1 - 1e-12))
    blank = [mask for mask, share in shares if not share]
    lines = []
    if len(large) > MOST * len(shares):
        mean = 100 * float(np.mean([share for _, share in shares]))
        lines.append(
            f"{class_name}: {len(large)} of {len(shares)} masks mark most of their image ({mean:.1f} % of all pixels); "
            f"inverted? first '{large[0]}'"
        )
    elif all_marked:
        lines.append(
            f"{class_name}: {len(all_marked)} of {len(shares)} masks mark all of their image; inverted? "
            f"first '{all_marked[0]}'"
        )
    if len(blank) > MOST * len(shares):
        lines.append(f"{class_name}: {len(blank)} of {len(shares)} masks are blank, first '{blank[0]}'")
    return lines


def emptied_masks(manifest: pd.DataFrame, positive: PositiveRule, size: int) -> list[str]:
    """The masks that mark pixels and are blank after resizing to `size` × `size` by nearest neighbour."""
    masks = manifest.loc[manifest["mask"] != "", "mask"].tolist()
    facts = zip(masks, mask_facts(masks, positive), strict=True)
    large = [mask for mask, fact in facts if fact and fact.anomalous and max(fact.height, fact.width) > size]

    def is_emptied(mask: str) -> bool:
        try:
            return not resize_mask_nearest(read_mask(mask, positive), size).any()
        except DataError:
            return False

    with ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="zsadbench-mask") as pool:
        return [mask for mask, emptied in zip(large, pool.map(is_emptied, large), strict=True) if emptied]


def frame_faults(images: Iterable[str]) -> list[str]:
    """One line per image that holds several frames, by the headers; JPEG and DICOM files are not opened."""
    faults = []
    for path in images:
        if path.rpartition(".")[2].casefold() not in NOT_OPENED:
            try:
                read_header(path)
            except SeveralFramesError as failure:
                faults.append(str(failure))
            except DataError:
                pass  # fails its own class when it is read
    return faults

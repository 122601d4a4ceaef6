"""How methods and protocols are shown to readers: proper name, venue, links, BibTeX key; a protocol in one sentence."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from zsadbench import registry
from zsadbench.compare.citations import NO_PAPERS, UNPUBLISHED, key_of, method_entry, paper_of, reference_of, venue_of
from zsadbench.compare.published import read_published
from zsadbench.errors import ZsadError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zsadbench.types import Paper

NAMES = {"clip": "CLIP"}  # of methods whose name neither their title nor a table of a paper prints


class MethodLabel(NamedTuple):
    """A method as readers know it; a field that is unknown is empty.

    Attributes:
        name: the name that its authors print.
        venue: short venue and year, such as `CVPR 2026`.
        paper: URL of the paper.
        code: URL of the authors' code.
        key: its BibTeX key.
    """

    name: str
    venue: str = ""
    paper: str = ""
    code: str = ""
    key: str = ""


def method_label(method: str, own: Mapping[str, Paper] = NO_PAPERS) -> MethodLabel:
    """The label of a method, from its verified reference, its card or `own_papers`; else the name itself."""
    reference, paper = reference_of(method), paper_of(method, own)
    key = key_of(method_entry(method, own))
    if reference is not None:
        name = _proper_name(method, reference.title)
        link = reference.url or (f"https://arxiv.org/abs/{reference.arxiv}" if reference.arxiv else "")
        return MethodLabel(name, venue_of(method), link, reference.code, key)
    if paper is None or paper.venue == UNPUBLISHED:
        return MethodLabel(method, key=key)
    return MethodLabel(_proper_name(method, paper.title), venue_of(method, own), paper.url, paper.code, key)


def entry_label(entry: str, method: str, own: Mapping[str, Paper] = NO_PAPERS) -> str:
    """The name of an entry with the proper name of its method in place of the registered one.

    >>> entry_label("fbclip [views=id]", "fbclip")
    'FB-CLIP [views=id]'
    """
    return method_label(method, own).name + entry.removeprefix(method)


def _proper_name(method: str, title: str) -> str:
    """The name before the colon of the title or the one that papers print, if its letters are those of `method`."""
    names = [NAMES.get(method, ""), title.partition(":")[0], *_printed_names().get(method, ())]
    return next((name for name in names if re.sub(r"[^a-z0-9]", "", name.lower()) == method), method)


@cache
def _printed_names() -> dict[str, tuple[str, ...]]:
    rows = read_published()[["method", "entry"]].drop_duplicates()
    return {str(method): tuple(map(str, part["entry"])) for method, part in rows.groupby("method")}


@cache
def protocol_text(name: str) -> str:
    """A protocol in one sentence: image, mask, map, smoothing, image score, AUPRO; empty for an unknown protocol."""
    try:
        protocol = registry.protocol(name)
    except ZsadError:
        return ""
    masks = "masks at their own size" if protocol.mask_resize == "none" else f"masks resized by {protocol.mask_resize}"
    size = "the input size" if protocol.map_size == "input" else "each mask's own size"
    smoothing = "smoothed as published" if protocol.smoothing == "published" else "not smoothed"
    aupro = {"exact": "exact AUPRO", "200_minmax": "AUPRO over 200 thresholds", "200_max": "AUPRO over 200 thresholds"}
    across = "; image scores use all test images of a class" if protocol.across_images != "none" else ""
    return (
        f"Images are resized by {protocol.interpolation}, {masks}; maps are evaluated at {size}, {smoothing}; "
        f"{aupro[protocol.aupro]} up to a false positive rate of {protocol.fpr_limit:g}; {protocol.averaging}; "
        f"{protocol.checkpoint}{across}."
    )

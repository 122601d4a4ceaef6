"""Read samples from file paths, by the ordered rules of a `FilesLayout`; the first rule that matches a path applies.

Masks are paired with images by name, never by position. Whether a mask file exists may decide a label; its content
does so only where a rule says it, for benchmarks that state labels nowhere else.
"""

import os
import posixpath
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from zsadbench.data.cards.card import Card
from zsadbench.data.cards.layout import MASK_EXTENSIONS, FilesLayout, Rule
from zsadbench.data.cards.template import fill, pattern
from zsadbench.data.layouts.file_tree import FileTree
from zsadbench.data.layouts.mask_pairs import is_image, pair_by_parts
from zsadbench.data.layouts.sample import LayoutSamples, Sample, defect_kind
from zsadbench.errors import DataError


def read_files(card: Card, layout: FilesLayout, tree: FileTree) -> LayoutSamples:
    """Read every image of the tree that a rule matches, in the order of the tree.

    Raises:
        DataError: a path contains a class that the card does not have, or a mask that decides a label cannot be read.
    """
    rules = [(pattern(rule.match), rule) for rule in layout.rules]
    samples: list[Sample] = []
    undecided: list[int] = []  # positions of the samples that their mask labels
    unpaired: dict[str, list[str]] = {}  # image → folders in which its mask may be
    for path in filter(is_image, tree.files):
        matches = ((match, rule) for expression, rule in rules if (match := expression.fullmatch(path)))
        match, rule = next(matches, (None, None))
        if match is not None and rule is not None and rule.label is not None:
            values = match.groupdict()
            samples.append(_sample(card, rule, values, path, tree))
            if rule.label == "from_mask_content" and samples[-1].mask:
                undecided.append(len(samples) - 1)
            if samples[-1].wanted and layout.user_made:
                unpaired[path] = list(dict.fromkeys(posixpath.dirname(fill(mask, values)) for mask in rule.masks))
    _label_by_masks(card, samples, undecided, tree)
    if unpaired:
        taken = {path for sample in samples for path in (sample.image, sample.mask)}
        pairs = pair_by_parts(unpaired, tree, taken)
        samples = [
            sample._replace(mask=pairs[sample.image], wanted="") if sample.image in pairs else sample
            for sample in samples
        ]
    return LayoutSamples(samples, [])


def _label_by_masks(card: Card, samples: list[Sample], positions: Sequence[int], tree: FileTree) -> None:
    """Make those of the samples normal whose mask marks no pixel; their blank mask is dropped.

    Raises:
        DataError: a mask cannot be read.
    """
    from zsadbench.data.images.masks import read_mask  # reading cards imports no NumPy

    def is_blank(position: int) -> bool:
        return not read_mask(tree.root / samples[position].mask, card.positive).any()

    with ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="zsadbench-label") as pool:
        for position, blank in zip(positions, pool.map(is_blank, positions), strict=True):
            if blank:
                samples[position] = samples[position]._replace(mask="", label=0, defect=defect_kind(0, ""))


def _sample(card: Card, rule: Rule, values: Mapping[str, str], path: str, tree: FileTree) -> Sample:
    """The sample of an image; `values` are the texts that the names in the rule's template matched."""
    mask, wanted = _find_mask(rule, values, tree) if rule.label else ("", "")
    label = (
        1 if rule.label == "from_mask_content" else int(bool(mask) if rule.label == "from_mask" else rule.label or 0)
    )
    class_text = values.get("class", next(iter(card.classes)))
    class_name = card.class_named(class_text)
    if class_name is None:
        raise unknown_class(card, class_text, f"{tree.root}/{path}")
    defect = defect_kind(label, values.get("defect", ""))
    return Sample(path, mask, label, class_name, defect, rule.split, wanted if label else "")


def _find_mask(rule: Rule, values: Mapping[str, str], tree: FileTree) -> tuple[str, str]:
    """The path of the mask and, if no mask exists, the first path that was tried."""
    names = [fill(template, values) for template in rule.masks]
    for name in names:
        stem, _, extension = name.rpartition(".")
        for candidate in (extension, *MASK_EXTENSIONS):
            mask = tree.find(f"{stem}.{candidate}")
            if mask:
                return mask, ""
    return "", next(iter(names), "")


def unknown_class(card: Card, text: str, where: str) -> DataError:
    """An error about a class that the card does not have."""
    return DataError(f"{card.name}: unknown class '{text}' in '{where}'; known: {', '.join(card.classes)}")

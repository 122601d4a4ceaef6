"""Compare the images of a copy with the expected numbers: those of the card, or those in a miniature's own file."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from zsadbench.data.cards.card import Card, Expected, LabelCounts
from zsadbench.data.copies.locate import MAX_DEPTH
from zsadbench.data.layouts.sample import Sample
from zsadbench.data.user_images.target import is_user_target
from zsadbench.errors import DataError

SYNTH = "zsadbench-synth.json"  # the file in a synthetic miniature with its numbers of images
SPLITS = frozenset({"train", "test", "val", "trainval"})
LABELS = ("normal", "anomalous")
CREDIBLE = 0.5  # a copy with less than this part of an uncertain number is incomplete

ImageCounts = Mapping[tuple[str, str, int], int]  # (split, class, label) → images


class Completeness(NamedTuple):
    """What is missing, notes on other differences, and what is more than an exact number; one line each."""

    missing: list[str]
    notes: list[str]
    excess: list[str]


def compare_counts(samples: Iterable[Sample], expected: Mapping[str, Expected], splits: Sequence[str]) -> Completeness:
    """Compare the number of samples with the expected numbers, in the given splits."""
    found = Counter((sample.split, sample.class_name, sample.label) for sample in samples)
    result = Completeness([], [], [])
    for split in splits:
        if split in expected:
            _compare_split(found, expected[split], split, result)
    return result


def edition_of(card: Card, samples: Iterable[Sample]) -> str:
    """The known edition of the data set with this number of test images; empty if there is none."""
    normal, anomalous = _test_counts(samples)
    counts = {(normal, anomalous), (normal + anomalous,)}
    return next((name for name, edition in card.editions.items() if edition in counts), "")


def probable_set(card: Card, cards: Iterable[Card], samples: Iterable[Sample]) -> str:
    """The title of another data set of the same classes that has this number of test images; empty if there is none."""
    counts = _test_counts(samples)
    for other in cards:
        expected = other.expected.get("test")
        if (
            other.name == card.name
            or other.generated
            or expected is None
            or not other.classes.keys() & card.classes.keys()
        ):
            continue
        known = expected.total or _sum_counts(expected.counts.values())
        if known == counts or counts in other.editions.values():
            return other.title
    return ""


def _test_counts(samples: Iterable[Sample]) -> LabelCounts:
    found = Counter(sample.label for sample in samples if sample.split == "test")
    return found[0], found[1]


def _sum_counts(counts: Iterable[LabelCounts]) -> LabelCounts:
    pairs = list(counts)
    return sum(normal for normal, _ in pairs), sum(anomalous for _, anomalous in pairs)


def _compare_split(found: ImageCounts, expected: Expected, split: str, result: Completeness) -> None:
    prefix = "" if split == "test" else f"{split}: "
    names = [name for name, counts in expected.counts.items() if any(counts)] or list(expected.classes)
    absent = [name for name in names if not any(_by_label(found, split, [name]))]
    if absent:
        result.missing.append(f"{prefix}{len(absent)} of {len(names)} classes missing ({', '.join(absent)})")
    total = sum(number for key, number in found.items() if key[0] == split)
    if total < expected.images:
        result.missing.append(f"{prefix}in all: {total} of {expected.images} images")
    if 0 < expected.images < total:
        result.excess.append(f"{prefix}in all: {total} images where {expected.images} are known")
    groups = {name: ([name], counts) for name, counts in expected.counts.items() if name not in absent}
    if expected.total is not None:
        groups = {"in all": (sorted({key[1] for key in found}), expected.total)}
    for name, (classes, counts) in groups.items():
        pairs = list(zip(_by_label(found, split, classes), counts, LABELS, strict=True))
        fewer = [f"{have} of {want} {label}" for have, want, label in pairs if have < want]
        more = [f"{have} {label} where {want} are known" for have, want, label in pairs if have > want]
        if fewer:
            certain = expected.certain or any(have < CREDIBLE * want for have, want, _ in pairs)
            (result.missing if certain else result.notes).append(f"{prefix}{name}: {', '.join(fewer)}")
        if more:
            (result.excess if expected.certain else result.notes).append(f"{prefix}{name}: {', '.join(more)}")


def _by_label(found: ImageCounts, split: str, classes: Iterable[str]) -> LabelCounts:
    names = list(classes)
    return sum(found[split, name, 0] for name in names), sum(found[split, name, 1] for name in names)


def expected_counts(card: Card, root: Path) -> tuple[Mapping[str, Expected], bool]:
    """Split → expected number of images, and whether the copy is a synthetic miniature.

    The file of a miniature is in the root, or in one of the two folders above it if it names this data set.

    Raises:
        DataError: the file is invalid, or the file in the root belongs to another data set.
    """
    if is_user_target(card.name):
        return card.expected, (root / SYNTH).is_file()
    for folder in (root, *root.parents[:MAX_DEPTH]):
        file = folder / SYNTH
        name, counts = _read_miniature_file(card, file) if file.is_file() else ("", {})
        if name.casefold() in map(str.casefold, card.names):
            return _parse_counts(card, file, counts), True
        if name and folder == root:
            raise DataError(f"'{file}' is a miniature of '{name}', not of '{card.name}'")
    return card.expected, False


def _read_miniature_file(card: Card, file: Path) -> tuple[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        return str(content.get("name", card.name)), content["counts"]
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as failure:
        raise DataError(f"'{file}' holds no counts of a miniature: {failure!r}") from failure


def _parse_counts(card: Card, file: Path, counts: Any) -> dict[str, Expected]:
    """Parse numbers per class and split, per class (of the test split), or per split (over all classes)."""
    try:
        known = {name: card.class_named(name) for name in counts}
        if counts and set(map(str.casefold, counts)) <= SPLITS and not any(known.values()):
            return {split.casefold(): Expected(total=_label_counts(value)) for split, value in counts.items()}
        by_split: dict[str, dict[str, LabelCounts]] = {}
        for name, value in counts.items():
            if known[name] is None:
                raise ValueError(f"unknown class '{name}'")
            splits = value if isinstance(value, dict) and not set(value) <= set(LABELS) else {"test": value}
            for split, pair in splits.items():
                by_split.setdefault(split.casefold(), {})[known[name] or name] = _label_counts(pair)
        return {split: Expected(by_class) for split, by_class in by_split.items()}
    except (ValueError, TypeError, LookupError, AttributeError) as failure:
        raise DataError(f"'{file}': counts are not {{class: {{split: [normal, anomalous]}}}}: {failure}") from failure


def _label_counts(value: Any) -> LabelCounts:
    normal, anomalous = (value[label] for label in LABELS) if isinstance(value, dict) else value
    if not all(type(number) is int and number >= 0 for number in (normal, anomalous)):
        raise ValueError(f"{value!r} is no pair of counts")
    return normal, anomalous

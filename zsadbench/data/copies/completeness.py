"""Is a copy complete? Judged by the card's counts, or by those that a miniature carries in its own file."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from zsadbench.data.cards.card import Card, Expected, Pair
from zsadbench.data.copies.locate import DEPTH
from zsadbench.data.layouts.sample import Sample
from zsadbench.data.user_images.target import is_own
from zsadbench.errors import DataError

SYNTH = "zsadbench-synth.json"
SPLITS = frozenset({"train", "test", "val", "trainval"})
KINDS = ("normal", "anomalous")
CREDIBLE = 0.5  # of an uncertain count: with fewer images than that, the copy is short, not the count wrong

Have = Mapping[tuple[str, str, int], int]  # (split, class, label) → images


class Verdict(NamedTuple):
    """What is missing, line by line, and what is merely odd."""

    missing: list[str]
    notes: list[str]


def judge(samples: Iterable[Sample], expected: Mapping[str, Expected], splits: Sequence[str]) -> Verdict:
    """Compare the images that are there with those that should be, in the splits that are used."""
    have = Counter((sample.split, sample.class_name, sample.label) for sample in samples)
    verdict = Verdict([], [])
    for split in splits:
        if split in expected:
            _judge_split(have, expected[split], split, verdict, "" if split == "test" else f"{split}: ")
    return verdict


def edition_of(card: Card, samples: Iterable[Sample]) -> str:
    """The name of the known edition with as many test images; empty when there is none."""
    have = Counter(sample.label for sample in samples if sample.split == "test")
    counts = {(have[0], have[1]), (have[0] + have[1],)}
    return next((name for name, pair in card.editions.items() if pair in counts), "")


def _judge_split(have: Have, expected: Expected, split: str, verdict: Verdict, before: str) -> None:
    names = [name for name, pair in expected.counts.items() if any(pair)] or list(expected.classes)
    gone = [name for name in names if not any(_pair(have, split, [name]))]
    if gone:
        verdict.missing.append(f"{before}{len(gone)} of {len(names)} classes missing ({', '.join(gone)})")
    there = sum(number for key, number in have.items() if key[0] == split)
    if there < expected.images:
        verdict.missing.append(f"{before}in all: {there} of {expected.images} images")
    wanted = {name: ([name], pair) for name, pair in expected.counts.items() if name not in gone}
    if expected.total is not None:
        wanted = {"in all": (sorted({key[1] for key in have}), expected.total)}
    for name, (classes, pair) in wanted.items():
        found = _pair(have, split, classes)
        fewer = [f"{n} of {m} {kind}" for n, m, kind in zip(found, pair, KINDS, strict=True) if n < m]
        more = [f"{n} {kind} where {m} are known" for n, m, kind in zip(found, pair, KINDS, strict=True) if n > m]
        far = any(n < CREDIBLE * m for n, m in zip(found, pair, strict=True))
        if fewer:
            missing = expected.certain or far
            (verdict.missing if missing else verdict.notes).append(f"{before}{name}: {', '.join(fewer)}")
        if more:
            verdict.notes.append(f"{before}{name}: {', '.join(more)}")


def _pair(have: Have, split: str, classes: Iterable[str]) -> Pair:
    names = list(classes)
    return sum(have[split, name, 0] for name in names), sum(have[split, name, 1] for name in names)


def expectation(card: Card, root: Path) -> tuple[Mapping[str, Expected], bool]:
    """The counts that a copy is judged by, and whether it is a synthetic miniature.

    A miniature's file lies in the root, or in one of the two folders above it when it speaks of this set.

    Raises:
        DataError: the file cannot be understood, or the one in the root belongs to another set.
    """
    if is_own(card.name):
        return card.expected, (root / SYNTH).is_file()
    for folder in (root, *root.parents[:DEPTH]):
        file = folder / SYNTH
        name, counts = _read(card, file) if file.is_file() else ("", {})
        if name.casefold() in map(str.casefold, card.names):
            return _understood(card, file, counts), True
        if name and folder == root:
            raise DataError(f"'{file}' is a miniature of '{name}', not of '{card.name}'")
    return card.expected, False


def _read(card: Card, file: Path) -> tuple[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        return str(content.get("name", card.name)), content["counts"]
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as failure:
        raise DataError(f"'{file}' holds no counts of a miniature: {failure!r}") from failure


def _understood(card: Card, file: Path, counts: Any) -> dict[str, Expected]:
    try:
        return _counts(card, counts)
    except (ValueError, TypeError, LookupError, AttributeError) as failure:
        raise DataError(f"'{file}': counts are not {{class: {{split: [normal, anomalous]}}}}: {failure}") from failure


def _counts(card: Card, counts: Mapping[str, Any]) -> dict[str, Expected]:
    """Counts per class and split, per class (the test split), or per split (totals)."""
    known = {name: card.class_named(name) for name in counts}
    if counts and set(map(str.casefold, counts)) <= SPLITS and not any(known.values()):
        return {split.casefold(): Expected(total=_as_pair(value)) for split, value in counts.items()}
    found: dict[str, dict[str, Pair]] = {}
    for name, value in counts.items():
        if known[name] is None:
            raise ValueError(f"unknown class '{name}'")
        for split, pair in _by_split(value).items():
            found.setdefault(split.casefold(), {})[known[name] or name] = pair
    return {split: Expected(pairs) for split, pairs in found.items()}


def _by_split(value: Any) -> dict[str, Pair]:
    if isinstance(value, dict) and not set(value) <= set(KINDS):
        return {split: _as_pair(pair) for split, pair in value.items()}
    return {"test": _as_pair(value)}


def _as_pair(value: Any) -> Pair:
    first, second = (value[kind] for kind in KINDS) if isinstance(value, dict) else value
    if not all(type(number) is int and number >= 0 for number in (first, second)):
        raise ValueError(f"{value!r} is no pair of counts")
    return first, second

"""Records that say different things of one run are believed in nothing: they are named and left out."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from zsadbench.records import Record, identity

log = logging.getLogger(__name__)

NOISE = 5e-4  # fractions: below the digit that tables print, as two machines may differ
Found = tuple[Path, Record]


def sound(records: Iterable[Found]) -> list[Found]:
    """`records` with one a run, in their order: of copies the fullest, of records that contradict each other none.

    No two of them have one signature.
    """
    runs: dict[str, list[Found]] = {}
    for path, record in records:
        runs.setdefault(identity(record.cell), []).append((path, record))
    return list(_told_apart(kept for copies in runs.values() for kept in _believed(copies)))


def _told_apart(records: Iterable[Found]) -> Iterator[Found]:
    """`records`; a signature that an earlier one has too, as in an edited copy, gets the identity of its own cell."""
    seen: dict[str, Path] = {}
    for path, record in records:
        name = record.signature
        if name in seen:
            log.warning("'%s' has the signature of '%s', another run; it is told apart by its cell", path, seen[name])
            name = f"{name.rpartition('|')[0]}|{identity(record.cell)[:16]}"
        seen[name] = path
        yield path, replace(record, signature=name)


def _believed(copies: Sequence[Found]) -> list[Found]:
    first, fullest = copies[0], max(copies, key=lambda found: len(found[1].classes))
    for path, record in copies[1:]:
        differs = contradiction(first[1], record)
        if differs:
            log.warning("left out: '%s' and '%s' are one run with different numbers (%s)", first[0], path, differs)
            return []
        log.info("'%s' and '%s' are one run; the fuller one is used", first[0], path)
    return [fullest]


def contradiction(one: Record, other: Record) -> str:
    """The first number of a class and metric that both have and that differs; empty where none does."""
    for name in (name for name in one.classes if name in other.classes):
        for metric, left in one.classes[name].items():
            right = other.classes[name].get(metric, left)
            if (left is None) != (right is None) or (
                left is not None and right is not None and abs(left - right) > NOISE
            ):
                return f"{name}, {metric}: {left} and {right}"
    return ""

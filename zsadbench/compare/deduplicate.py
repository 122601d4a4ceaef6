"""Several records of one run: equal copies count once; copies that contradict each other are logged and left out."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from zsadbench.records import Record, identity

log = logging.getLogger(__name__)

TOLERANCE = 5e-4  # fractions: below the digit that tables print; two machines may differ by so much
RecordFile = tuple[Path, Record]


def drop_contradictions(records: Iterable[RecordFile]) -> list[RecordFile]:
    """Keep one record per run, in the given order.

    Of copies of one run the one with most classes is kept; of a run whose copies contradict each other none is. No two
    of the records returned have the same signature.
    """
    runs: dict[str, list[RecordFile]] = {}
    for path, record in records:
        runs.setdefault(identity(record.cell), []).append((path, record))
    consistent = [copies for copies in runs.values() if not _contradictory(copies)]
    fullest = [max(copies, key=lambda copy: len(copy[1].classes)) for copies in consistent]
    return list(_with_unique_signatures(fullest))


def _contradictory(copies: Sequence[RecordFile]) -> bool:
    """Whether a copy has other numbers than the first one; the first such copy is logged."""
    (first_path, first), *others = copies
    for path, record in others:
        difference = contradiction(first, record)
        if difference:
            log.warning("left out: '%s' and '%s' are one run with different numbers (%s)", first_path, path, difference)
            return True
        log.info("'%s' and '%s' are one run; the fuller one is used", first_path, path)
    return False


def contradiction(first: Record, second: Record) -> str:
    """The first class and metric for which both records have different numbers, as text; empty without one."""
    for name in (name for name in first.classes if name in second.classes):
        for metric, left in first.classes[name].items():
            right = second.classes[name].get(metric, left)
            if (left is None) != (right is None) or (
                left is not None and right is not None and abs(left - right) > TOLERANCE
            ):
                return f"{name}, {metric}: {left} and {right}"
    return ""


def _with_unique_signatures(records: Iterable[RecordFile]) -> Iterator[RecordFile]:
    """`records`, in which a repeated signature, as an edited copy has it, ends with the identity of its own cell."""
    known: dict[str, Path] = {}
    for path, record in records:
        signature = record.signature
        if signature in known:
            log.warning(
                "'%s' has the signature of '%s', another run; it is told apart by its cell", path, known[signature]
            )
            signature = f"{signature.rpartition('|')[0]}|{identity(record.cell)[:16]}"
        known[signature] = path
        yield path, replace(record, signature=signature)

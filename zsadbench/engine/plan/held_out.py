"""Divide an auxiliary set by classes: some are learned from, the others are evaluated (`RunRequest.held_out`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from zsadbench.errors import UsageError, unknown

if TYPE_CHECKING:
    from zsadbench.data import Dataset
    from zsadbench.engine.plan.request import RunRequest


def divided(
    request: RunRequest, data: Mapping[str, Dataset], auxiliary: Mapping[str, Dataset | None]
) -> tuple[dict[str, Dataset], dict[str, Dataset | None]]:
    """Return the targets by their names and the auxiliary sets by the names of their targets; unchanged without
    held-out classes.

    Raises:
        UsageError: a set has no class of such a name, or no other class.
    """
    if not request.held_out:
        return dict(data), dict(auxiliary)
    targets = {name: part_of(whole, request.held_out) for name, whole in data.items()}
    learned = {
        target: whole and part_of(whole, [name for name in whole.classes if name not in request.held_out])
        for target, whole in auxiliary.items()
    }
    return targets, learned


def part_of(whole: Dataset, classes: Sequence[str]) -> Dataset:
    """Return the classes of a data set as a partial set, whose fingerprint is its own.

    Raises:
        UsageError: there are none, or one of them has no images.
    """
    for name in classes:
        if name not in whole.classes:
            raise unknown(f"class of {whole.card.name}", name, whole.classes)
    if not classes:
        raise UsageError(f"'{whole.card.name}' has no class that is not held out")
    rows = whole.manifest[whole.manifest["class"].isin(classes)].reset_index(drop=True)
    return replace(whole, manifest=rows, partial=True)


def folds_of(classes: Sequence[str], number: int) -> list[tuple[str, ...]]:
    """Divide classes into folds: every `number`-th class, from the first on, from the second on, and so forth.

    >>> folds_of(["a", "b", "c", "d", "e"], 2)
    [('a', 'c', 'e'), ('b', 'd')]
    """
    return [tuple(classes[start::number]) for start in range(number)]

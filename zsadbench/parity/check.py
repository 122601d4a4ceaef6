"""`zsadbench parity`: recompute a fixture and compare every tensor. docs/parity.md describes the format."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from zsadbench import registry
from zsadbench.errors import UsageError
from zsadbench.parity.fixture import (
    Array,
    Fixture,
    FixtureReport,
    Pairs,
    StageReport,
    numbered_freely,
    renumber,
    tolerance,
)


def check(fixture: Fixture, options: Sequence[str] = (), *, alone: bool = True) -> FixtureReport:
    """Recompute one fixture and compare every tensor of `expected`.

    Args:
        fixture: what to recompute.
        options: `KEY=VALUE` options of the method, on top of the fixture's settings.
        alone: whether this is the only fixture; in a set, a fixture of a method that is not registered is skipped.

    Raises:
        UsageError: the method is unknown, an option cannot be right, or the fixture lacks a file or a key.
        WeightsError: the checkpoint does not fit the method.
    """
    from zsadbench.parity.kinds import metrics_pairs, preprocess_pairs
    from zsadbench.parity.method import method_pairs

    without_method = {"metrics": metrics_pairs, "preprocess": preprocess_pairs}
    if fixture.kind not in without_method and not alone and fixture.method not in registry.names("methods"):
        return FixtureReport(fixture.folder, fixture.kind, skipped=f"no method named '{fixture.kind}' is built")
    try:
        recompute = without_method.get(fixture.kind)
        pairs = recompute(fixture) if recompute else method_pairs(fixture, options)
        return FixtureReport(fixture.folder, fixture.kind, tuple(_compare_all(fixture, pairs)))
    except KeyError as missing:
        raise UsageError(f"{fixture.folder}: the fixture lacks {missing}, see docs/parity.md") from missing


def _compare_all(fixture: Fixture, pairs: Pairs) -> Iterator[StageReport]:
    for name, (expected, produced) in pairs.items():
        table = fixture.about["tolerance"]
        absolute, relative = tolerance(table, name)
        made = renumber if numbered_freely(table, name) else np.asarray
        yield compare(name, made(expected), None if produced is None else made(produced), absolute, relative)


def compare(name: str, expected: Array, produced: Array | None, absolute: float, relative: float) -> StageReport:
    """Compare one tensor; it passes if `|difference| <= absolute + relative·|expected|` holds for every number.

    The deviation in the report is that of the number with the largest `|difference| - allowed`. An expected tensor that
    holds the first image only is compared with the first image.
    """
    if produced is None:
        return StageReport(name, None, absolute, passed=False, note="not produced")
    if expected.ndim == produced.ndim and expected.ndim and len(expected) == 1 < len(produced):
        produced = produced[:1]
    if expected.shape != produced.shape:
        note = f"shape {list(produced.shape)}, expected {list(expected.shape)}"
        return StageReport(name, None, absolute, passed=False, note=note)
    difference = np.abs(produced.astype(np.float64) - expected.astype(np.float64))
    allowed = absolute + relative * np.abs(expected.astype(np.float64))
    passed = bool((difference <= allowed).all())  # false for NaN
    if not difference.size:
        return StageReport(name, 0.0, absolute, passed)
    worst = int(np.argmax(np.nan_to_num(difference - allowed, nan=np.inf)))
    deviation, bound = float(difference.reshape(-1)[worst]), float(allowed.reshape(-1)[worst])
    if not np.isfinite(deviation):
        return StageReport(name, None, bound, passed, "not finite")
    return StageReport(name, deviation, bound, passed)

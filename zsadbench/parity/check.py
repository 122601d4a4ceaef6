"""Parity: every stage of a fixture, recomputed and compared. The format is described in docs/parity.md."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from zsadbench import registry
from zsadbench.errors import UsageError
from zsadbench.parity.fixture import Array, Comparison, Fixture, Stage, tolerance


def check(fixture: Fixture, options: Sequence[str] = (), *, alone: bool = True) -> Comparison:
    """Recompute one fixture and compare every tensor of `expected`.

    Args:
        fixture: what to recompute.
        options: `KEY=VALUE` on top of the fixture's own settings.
        alone: whether it was asked for by itself; one of a set may be of a method that is not built.

    Raises:
        UsageError: its method is unknown, or an option cannot be right.
        WeightsError: its checkpoint does not fit.
    """
    from zsadbench.parity.kinds import metrics_pairs, preprocess_pairs
    from zsadbench.parity.method import method_pairs

    makers = {"metrics": metrics_pairs, "preprocess": preprocess_pairs}
    if fixture.kind not in makers and not alone and fixture.method not in registry.names("methods"):
        return Comparison(fixture.folder, fixture.kind, skipped=f"no method named '{fixture.kind}' is built")
    try:
        make = makers.get(fixture.kind)
        pairs = make(fixture) if make else method_pairs(fixture, options)
        return Comparison(fixture.folder, fixture.kind, tuple(_stages(fixture, pairs)))
    except KeyError as missing:
        raise UsageError(f"{fixture.folder}: the fixture lacks {missing}, see docs/parity.md") from missing


def _stages(fixture: Fixture, pairs: Mapping[str, tuple[Array, Array | None]]) -> Iterator[Stage]:
    for name, (expected, produced) in pairs.items():
        absolute, relative = tolerance(fixture.about["tolerance"], name)
        yield compare(name, expected, produced, absolute, relative)


def compare(name: str, expected: Array, produced: Array | None, absolute: float, relative: float) -> Stage:
    """Pass where `|difference| <= absolute + relative·|expected|` everywhere.

    An expected tensor that holds the first image only is compared with the first image.
    """
    if produced is None:
        return Stage(name, None, absolute, passed=False, note="not produced")
    if expected.ndim == produced.ndim and expected.ndim and len(expected) == 1 < len(produced):
        produced = produced[:1]
    if expected.shape != produced.shape:
        note = f"shape {list(produced.shape)}, expected {list(expected.shape)}"
        return Stage(name, None, absolute, passed=False, note=note)
    difference = np.abs(produced.astype(np.float64) - expected.astype(np.float64))
    allowed = absolute + relative * np.abs(expected.astype(np.float64))
    within = bool((difference <= allowed).all())  # NaN is never within
    worst = int(np.argmax(np.nan_to_num(difference - allowed, nan=np.inf)))
    deviation = float(difference.reshape(-1)[worst]) if difference.size else 0.0
    note = "" if np.isfinite(deviation) else "not finite"
    shown = deviation if np.isfinite(deviation) else None
    return Stage(name, shown, float(allowed.reshape(-1)[worst]) if allowed.size else absolute, within, note)

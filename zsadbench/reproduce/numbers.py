"""A printed number with ours, and the verdicts on them."""

from __future__ import annotations

from typing import NamedTuple

from zsadbench.compare.frame import is_cost
from zsadbench.reproduce.layout import RowRun

AGREES, DRIFTS, NOT_COMPARABLE, NOT_RUN = "agrees", "drifts", "not comparable", "not run"


class ReproducedNumber(NamedTuple):
    """One printed number and ours. Accuracies are fractions; costs are in the unit that `metric` names.

    Attributes:
        run: the row and target that it belongs to.
        class_name: the class, `mean`, or empty for a cost.
        metric: the metric in which ours is measured.
        published: the printed number.
        measured: our number, the mean over seeds; None where there is none.
        spread: its standard deviation over seeds; None for one seed.
        verdict: `agrees`, `drifts`, `not comparable` or `not run`.
        because: why there is no number of ours, or why it is not judged; else empty.
    """

    run: RowRun
    class_name: str
    metric: str
    published: float
    measured: float | None
    spread: float | None
    verdict: str
    because: str

    @property
    def difference(self) -> float | None:
        """Ours minus the printed number: in points of percent, or in the unit of a cost."""
        if self.measured is None:
            return None
        return (self.measured - self.published) * (1 if is_cost(self.metric) else 100)

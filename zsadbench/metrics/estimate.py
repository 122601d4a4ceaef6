"""The value of a metric with certified bounds, or no value and the reason."""

from dataclasses import dataclass
from typing import Self

ROUNDING = 1e-14  # larger than the rounding error of the sums of a metric


@dataclass(frozen=True, slots=True)
class Estimate:
    """One metric of one class, as a fraction.

    `value` is None if the metric is undefined; then both bounds are None and `reason` says why. Otherwise the exact
    value lies in [`lower`, `upper`]; if it is `exact`, both bounds equal the value.
    """

    value: float | None
    lower: float | None
    upper: float | None
    reason: str | None = None

    @property
    def exact(self) -> bool:
        """Whether there is a value and it is known exactly."""
        return self.value is not None and self.lower == self.upper

    @classmethod
    def sure(cls, value: float) -> Self:
        """Return an exact value; what rounding adds above 1 is cut off."""
        value = min(value, 1.0)
        return cls(value, value, value)

    @classmethod
    def within(cls, value: float, lower: float, upper: float) -> Self:
        """Return a value with bounds; they are widened by the rounding error of sums and clipped to [0, 1]."""
        lower, upper = max(lower - ROUNDING, 0.0), min(upper + ROUNDING, 1.0)
        return cls(min(max(value, lower), upper), lower, upper)

    @classmethod
    def undefined(cls, reason: str) -> Self:
        """Return no value, because of `reason`."""
        return cls(None, None, None, reason)

"""A number with its certified bounds, or no number and the reason."""

from dataclasses import dataclass
from typing import Self

ROUNDING = 1e-14  # more than the sums of a metric are off by


@dataclass(frozen=True, slots=True)
class Estimate:
    """One metric of one class, as a fraction.

    `value` is None where the metric is undefined; then both bounds are None and `reason` says why.
    Otherwise the true value lies in [`lower`, `upper`]; where it is `exact`, both bounds are the value.
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
        """A value that is known exactly; rounding above 1 is cut off."""
        value = min(value, 1.0)
        return cls(value, value, value)

    @classmethod
    def within(cls, value: float, lower: float, upper: float) -> Self:
        """A value between bounds that are certain but for the rounding of sums, which is added to them."""
        lower, upper = max(lower - ROUNDING, 0.0), min(upper + ROUNDING, 1.0)
        return cls(min(max(value, lower), upper), lower, upper)

    @classmethod
    def undefined(cls, reason: str) -> Self:
        """No value, because of `reason`."""
        return cls(None, None, None, reason)

"""A number with its certified bounds, or no number and the reason."""

from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Estimate:
    """One metric of one class, as a fraction.

    `value` is None where the metric is undefined; then both bounds are None and `reason` says why.
    Otherwise the true value lies in [`lower`, `upper`]; in exact mode both bounds are the value.
    """

    value: float | None
    lower: float | None
    upper: float | None
    reason: str | None = None

    @classmethod
    def exact(cls, value: float) -> Self:
        """A value that is known exactly."""
        return cls(value, value, value)

    @classmethod
    def undefined(cls, reason: str) -> Self:
        """No value, because of `reason`."""
        return cls(None, None, None, reason)

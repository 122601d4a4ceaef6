"""What a check of the battery is, and what it finds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from zsadbench.conformance.subject import Subject

Result = Literal["passed", "failed", "not declared", "not applicable", "not judged", "informative"]


class FaultError(Exception):
    """A check found a fault; the text says which, and `remedy` what to do if that is not the remedy of the check."""

    def __init__(self, found: str, remedy: str = "") -> None:
        super().__init__(found)
        self.remedy = remedy


class NotApplicableError(Exception):
    """A check does not concern the method; the text says why."""


class NotDeclaredError(Exception):
    """The card leaves out an optional fact that the check needs; the text says which."""


@dataclass(frozen=True)
class Check:
    """One check of the battery.

    Attributes:
        name: in tables and JSON.
        run: returns what was found in few words; raises one of the three errors above. Any other exception is one of
            the method's own, and a fault as well.
        remedy: what to do where it fails.
        needs: names of earlier checks that must not have failed for this one to mean anything.
        informative: whether it only tells something and cannot fail.
    """

    name: str
    run: Callable[[Subject], str]
    remedy: str
    needs: tuple[str, ...] = ()
    informative: bool = False


@dataclass(frozen=True)
class Finding:
    """What a check found: its name, the result, the details, and what to do where it failed."""

    check: str
    result: Result
    found: str
    remedy: str = ""

    @property
    def failed(self) -> bool:
        """Whether the method has a fault."""
        return self.result == "failed"

"""Entry points → names; a name → an object. Listing names imports nothing.

Plugins come in by the entry-point groups `zsadbench.methods`, `zsadbench.datasets` and
`zsadbench.reports`; ours use the same door.
"""

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from zsadbench.errors import UsageError, unknown
from zsadbench.protocol import STRICT, EvaluationProtocol, find_protocol
from zsadbench.types import MethodCard


@cache
def _points(group: str) -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=f"zsadbench.{group}")}


def names(group: str) -> list[str]:
    """Registered names of a group: `methods`, `datasets` or `reports`, sorted."""
    return sorted(_points(group))


def load(group: str, name: str) -> Any:
    """Import and return what is registered as `name` in `group`.

    Raises:
        UsageError: there is no such name, or its package cannot be imported.
    """
    points = _points(group)
    if name not in points:
        raise unknown(group.removesuffix("s"), name, points)
    try:
        return points[name].load()
    except (ImportError, AttributeError) as failure:
        raise UsageError(f"plugin '{name}' ({points[name].value}) cannot be loaded: {failure}") from failure


def method_card(name: str) -> MethodCard:
    """Return the card of the method called `name`."""
    card = load("methods", name)
    if not isinstance(card, MethodCard):
        raise UsageError(f"plugin '{name}' is no MethodCard but {type(card).__name__}")
    return card


def protocols() -> tuple[EvaluationProtocol, ...]:
    """Every protocol: the strict ones, then those that the registered methods bring."""
    brought = [protocol for name in names("methods") for protocol in method_card(name).protocols]
    return (*STRICT, *brought)


def protocol(name: str) -> EvaluationProtocol:
    """Return the protocol called `name`, wherever it comes from."""
    return find_protocol(name, protocols())

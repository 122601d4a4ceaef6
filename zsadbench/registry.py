"""Entry points → names; a name → an object. Listing names imports nothing.

Plugins come in by the entry-point groups `zsadbench.methods`, `zsadbench.datasets` and
`zsadbench.reports`; ours use the same door.
"""

import sys
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
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


def add_plugin(path: Path) -> None:
    """Register the method that a Python file defines as `CARD`; the file is run, so it must be trusted.

    Raises:
        UsageError: there is no such file, it fails, it defines no card, or its name is taken.
    """
    if not path.is_file():
        raise UsageError(f"plugin '{path}' is not a file")
    spec = spec_from_file_location(f"zsadbench_plugin_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise UsageError(f"plugin '{path}' is no Python file")
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as failure:
        raise UsageError(f"plugin '{path}' fails: {type(failure).__name__}: {failure}") from failure
    card = getattr(module, "CARD", None)
    if not isinstance(card, MethodCard):
        raise UsageError(f"plugin '{path}' defines no MethodCard named CARD")
    if card.name in _points("methods"):
        raise UsageError(f"plugin '{path}' calls itself '{card.name}', which is taken")
    _points("methods")[card.name] = EntryPoint(card.name, f"{spec.name}:CARD", "zsadbench.methods")

"""Find plugins by name: methods, data set packages and reports. Listing names imports no plugin.

Plugins are registered in the entry-point groups `zsadbench.methods`, `zsadbench.datasets` and `zsadbench.reports`; the
plugins of this project use the same groups.
"""

import sys
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

from zsadbench.errors import UsageError, unknown
from zsadbench.protocol import STRICT, EvaluationProtocol, find_protocol
from zsadbench.source_hash import plugin_sha256
from zsadbench.types import MethodCard


@cache
def _points(group: str) -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=f"zsadbench.{group}")}


_plugins: dict[str, str] = {}  # method of a plugin file → SHA-256 of its source


def names(group: str) -> list[str]:
    """The registered names of a group, sorted; the group is `methods`, `datasets` or `reports`."""
    return sorted(_points(group))


def load(group: str, name: str) -> Any:
    """Import and return the object registered as `name` in `group`.

    Raises:
        UsageError: there is no such name, or the object cannot be imported.
    """
    point = entry_point(group, name)
    try:
        return point.load()
    except (ImportError, AttributeError) as failure:
        raise UsageError(f"plugin '{name}' ({point.value}) cannot be loaded: {failure}") from failure


def method_card(name: str) -> MethodCard:
    """Return the card of the method `name`.

    Raises:
        UsageError: there is no such method, or the registered object is not a card.
    """
    card = load("methods", name)
    if not isinstance(card, MethodCard):
        raise UsageError(f"plugin '{name}' is no MethodCard but {type(card).__name__}")
    return card


def entry_point(group: str, name: str) -> EntryPoint:
    """Return the entry point `name` of a group; nothing is imported.

    Raises:
        UsageError: there is no such name.
    """
    points = _points(group)
    if name not in points:
        raise unknown(group.removesuffix("s"), name, points)
    return points[name]


def plugin_sha256_of(name: str) -> str | None:
    """Return the SHA-256 of the plugin file that defines the method `name`; None for an installed method."""
    return _plugins.get(name)


def protocols() -> tuple[EvaluationProtocol, ...]:
    """All protocols: the strict ones, then those of the registered methods."""
    of_methods = [protocol for name in names("methods") for protocol in method_card(name).protocols]
    return (*STRICT, *of_methods)


def protocol(name: str) -> EvaluationProtocol:
    """Return the protocol `name`, a strict one or one of a method."""
    return find_protocol(name, protocols())


def add_plugin(path: Path) -> None:
    """Register the method that a Python file defines as `CARD`. This runs the file, so it must be trusted.

    Raises:
        UsageError: there is no such file, it fails, it defines no card, or its name is taken.
    """
    if not path.is_file():
        raise UsageError(f"plugin '{path}' is not a file")
    spec = spec_from_file_location(f"zsadbench_plugin_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise UsageError(f"plugin '{path}' is no Python file")
    if (folder := str(path.resolve().parent)) not in sys.path:
        sys.path.append(folder)  # modules beside the file; at the end, so that they hide no installed one
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
    _plugins[card.name] = plugin_sha256(path)
    _points("methods")[card.name] = EntryPoint(card.name, f"{spec.name}:CARD", "zsadbench.methods")

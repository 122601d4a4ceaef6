"""Find plugins by name: methods, data set packages, reports, published numbers. Listing names imports no plugin.

A plugin that cannot be used disables itself alone: whoever names it gets its faults, and a list of all goes on without
it and says so once.

Plugins are registered in the entry-point groups `zsadbench.methods`, `zsadbench.datasets`, `zsadbench.reports` and
`zsadbench.published` (numbers that papers print); the plugins of this project use the same groups.
"""

import logging
import re
import sys
from functools import cache
from hashlib import sha256
from importlib.metadata import EntryPoint, entry_points
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

from zsadbench.card_faults import faults_of
from zsadbench.errors import UsageError, ZsadError, described, unknown
from zsadbench.protocol import STRICT, EvaluationProtocol, find_protocol
from zsadbench.source_hash import PLUGIN, plugin_sha256
from zsadbench.types import MethodCard

log = logging.getLogger(__name__)

_said: set[str] = set()  # warnings of this process


@cache
def _points(group: str) -> dict[str, EntryPoint]:
    """The registered objects of a group by name; where two have one name, the first of zsadbench's own stays."""
    points: dict[str, EntryPoint] = {}
    for point in sorted(entry_points(group=f"zsadbench.{group}"), key=_foreign):
        taken = points.setdefault(point.name, point)
        if taken.value != point.value:
            warn_once(
                f"{group.removesuffix('s')} '{point.name}' of {point.value} is left out: {taken.value} has the name"
            )
    return points


def _foreign(point: EntryPoint) -> bool:
    """Whether an object is registered by another distribution than this one."""
    return point.dist is None or point.dist.name != "zsadbench"


_plugins: dict[str, str] = {}  # method of a plugin file → SHA-256 of its source
_plugin_files: list[Path] = []
NO_PLUGIN = "; a method of your own file needs --plugin FILE.py"


def names(group: str) -> list[str]:
    """The registered names of a group, sorted; the group is `methods`, `datasets`, `reports` or `published`."""
    return sorted(_points(group))


def own_first(group: str) -> list[str]:
    """The registered names of a group: zsadbench's own before those of other distributions, each sorted."""
    points = _points(group)
    return sorted(points, key=lambda name: (_foreign(points[name]), name))


def load(group: str, name: str) -> Any:
    """Import and return the object registered as `name` in `group`.

    Raises:
        UsageError: there is no such name, or the object cannot be imported.
    """
    point = entry_point(group, name)
    try:
        return point.load()
    except (Exception, SystemExit) as failure:
        raise UsageError(f"plugin '{name}' ({point.value}) cannot be loaded: {_reason(failure)}") from failure


def method_card(name: str) -> MethodCard:
    """Return the card of the method `name`.

    Raises:
        UsageError: there is no such method, or the registered object is no card that can be used; the message has all
            faults.
    """
    card: MethodCard = load("methods", name)
    if faults := faults_of(card):
        raise UsageError(f"plugin '{name}' cannot be used: {'; '.join(faults)}")
    return card


def entry_point(group: str, name: str) -> EntryPoint:
    """Return the entry point `name` of a group; nothing is imported.

    Raises:
        UsageError: there is no such name.
    """
    points = _points(group)
    if name not in points:
        failure = unknown(group.removesuffix("s"), name, points)
        raise UsageError(f"{failure}{NO_PLUGIN}") if group == "methods" and not _plugin_files else failure
    return points[name]


def plugin_files() -> tuple[Path, ...]:
    """Return the plugin files that were added, for other processes to add them too."""
    return tuple(_plugin_files)


def plugin_sha256_of(name: str) -> str | None:
    """Return the SHA-256 of the plugin file that defines the method `name`; None for an installed method."""
    return _plugins.get(name)


def method_cards() -> list[MethodCard]:
    """The cards of all methods, sorted by name; one that cannot be used is left out with a warning."""
    cards = []
    for name in names("methods"):
        try:
            cards.append(method_card(name))
        except UsageError as failure:
            warn_once(f"method '{name}' is left out: {failure}")
    return cards


def warn_once(text: str) -> None:
    """Log a warning about a plugin, once in this process."""
    if text not in _said:
        _said.add(text)
        log.warning("%s", text)


def _reason(failure: BaseException) -> str:
    """Return why a plugin cannot be loaded, on one line."""
    text = " ".join(str(failure).split())
    known = isinstance(failure, ImportError | AttributeError | ZsadError)
    return text if known and text else described(failure)


def protocols() -> tuple[EvaluationProtocol, ...]:
    """All protocols: the strict ones, then those of the registered methods."""
    return (*STRICT, *(protocol for card in method_cards() for protocol in card.protocols))


def protocol(name: str) -> EvaluationProtocol:
    """Return the protocol `name`, a strict one or one of a method."""
    return find_protocol(name, protocols())


def _module_name(path: Path) -> str:
    """Return the name of the module that a plugin file becomes: its own, as an identifier that no other file has."""
    name = f"{PLUGIN}{re.sub(r'[^0-9A-Za-z_]', '_', path.stem)}"
    file = getattr(sys.modules.get(name), "__file__", None)
    if name == f"{PLUGIN}{path.stem}" and file in {None, str(path)}:
        return name
    return f"{name}_{sha256(str(path.resolve()).encode()).hexdigest()[:12]}"


def add_plugin(path: Path) -> None:
    """Register the method that a Python file defines as `CARD`. This runs the file, so it must be trusted.

    Raises:
        UsageError: there is no such file, it fails, it defines no card that can be used, or its name is taken.
    """
    if not path.is_file():
        raise UsageError(f"plugin '{path}' is not a file")
    spec = spec_from_file_location(_module_name(path), path)
    if spec is None or spec.loader is None:
        raise UsageError(f"plugin '{path}' is no Python file")
    if (folder := str(path.resolve().parent)) not in sys.path:
        sys.path.append(folder)  # modules beside the file; at the end, so that they hide no installed one
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as failure:
        raise UsageError(f"plugin '{path}' fails: {described(failure)}") from failure
    card = getattr(module, "CARD", None)
    if not isinstance(card, MethodCard):
        raise UsageError(f"plugin '{path}' defines no MethodCard named CARD")
    if faults := faults_of(card):
        raise UsageError(f"plugin '{path}' cannot be used: {'; '.join(faults)}")
    if card.name in _points("methods"):
        raise UsageError(f"plugin '{path}' calls itself '{card.name}', which is taken")
    _plugins[card.name] = plugin_sha256(path)
    _plugin_files.append(path.resolve())
    _points("methods")[card.name] = EntryPoint(card.name, f"{spec.name}:CARD", "zsadbench.methods")

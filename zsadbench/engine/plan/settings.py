"""Settings: the methods of a request, each with every combination of the options that are given several values.

`-O temperature=0.07|0.1` gives an option several values; so does the file of `--sweep`. A setting is one combination. A
request without either has one setting per method.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from itertools import product
from typing import TYPE_CHECKING, Any, TypeVar

from zsadbench import registry
from zsadbench.engine.plan.options import RECIPE, RECIPE_KEYS, ConfiguredMethod, options_of, parse_option, with_values
from zsadbench.errors import UsageError

if TYPE_CHECKING:
    from zsadbench.engine.plan.request import RunRequest
    from zsadbench.engine.plan.sweep_file import Grid, Sweep
    from zsadbench.types import MethodCard

log = logging.getLogger(__name__)

T = TypeVar("T")

MANY = 32  # settings of a method that give a warning


def configure_all(request: RunRequest) -> list[ConfiguredMethod]:
    """Return the settings of all methods of a request, in the order of the methods.

    Raises:
        UsageError: a method or key is unknown, or a value is wrong or refused; the message has all faults.
    """
    configured: list[ConfiguredMethod] = []
    faults = list(_foreign_tables(request.sweep, request.methods))
    for name in request.methods:
        try:
            found = settings_of(registry.method_card(name), request)
            if len(found) > MANY:
                log.warning("%s: %d settings, each of them a record per target and seed", name, len(found))
            configured += found
        except UsageError as failure:
            faults += str(failure).split("\nerror: ")
    _raise_all(faults)
    return configured


def settings_of(card: MethodCard, request: RunRequest) -> list[ConfiguredMethod]:
    """Return the settings of one method: those of `-O`, and with each of them those of the sweep file.

    Raises:
        UsageError: as `configure_all`.
    """
    sweep, faults = request.sweep, list[str]()
    given: list[tuple[str, tuple[str, ...]]] = []
    for item in request.options:
        try:
            given += options_of(card.name, [item], request.methods)
        except UsageError as failure:
            faults.append(str(failure))
    grids: list[Grid] = [grid for method, grid in sweep.grids if method == card.name] if sweep else []
    if sweep is not None and (sweep.baseline or not grids):
        grids.insert(0, ())
    keys = {key for key, _ in given}
    twice = [key for grid in grids for key, _ in grid if key in keys]
    faults += [f"option '{key}' is given by --sweep and by -O; leave one out" for key in twice]
    values = {}
    for key, texts in (*given, *(pair for grid in grids for pair in grid)):
        for text in texts:
            try:
                values[key, text] = parse_option(card, key, text)
            except UsageError as failure:
                faults.append(str(failure))
    _raise_all(faults)
    settings: list[ConfiguredMethod] = []
    for pairs in _combinations(tuple(given), grids or [()]):
        try:
            settings.append(with_values(card, [(pair[0], values[pair]) for pair in pairs]))
        except UsageError as failure:
            faults.append(str(failure))
    _raise_all(faults)
    return settings


def _combinations(given: Grid, grids: Sequence[Grid]) -> Iterator[list[tuple[str, str]]]:
    """Yield the keys and texts of every setting; the last key varies fastest."""
    for grid in grids:
        whole = (*given, *grid)
        for texts in product(*(texts for _, texts in whole)):
            yield [(key, text) for (key, _), text in zip(whole, texts, strict=True)]


def _foreign_tables(sweep: Sweep | None, methods: Sequence[str]) -> Iterator[str]:
    """Say which tables of a sweep file are of no method of the request."""
    for method in dict.fromkeys(method for method, _ in sweep.grids) if sweep else ():
        if method not in methods:
            yield f"--sweep: '{sweep.path if sweep else ''}': [{method}] is not among the methods: {', '.join(methods)}"


def _raise_all(faults: Sequence[str]) -> None:
    if faults:
        raise UsageError("\nerror: ".join(dict.fromkeys(faults)))


def of_each(methods: Sequence[ConfiguredMethod], make: Callable[[ConfiguredMethod], T]) -> list[T]:
    """Return what `make` makes of each method or setting.

    Raises:
        UsageError: it refuses some; the message has all faults.
    """
    made: list[T] = []
    faults: list[str] = []
    for method in methods:
        try:
            made.append(make(method))
        except UsageError as failure:
            faults.append(str(failure))
    _raise_all(faults)
    return made


def differing(methods: Sequence[ConfiguredMethod]) -> list[dict[str, Any]]:
    """Return, for each of several settings, the options and fields of the recipe in which those of its method differ.

    Values at their defaults are among them. A method with one setting has none.
    """
    values = [_values(each) for each in methods]
    found = []
    for method, own in zip(methods, values, strict=True):
        others = [values[place] for place, other in enumerate(methods) if other.card.name == method.card.name]
        names = dict.fromkeys(name for other in others for name in other)
        kept = [name for name in names if any(other.get(name) != own.get(name) for other in others)]
        found.append({name: own.get(name) for name in kept})
    return found


def _values(method: ConfiguredMethod) -> dict[str, Any]:
    """Return all options, and the fields of the recipe that can be changed."""
    options = {option.name: getattr(method.options, option.name) for option in fields(method.options)}
    recipe = {f"{RECIPE}{key}": getattr(method.recipe, key) for key in RECIPE_KEYS} if method.recipe else {}
    return {**options, **recipe}


def setting_text(values: Mapping[str, Any]) -> str:
    """Spell a setting in one line.

    >>> setting_text({"views": ("id", "sem"), "temperature": 0.1, "crops": False})
    'views=id+sem, temperature=0.1, crops=false'
    """
    return ", ".join(f"{name}={value_text(value)}" for name, value in values.items())


def value_text(value: Any) -> str:
    """Spell the value of an option; a tuple with a plus between its parts."""
    if isinstance(value, tuple | list):
        return "+".join(map(value_text, value)) or "none"
    return str(value).lower() if isinstance(value, bool) else str(value)

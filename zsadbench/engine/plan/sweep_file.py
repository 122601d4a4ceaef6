"""The file of `--sweep`: settings of methods as TOML, one table per method.

    baseline = true          # the method without this file's options, too

    [fbclip]
    views = ["id", "id,sem"]
    recipe.lr = [1e-4, 1e-3]

A table is a grid: all combinations of its values. Several grids of one method are an array of tables, `[[fbclip]]`. The
table `tuned`, which `zsadbench tune` writes, says how options were chosen.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from zsadbench.errors import UsageError
from zsadbench.flags.forms import Form

BASELINE, TUNED = "baseline", "tuned"  # keys of the file that are no methods
Grid = tuple[tuple[str, tuple[str, ...]], ...]  # keys with the texts of their values


@dataclass(frozen=True)
class Tuned:
    """How `zsadbench tune` chose the options of a method: a table `[tuned.METHOD]`.

    Attributes:
        method: the method.
        aux: the auxiliary set.
        fingerprint: of the auxiliary set.
        backbone: the backbone that all settings ran on.
        metric: the metric that was largest.
        settings: the number of settings that were tried.
        folds: the number of parts into which the classes were divided.
        seeds: the seeds of the trainings.
        options: the options that were chosen, as JSON with sorted keys: those that differ from the defaults.
        recipe: the fields of the recipe that were chosen, in the same form.
    """

    method: str
    aux: str
    fingerprint: str
    backbone: str
    metric: str
    settings: int
    folds: int
    seeds: tuple[int, ...]
    options: str
    recipe: str


@dataclass(frozen=True)
class Sweep:
    """The content of a sweep file.

    `grids` are methods with their grids, in the order of the file; a method may occur several times. `baseline` says
    whether every method also runs without the options of the file.
    """

    path: str
    grids: tuple[tuple[str, Grid], ...]
    baseline: bool = False
    tuned: tuple[Tuned, ...] = ()


def read_sweep(path: Path, flag: str = "--sweep") -> Sweep:
    """Read a sweep file; keys and values are checked where the methods are known, see `settings.settings_of`.

    Raises:
        UsageError: the file cannot be read, is no TOML, or has another form; the message has all faults.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as failure:
        raise UsageError(f"{flag}: '{path}' cannot be read: {failure.strerror or failure}") from failure
    except (ValueError, RecursionError) as failure:
        raise UsageError(f"{flag}: '{path}' is no valid TOML: {failure}") from failure
    faults: list[str] = []
    baseline = content.pop(BASELINE, False)
    if not isinstance(baseline, bool):
        faults.append(f"'{BASELINE}' must be true or false, not {baseline!r}")
    tuned = _tuned(content.pop(TUNED, {}), faults)
    grids = []
    for method, tables in content.items():
        for table in tables if isinstance(tables, list) else [tables]:
            grids.append((method, _grid(method, table, faults)))
    if not grids and not faults:
        faults.append("it has no table of a method, such as [clip]")
    if faults:
        raise UsageError("\nerror: ".join(f"{flag}: '{path}': {fault}" for fault in faults))
    return Sweep(str(path), tuple(grids), baseline, tuned)


def _grid(method: str, table: Any, faults: list[str]) -> Grid:
    """Return the grid of one table; what is wrong with it is added to `faults`."""
    if not isinstance(table, Mapping):
        faults.append(f"'{method}' must be a table of options, [{method}], not {table!r}")
        return ()
    grid = []
    for key, value in _keys(table):
        values = value if isinstance(value, list) else [value]
        texts = [_text(each) for each in values]
        if not values:
            faults.append(f"[{method}] '{key}' has no value; give some, or leave it out")
        faults += [
            f"[{method}] '{key}' has a value of a wrong type: {each!r}"
            for each, text in zip(values, texts, strict=True)
            if text is None
        ]
        grid.append((key, tuple(text for text in texts if text is not None)))
    return tuple(grid)


def _keys(table: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the keys of a table with their values, those of the table `recipe` as `recipe.KEY`."""
    for key, value in table.items():
        if key == "recipe" and isinstance(value, Mapping):
            yield from ((f"recipe.{name}", entry) for name, entry in value.items())
        else:
            yield key, value


def _text(value: Any) -> str | None:
    """Spell a value as `-O KEY=VALUE` does, a list with commas; None for a table or a date."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        parts = [_text(part) for part in value]
        return None if None in parts else ",".join(map(str, parts))
    return str(value) if isinstance(value, str | int | float) else None


def _tuned(tables: Any, faults: list[str]) -> tuple[Tuned, ...]:
    found = []
    for method, table in tables.items() if isinstance(tables, Mapping) else [(TUNED, tables)]:
        try:
            found.append(
                Tuned(
                    method,
                    aux=str(table["aux"]),
                    fingerprint=str(table["fingerprint"]),
                    backbone=str(table["backbone"]),
                    metric=str(table["metric"]),
                    settings=int(table["settings"]),
                    folds=int(table["folds"]),
                    seeds=tuple(map(int, table["seeds"])),
                    options=as_text(table["options"]),
                    recipe=as_text(table["recipe"]),
                )
            )
        except (KeyError, TypeError, ValueError) as failure:
            faults.append(f"[{TUNED}.{method}] is not as zsadbench tune writes it: {type(failure).__name__}: {failure}")
    return tuple(found)


def as_text(values: Mapping[str, Any]) -> str:
    """Spell options as JSON with sorted keys, so that equal ones have equal texts."""
    return json.dumps({**values}, sort_keys=True, default=str)


def as_sweep(value: Sweep | Path | str | None) -> Sweep | None:
    """Make a sweep of what a caller of Python passes: a path is read."""
    return value if value is None or isinstance(value, Sweep) else read_sweep(Path(value))


FORM = Form("FILE.toml", Path, normalise=as_sweep)
SWEEP = replace(FORM, read=lambda parsed, flag: None if parsed is None else read_sweep(parsed, flag))

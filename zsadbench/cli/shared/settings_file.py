"""The settings file: `./zsadbench.toml`, whose values stand below flags and environment.

The variables of repeatable flags, `ZSADBENCH_` and the flag's name, are read here too; they take comma lists.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from zsadbench.errors import UsageError, unknown

SETTINGS = Path("zsadbench.toml")

IN_GROUPS = frozenset({"data_root", "allow_partial", "json"})  # what the verbs of a group take from wider tables

# Repeatable flags whose variables are read here: the parser would cut them at every space.
LISTS = frozenset({"method", "target", "class", "seed", "option", "metric"})

Table = dict[str, Any]


def settings_from_file(command: Any) -> Table:
    """The file's values as defaults of every verb: one table a verb, values at the top for all that have the flag.

    Raises:
        UsageError: the file is no TOML, or names a verb or a flag that does not exist.
    """
    try:
        content = tomllib.loads(SETTINGS.read_text(encoding="utf-8")) if SETTINGS.is_file() else {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as failure:
        raise UsageError(f"{SETTINGS} is no valid TOML: {failure}") from failure
    return _defaults(command, content, {})


def _defaults(group: Any, content: Table, above: Table) -> Table:
    """Defaults of every verb of a group; `above` are the values that wider tables set."""
    own = {_flag(key): value for key, value in content.items() if not isinstance(value, dict)}
    known = {flag for verb in _verbs(group) for flag in _flags(verb)}
    for key in own.keys() - known:
        raise UsageError(f"{SETTINGS} sets '{key}', which no command has")
    for key, value in content.items():
        if isinstance(value, dict) and key not in group.commands:
            raise UsageError(f"{SETTINGS} has a table [{key}]: {unknown('command', key, group.commands)}")
    shared = {**above, **own}
    return {name: _of_verb(name, verb, content.get(name), shared) for name, verb in group.commands.items()}


def _of_verb(name: str, verb: Any, table: Any, shared: Table) -> Table:
    content = table if isinstance(table, dict) else {}
    if hasattr(verb, "commands"):
        return _defaults(verb, content, {flag: value for flag, value in shared.items() if flag in IN_GROUPS})
    flags = _flags(verb)
    for key in content:
        if _flag(key) not in flags:
            raise UsageError(f"{SETTINGS} sets '{key}' in [{name}], which has no such flag")
    merged = {flag: value for flag, value in shared.items() if flag in flags}
    merged |= {_flag(key): value for key, value in content.items()}
    if any(name.startswith("ZSADBENCH_DATA") for name in os.environ):  # the environment stands above the file
        merged.pop("data_root", None)
    merged |= {flag: value for flag in flags.keys() & LISTS if (value := os.environ.get(f"ZSADBENCH_{flag.upper()}"))}
    return {flags[flag].name: _value(flag, flags[flag], value) for flag, value in merged.items()}


def _verbs(group: Any) -> Iterator[Any]:
    for verb in group.commands.values():
        if hasattr(verb, "commands"):
            yield from _verbs(verb)
        else:
            yield verb


def _flags(verb: Any) -> Mapping[str, Any]:
    """The options of a verb by their long names."""
    options = [one for one in verb.params if one.param_type_name == "option"]
    return {_flag(max(one.opts, key=len).removeprefix("--")): one for one in options}


def _flag(key: str) -> str:
    return key.replace("-", "_")


def _value(flag: str, option: Any, value: Any) -> Any:
    """A list for a repeatable flag, whatever the file gives; one value for the others."""
    if option.multiple:
        return [str(one) for one in (value if isinstance(value, list) else [value])]
    if isinstance(value, list | dict):
        raise UsageError(f"{SETTINGS} gives '{flag}' several values; it takes one")
    return value

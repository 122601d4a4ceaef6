"""The settings file `./zsadbench.toml`, whose values give way to environment variables and flags.

The variables of repeatable flags, `ZSADBENCH_` and the flag's name, are read here too; they take comma lists. The file
lies in the working folder, which may be a folder of somebody else: flags that run code or declare facts are refused.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from zsadbench.engine.plan.request import RunRequest
from zsadbench.errors import UsageError, unknown
from zsadbench.flags.fields import flags_of

SETTINGS = Path("zsadbench.toml")

RUNS_CODE = "would run code from the working folder"
REFUSED = {  # flags that stand on the command line alone, and why
    "plugin": RUNS_CODE,
    "templates": RUNS_CODE,
    "about": "would declare how maps were made without being seen",
}
IN_GROUPS = frozenset({"data_root", "allow_partial", "json"})  # what the verbs of a group take from wider tables

# Repeatable flags with a variable, which the parser would split at every space: their keys and their variables.
LISTS = {
    flag.name.replace("-", "_"): flag.environment
    for flag in flags_of(RunRequest).values()
    if flag.form.repeatable and flag.variable
}

Table = dict[str, Any]


def settings_from_file(command: Any) -> Table:
    """Read the file as defaults of every verb: one table per verb, and values at the top for all that have the flag.

    Raises:
        UsageError: the file is no TOML, or names a verb or a flag that does not exist.
    """
    try:
        content = tomllib.loads(SETTINGS.read_text(encoding="utf-8")) if SETTINGS.is_file() else {}
    except RecursionError as failure:
        raise UsageError(f"{SETTINGS} is nested too deeply; it has values and one level of tables") from failure
    except OSError as failure:
        raise UsageError(f"{SETTINGS} cannot be read: {failure.strerror or failure}") from failure
    except ValueError as failure:  # no TOML, no UTF-8, or a number of thousands of digits
        raise UsageError(f"{SETTINGS} is no valid TOML: {failure}") from failure
    return _group_defaults(command, content, {})


def _group_defaults(group: Any, content: Table, inherited: Table) -> Table:
    """Return the defaults of every verb of a group; `inherited` are the values of wider tables."""
    _refuse_flags(content)
    own = {_key(name): value for name, value in content.items() if not isinstance(value, dict)}
    known = {key for verb in _verbs(group) for key in _options(verb)}
    for key in own.keys() - known:
        raise UsageError(f"{SETTINGS} sets '{key}', which no command has")
    for name, value in content.items():
        if isinstance(value, dict) and name not in group.commands:
            raise UsageError(f"{SETTINGS} has a table [{name}]: {unknown('command', name, group.commands)}")
    values = {**inherited, **own}
    return {name: _verb_defaults(name, verb, content.get(name), values) for name, verb in group.commands.items()}


def _verb_defaults(name: str, verb: Any, table: Any, inherited: Table) -> Table:
    """Return the defaults of one verb, or of a group's verbs, from its table and the values of wider tables."""
    content = table if isinstance(table, dict) else {}
    _refuse_flags(content)
    if hasattr(verb, "commands"):
        return _group_defaults(verb, content, {key: value for key, value in inherited.items() if key in IN_GROUPS})
    options = _options(verb)
    for flag in content:
        if _key(flag) not in options:
            raise UsageError(f"{SETTINGS} sets '{flag}' in [{name}], which has no such flag")
    values = {key: value for key, value in inherited.items() if key in options}
    values |= {_key(flag): value for flag, value in content.items()}
    if any(variable.startswith("ZSADBENCH_DATA") for variable in os.environ):  # the environment overrides the file
        values.pop("data_root", None)
    values |= {key: value for key in options.keys() & LISTS if (value := os.environ.get(LISTS[key]))}
    return {options[key].name: _value(key, options[key], value) for key, value in values.items()}


def _refuse_flags(content: Table) -> None:
    """Check that a table sets no flag that stands on the command line alone.

    Raises:
        UsageError: it does.
    """
    for name in content:
        if _key(name) in REFUSED:
            why, flag = REFUSED[_key(name)], _key(name).replace("_", "-")
            raise UsageError(f"{SETTINGS} sets '{name}', which {why}; pass --{flag} on the command line")


def _verbs(group: Any) -> Iterator[Any]:
    """Yield the verbs of a group and of the groups in it."""
    for verb in group.commands.values():
        if hasattr(verb, "commands"):
            yield from _verbs(verb)
        else:
            yield verb


def _options(verb: Any) -> Mapping[str, Any]:
    """Return the options of a verb by the keys of their long names."""
    options = [parameter for parameter in verb.params if parameter.param_type_name == "option"]
    return {_key(max(option.opts, key=len).removeprefix("--")): option for option in options}


def _key(flag: str) -> str:
    """Return a flag's name, written with dashes or underscores, as the key that both share."""
    return flag.replace("-", "_")


def _value(key: str, option: Any, value: Any) -> Any:
    """Return a list of texts for a repeatable flag, the value itself for the others."""
    if option.multiple:
        return [str(item) for item in (value if isinstance(value, list) else [value])]
    if isinstance(value, list | dict):
        raise UsageError(f"{SETTINGS} gives '{key}' several values; it takes one")
    return value

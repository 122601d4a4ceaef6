"""Which measured rows a report shows, in which order, and how numbers are printed: the flags and the file of a report.

The file is TOML with one key per flag, `methods`, `targets`, `metrics`, `order`, `decimals`, `no-spread`,
`no-published`, `paper` and `reference`. A flag overrides the key of the file.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from zsadbench.errors import UsageError, unknown
from zsadbench.flags.fields import Names, flag, flags_of, normalise
from zsadbench.flags.forms import NAMES, NUMBER, SWITCH, TEXT

CHOICE = "What the tables show"
GIVEN, BY_NAME, BY_YEAR, BY_MEAN = "given", "name", "year", "mean"
ORDERS = (GIVEN, BY_NAME, BY_YEAR, BY_MEAN)
OWN_AUPRO = "aupro"  # as a metric: the variant of AUPRO that the protocol of each table prescribes
MOST_DECIMALS = 4


def split_entries(texts: Iterable[str] | None) -> tuple[str, ...]:
    """Split comma lists of methods or of entries; a comma inside the brackets of an entry's name stays.

    >>> split_entries(["clip, fbclip [views=id, transductive]"])
    ('clip', 'fbclip [views=id, transductive]')
    """
    names = [name.strip() for text in texts or () for name in re.split(r",(?![^\[]*\])", text)]
    return tuple(dict.fromkeys(name for name in names if name))


def _unset(default: Any) -> None:
    """Show no default, so that the parser tells a flag that is not given from one with the default's value."""


ENTRIES = replace(NAMES, read=lambda parsed, name: split_entries(parsed))


@dataclass(frozen=True)
class Selection:
    """The measured rows of a report and how numbers are printed; without arguments, all of them as always.

    Attributes:
        methods: methods, or entries as tables name them; empty for all.
        targets: data sets, copies of one as tables name them, `industrial` or `medical`; empty for all.
        metrics: metrics; `aupro` is the variant of the protocol. Empty for the pairs that papers print.
        order: order of the methods: `given` (that of `methods`, else of the records), `name`, `year` (of the paper) or
            `mean` (over the data sets that all have, largest first).
        decimals: decimals of measured numbers in percent. Numbers tie when they are printed alike.
        no_spread: whether standard deviations are left out.
        no_published: whether numbers of papers are left out.
        reference: the method, or entry, that tests compare the others with; empty for the one with the best mean.
        paper: `PAPER:tableN`: the data sets and metrics of this table, and of published tables this one alone.

    Raises:
        UsageError: a value cannot be right.
    """

    methods: Names = flag(
        "Only these methods, or rows as tables name them; repeatable, or a comma list (default: all measured).",
        CHOICE,
        default=(),
        form=ENTRIES,
        variable=False,
    )
    targets: Names = flag(
        "Only these data sets, industrial or medical; repeatable, or a comma list (default: all measured).",
        CHOICE,
        default=(),
        form=NAMES,
        variable=False,
    )
    metrics: Names = flag(
        "Only these metrics; aupro is the variant of the protocol; repeatable, or a comma list (default: those of "
        "papers).",
        CHOICE,
        default=(),
        form=NAMES,
        variable=False,
    )
    order: str = flag(
        "Order of the methods: given (default: as in --methods, else in the records), name, year or mean (best first).",
        CHOICE,
        default=GIVEN,
        form=replace(TEXT, default_text=_unset),
        variable=False,
    )
    decimals: int = flag(
        "Decimals of measured numbers in percent, 0 to 4 (default: 1); equal printed numbers tie.",
        CHOICE,
        default=1,
        form=replace(NUMBER, default_text=_unset),
        variable=False,
    )
    no_spread: bool = flag(
        "Leave out standard deviations over seeds.",
        CHOICE,
        default=False,
        form=replace(SWITCH, default_text=_unset),
        variable=False,
    )
    no_published: bool = flag(
        "Leave out numbers of papers.", CHOICE, default=False, form=replace(SWITCH, default_text=_unset), variable=False
    )
    paper: str = flag(
        "PAPER:tableN: the data sets and metrics of this table, and no other published table.",
        CHOICE,
        default="",
        form=replace(TEXT, default_text=_unset),
        variable=False,
    )

    reference: str = flag(
        "Method that tests compare the others with (default: the one with the best mean).",
        CHOICE,
        default="",
        form=replace(TEXT, default_text=_unset),
        variable=False,
    )

    def __post_init__(self) -> None:
        normalise(self)
        if self.order not in ORDERS:
            raise of_flag("order", unknown("order", self.order, ORDERS))
        if type(self.decimals) is not int or not 0 <= self.decimals <= MOST_DECIMALS:
            raise UsageError(f"--decimals is {self.decimals}; it must be a whole number from 0 to {MOST_DECIMALS}")
        if self.paper and self.no_published:
            raise UsageError("--paper names a published table and --no-published leaves it out; give one of them")


EVERYTHING = Selection()


def of_flag(name: str, failure: UsageError) -> UsageError:
    """The error `failure` with the flag that it is about before its text."""
    return UsageError(f"--{name}: {failure}")


def read_selection(path: Path | None, flags: Mapping[str, Any]) -> Selection:
    """The selection of a file, if there is one, overridden by the fields that `flags` set.

    Raises:
        UsageError: the file cannot be read, is no TOML, or has an unknown key or a wrong value.
    """
    content = {} if path is None else _from_file(path)
    return Selection(**{**content, **flags})


_DEFAULTS = {entry.name: entry.default for entry in fields(Selection)}
_KINDS = {tuple: "a list of texts", bool: "true or false", int: "a whole number", str: "a text"}


def _from_file(path: Path) -> dict[str, Any]:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as failure:
        raise UsageError(f"--selection: '{path}' cannot be read: {failure.strerror or failure}") from failure
    except (ValueError, RecursionError) as failure:
        raise UsageError(f"--selection: '{path}' is no valid TOML: {failure}") from failure
    names = {declared.name: name for name, declared in flags_of(Selection).items()}
    values = {}
    for key, value in content.items():
        if key not in names:
            raise UsageError(f"--selection: '{path}': {unknown('key', key, names)}")
        kind = type(_DEFAULTS[names[key]])
        texts = isinstance(value, list) and all(isinstance(item, str) for item in value)
        if not (texts if kind is tuple else type(value) is kind):
            raise UsageError(f"--selection: '{path}': '{key}' must be {_KINDS[kind]}, not {value!r}")
        values[names[key]] = tuple(value) if kind is tuple else value
    return values


def as_toml(selection: Selection) -> str:
    """The selection as TOML with a comment per key, which `read_selection` reads."""
    lines = ["# What zsadbench report --selection shows. Delete names to leave rows out; change their order to sort."]
    for name, declared in flags_of(Selection).items():
        value = getattr(selection, name)
        lines += ["", f"# {declared.help}"]
        if isinstance(value, tuple):
            lines += [f"{declared.name} = [", *(f"    {toml_text(item)}," for item in value), "]"]
        else:
            lines.append(f"{declared.name} = {toml_text(value) if isinstance(value, str) else json.dumps(value)}")
    return "\n".join(lines) + "\n"


def toml_text(text: str) -> str:
    """A text as a basic string of TOML: as in JSON, but for the one control character that JSON does not escape."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")

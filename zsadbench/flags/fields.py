"""The declaration of a flag with the field of a request, and what requests derive from it.

A request is a frozen dataclass. The metadata of a field says how its flag is called, what it means and what it takes;
the options of the command line, the environment variables, the keys of `zsadbench.toml` and the checks follow from it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from zsadbench.errors import UsageError
from zsadbench.flags.forms import TEXT, Form

# The groups of flags in the help.
WHAT, DATA, MODEL, COMPUTE, OUTPUT = "What to run", "Data", "Model", "Compute", "Output"

KEY = "flag"  # of the metadata

Value = TypeVar("Value")
Accepted = TypeVar("Accepted")

if TYPE_CHECKING:

    class Accepts(Generic[Value, Accepted]):
        """A field that holds a `Value`, where the constructor of the request takes the wider `Accepted`."""

        def __get__(self, request: object, owner: type | None = None) -> Value: ...

        def __set__(self, request: object, value: Accepted) -> None: ...

else:

    class Accepts:
        """At run time a field is annotated with what its constructor takes; `normalise` makes the value."""

        def __class_getitem__(cls, types):
            return types[1]


Names = Sequence[str] | str  # held as a tuple
Numbers = Accepts[tuple[int, ...], Sequence[int] | int]
AnyPath = Accepts[Path, Path | str]
MaybePath = Accepts[Path | None, Path | str | None]
Paths = Accepts[tuple[Path, ...], Sequence[Path | str] | Path | str]


@dataclass(frozen=True)
class Flag:
    """One flag.

    Attributes:
        help: what it does, in one or two plain sentences.
        group: the heading of the help that it stands under.
        form: how its value is written.
        name: the long name without its dashes.
        short: the short name with its dash, or empty.
        variable: whether the environment variable `ZSADBENCH_<NAME>` sets it.
        choices: the only values that it takes; empty for any.
        at_least: the smallest number that it takes.
    """

    help: str
    group: str
    form: Form = TEXT
    name: str = ""
    short: str = ""
    variable: bool = True
    choices: tuple[str, ...] = ()
    at_least: int | None = None

    @property
    def long(self) -> str:
        """The flag as it is typed."""
        return f"--{self.name}"

    @property
    def environment(self) -> str:
        """The name of the environment variable, or empty."""
        return f"ZSADBENCH_{self.name.replace('-', '_').upper()}" if self.variable else ""


def about(help: str, group: str, **more: Any) -> Mapping[str, Flag]:  # noqa: A002
    """Return the metadata of a field that has a flag; see `Flag`."""
    return {KEY: Flag(help, group, **more)}


def flag(help: str, group: str, *, default: Any = MISSING, default_factory: Any = MISSING, **more: Any) -> Any:  # noqa: A002
    """Declare a field with a default and its flag.

    A field without a default is declared by `dataclasses.field(metadata=about(...))`, as type checkers take every
    other call for a default.
    """
    return field(default=default, default_factory=default_factory, metadata=about(help, group, **more))


def same_flag(request: type, field_name: str, *, default: Any = MISSING, **changes: Any) -> Any:
    """Declare a field with the flag of another request's field; its default, too, unless `default` is given."""
    source = next(entry for entry in fields(request) if entry.name == field_name)
    factory = source.default_factory if default is MISSING else MISSING
    default = source.default if default is MISSING else default
    return field(default=default, default_factory=factory, metadata=same_about(request, field_name, **changes))


def same_about(request: type, field_name: str, **changes: Any) -> Mapping[str, Flag]:
    """Return the metadata of a field without a default that has the flag of another request's field."""
    return {KEY: replace(flags_of(request)[field_name], **changes)}


def flags_of(request: type) -> dict[str, Flag]:
    """The flags of a request by the names of their fields; a flag without a name has the field's."""
    declared = {entry.name: entry.metadata[KEY] for entry in fields(request) if KEY in entry.metadata}
    return {name: replace(flag, name=flag.name or name.replace("_", "-")) for name, flag in declared.items()}


def normalise(request: Any) -> None:
    """Replace what the caller of a request's constructor passed by the values of the fields: tuples and paths.

    Raises:
        UsageError: a text, which would stand in records, is not valid: bytes of the command line that are no UTF-8.
    """
    for name, flag in flags_of(type(request)).items():
        value = flag.form.normalise(getattr(request, name))
        for text in value if isinstance(value, tuple) else (value,):
            if isinstance(text, str) and not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text):
                raise UsageError(f"{flag.long}: '{text}' is no valid text; its bytes are no UTF-8")
        object.__setattr__(request, name, value)


def check_choices(request: Any) -> None:
    """Raise `UsageError` where the value of a field is not among the choices of its flag."""
    for name, flag in flags_of(type(request)).items():
        value = getattr(request, name)
        if flag.choices and value is not None and value not in flag.choices:
            raise UsageError(f"{flag.long} is '{value}'; it takes one of: {', '.join(flag.choices)}")


def check_numbers(request: Any) -> None:
    """Raise `UsageError` where a number is smaller than its flag allows."""
    for name, flag in flags_of(type(request)).items():
        value = getattr(request, name)
        if flag.at_least is None or value is None:
            continue
        if not isinstance(value, int) or value < flag.at_least:
            raise UsageError(f"{flag.long} is {value}; it must be at least {flag.at_least}")

"""Read the fields of a TOML table with checks of their types; faults are raised one by one, or collected."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from zsadbench.data.cards.template import fill
from zsadbench.errors import DataError

Path = tuple[str | int, ...]  # names of tables and fields, and places in lists


class Fault(NamedTuple):
    """One fault of a card: the path to the field, and a line that names the file, the field and what is wrong."""

    path: Path
    message: str


class Fields:
    """One TOML table. Fields are taken one by one; fields that are never taken are unknown, which `done` says.

    `where` is the file and, after a colon, the path to this table, for messages; `path` is that path as names. What is
    wrong raises `DataError`, or, with a list `faults`, is added to it, and a harmless value stands for the field.
    """

    def __init__(self, table: object, where: str, path: Path = (), faults: list[Fault] | None = None) -> None:
        self._table: dict[str, Any] = table if isinstance(table, dict) else {}
        self._taken: set[str] = set()
        self.where, self.path, self.faults = where, path, faults
        if not isinstance(table, dict):
            self.fault(path, f"{where}: a table is needed, not {table!r}")

    def fault(self, path: Path, message: str) -> None:
        """Raise a fault or add it, unless one of the field or of a table around it is known, from which it may follow.

        Raises:
            DataError: faults are not collected.
        """
        if self.faults is None:
            raise DataError(message)
        if not any(known.path == path[: len(known.path)] for known in self.faults):
            self.faults.append(Fault(path, message))

    def wrong(self, field: str, what: str) -> DataError:
        """An error about one field; `what` follows its name."""
        return DataError(f"{self.where}: field '{field}' {what}")

    def refuse(self, field: str, what: str) -> None:
        """Raise or add a fault of one field; `what` follows its name."""
        self.fault((*self.path, field), str(self.wrong(field, what)))

    def take(self, field: str, default: object = None) -> Any:
        """The value of a field, or `default`; a field without a default must exist, else it is None."""
        self._taken.add(field)
        if field not in self._table and default is None:
            self.refuse(field, "is missing")
        return self._table.get(field, default)

    def text(self, field: str, default: str | None = None, among: Iterable[str] = ()) -> str:
        """A string that is not blank (unless it is the default) and, if `among` is given, one of these."""
        value, known = self.take(field, default), tuple(among)
        if not isinstance(value, str) or (not value.strip() and value != default):
            self.refuse(field, f"must be a text, not {value!r}")
        elif known and value not in known:
            self.refuse(field, f"must be one of {', '.join(map(repr, known))}, not {value!r}")
        else:
            return value
        return known[0] if known else default or ""

    def texts(self, field: str, default: Iterable[str] | None = None) -> tuple[str, ...]:
        """A list of strings that are not blank; not empty, unless there is a default."""
        value = self.take(field, None if default is None else list(default))
        good = isinstance(value, list) and all(isinstance(item, str) and item.strip() for item in value)
        if not good or (not value and default is None):
            self.refuse(field, f"must be a list of texts, not {value!r}")
            return ()
        return tuple(value)

    def flag(self, field: str, default: bool) -> bool:
        """A boolean."""
        value = self.take(field, default)
        if not isinstance(value, bool):
            self.refuse(field, f"must be true or false, not {value!r}")
            return default
        return value

    def whole(self, field: str, default: int) -> int:
        """An integer of at least 0."""
        value = self.take(field, default)
        if type(value) is not int or value < 0:
            self.refuse(field, f"must be a whole number, not {value!r}")
            return default
        return value

    def table(self, field: str, default: Mapping[str, object] | None = None) -> "Fields":
        """The fields of a nested table."""
        value = self.take(field, default)
        return Fields({} if value is None else value, f"{self.where}: {field}", (*self.path, field), self.faults)

    def tables(self, field: str) -> list["Fields"]:
        """The fields of each table in a list of tables; the list must not be empty."""
        value = self.take(field)
        if not isinstance(value, list) or not value:
            self.refuse(field, "must be a list of tables")
            return []
        return [
            Fields(item, f"{self.where}: {field}[{index}]", (*self.path, field, index), self.faults)
            for index, item in enumerate(value)
        ]

    def rest(self) -> list[str]:
        """Names of the fields that are not taken yet, in the order of the file."""
        return [name for name in self._table if name not in self._taken]

    def done(self) -> None:
        """Refuse fields that were not taken; the first, unless faults are collected."""
        for name in self.rest():
            self.refuse(name, f"is unknown; known: {', '.join(sorted(self._taken))}")

    def filled(self, values: Mapping[str, str]) -> "Fields":
        """A copy of this table, with no field taken and every `{name}` of `values` replaced in its strings."""
        return Fields(_filled(self._table, values), self.where, self.path, self.faults)


def _filled(value: Any, values: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return fill(value, values)
    if isinstance(value, list):
        return [_filled(item, values) for item in value]
    return {key: _filled(item, values) for key, item in value.items()} if isinstance(value, dict) else value

"""Read the fields of a TOML table with checks of their types."""

from collections.abc import Iterable, Mapping
from typing import Any

from zsadbench.data.cards.template import fill
from zsadbench.errors import DataError


class Fields:
    """One TOML table. Fields are taken one by one; fields that are never taken are unknown and refused by `done`.

    `where` is the file and, after a colon, the path to this table, for error messages.
    """

    def __init__(self, table: object, where: str) -> None:
        if not isinstance(table, dict):
            raise DataError(f"{where}: a table is needed, not {table!r}")
        self._table: dict[str, Any] = table
        self._taken: set[str] = set()
        self.where = where

    def wrong(self, field: str, what: str) -> DataError:
        """An error about one field; `what` follows its name."""
        return DataError(f"{self.where}: field '{field}' {what}")

    def take(self, field: str, default: object = None) -> Any:
        """The value of a field, or `default`; a field without a default must exist."""
        self._taken.add(field)
        if field not in self._table and default is None:
            raise self.wrong(field, "is missing")
        return self._table.get(field, default)

    def text(self, field: str, default: str | None = None, among: Iterable[str] = ()) -> str:
        """A string that is not blank (unless it is the default) and, if `among` is given, one of these."""
        value, known = self.take(field, default), tuple(among)
        if not isinstance(value, str) or (not value.strip() and value != default):
            raise self.wrong(field, f"must be a text, not {value!r}")
        if known and value not in known:
            raise self.wrong(field, f"must be one of {', '.join(map(repr, known))}, not {value!r}")
        return value

    def texts(self, field: str, default: Iterable[str] | None = None) -> tuple[str, ...]:
        """A list of strings that are not blank; not empty, unless there is a default."""
        value = self.take(field, None if default is None else list(default))
        good = isinstance(value, list) and all(isinstance(item, str) and item.strip() for item in value)
        if not good or (not value and default is None):
            raise self.wrong(field, f"must be a list of texts, not {value!r}")
        return tuple(value)

    def flag(self, field: str, default: bool) -> bool:
        """A boolean."""
        value = self.take(field, default)
        if not isinstance(value, bool):
            raise self.wrong(field, f"must be true or false, not {value!r}")
        return value

    def whole(self, field: str, default: int) -> int:
        """An integer of at least 0."""
        value = self.take(field, default)
        if type(value) is not int or value < 0:
            raise self.wrong(field, f"must be a whole number, not {value!r}")
        return value

    def table(self, field: str, default: Mapping[str, object] | None = None) -> "Fields":
        """The fields of a nested table."""
        return Fields(self.take(field, default), f"{self.where}: {field}")

    def tables(self, field: str) -> list["Fields"]:
        """The fields of each table in a list of tables; the list must not be empty."""
        value = self.take(field)
        if not isinstance(value, list) or not value:
            raise self.wrong(field, "must be a list of tables")
        return [Fields(item, f"{self.where}: {field}[{index}]") for index, item in enumerate(value)]

    def rest(self) -> list[str]:
        """Names of the fields that are not taken yet, in the order of the file."""
        return [name for name in self._table if name not in self._taken]

    def done(self) -> None:
        """Refuse fields that were not taken.

        Raises:
            DataError: there is such a field; the first is named.
        """
        if self.rest():
            raise self.wrong(self.rest()[0], f"is unknown; known: {', '.join(sorted(self._taken))}")

    def filled(self, values: Mapping[str, str]) -> "Fields":
        """A copy of this table, with no field taken and every `{name}` of `values` replaced in its strings."""
        return Fields(_filled(self._table, values), self.where)


def _filled(value: Any, values: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return fill(value, values)
    if isinstance(value, list):
        return [_filled(item, values) for item in value]
    return {key: _filled(item, values) for key, item in value.items()} if isinstance(value, dict) else value

"""Parquet tables beside a record: its images and the regions of the ground truth. Each names its record."""

from __future__ import annotations

import io
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from zsadbench.errors import ZsadError
from zsadbench.files import DAMAGED

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

log = logging.getLogger(__name__)

IDENTITY = b"zsadbench.identity"  # in the metadata of the file


def table_bytes(table: pd.DataFrame, identity: str) -> bytes:
    """Write a table as Parquet, with the identity of its record in the metadata."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    content = pa.Table.from_pandas(table, preserve_index=False)
    content = content.replace_schema_metadata({**(content.schema.metadata or {}), IDENTITY: identity.encode()})
    buffer = io.BytesIO()
    pq.write_table(content, buffer, write_page_checksum=True)
    return buffer.getvalue()


def read_table(path: Path, record: Path, texts: Sequence[str], numbers: Sequence[str]) -> pd.DataFrame | None:
    """Read the table at `path` of the record at `record`.

    Args:
        path: of the table.
        record: path of the record.
        texts: columns of text that it must have.
        numbers: columns of finite numbers that it must have.

    Returns:
        The table; None if there is none. If it cannot be read, lacks values in one of these columns, or belongs to
        another record, a warning is logged and None is returned.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not path.is_file():
        return None
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            content = file.read()
        check_owner((content.schema.metadata or {}).get(IDENTITY, b"").decode(), record)
        _check_columns(content, texts, numbers)
        table: pd.DataFrame = content.to_pandas(ignore_metadata=True)
    except (*DAMAGED, pa.ArrowException, ZsadError) as failure:
        log.warning("'%s' is left out, for it cannot be used: %s", path, " ".join(str(failure).split()))
        return None
    return table


def _check_columns(content: Any, texts: Sequence[str], numbers: Sequence[str]) -> None:
    """Check that a table has all columns, of these types, and no empty value in them.

    Raises:
        ZsadError: it has not; the column is named.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    for name in (*texts, *numbers):
        if name not in content.column_names:
            raise ZsadError(f"it has no column '{name}'")
        column = content.column(name)
        if name in texts:
            valid = pa.types.is_string(column.type) or pa.types.is_large_string(column.type) or not len(column)
        else:
            valid = pa.types.is_integer(column.type) or pa.types.is_floating(column.type)
            valid = valid and pc.all(pc.is_finite(column)).as_py() is not False
        if not valid or column.null_count:
            raise ZsadError(f"its column '{name}' holds values that are no {'text' if name in texts else 'numbers'}")


def check_owner(owner: str, record: Path) -> None:
    """Check that a file which names the identity `owner` belongs to the record at `record`.

    An empty identity, as in files of earlier versions, and a record whose file has another kind of name, as a copy may
    have, are not checked.

    Raises:
        ZsadError: it belongs to another record.
    """
    if owner and is_identity_name(record.stem) and not owner.startswith(record.stem):
        raise ZsadError(f"it belongs to the record {owner[:16]}")


def is_identity_name(stem: str) -> bool:
    """Return whether a file name without its suffix is the first 16 digits of an identity.

    >>> is_identity_name("0123456789abcdef"), is_identity_name("my copy")
    (True, False)
    """
    return len(stem) == 16 and set(stem) <= set("0123456789abcdef")

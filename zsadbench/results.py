"""Records under their former import path; the code is in `zsadbench.records`."""

from zsadbench.records import (
    SCHEMA,
    Cell,
    Record,
    canonical,
    find_records,
    identity,
    map_path,
    read_details,
    read_images,
    read_record,
    read_results,
    record_path,
    safe_name,
    tidy,
    validate,
    write_record,
)
from zsadbench.records import MetricValues as Row

__all__ = [
    "SCHEMA",
    "Cell",
    "Record",
    "Row",
    "canonical",
    "find_records",
    "identity",
    "map_path",
    "read_details",
    "read_images",
    "read_record",
    "read_results",
    "record_path",
    "safe_name",
    "tidy",
    "validate",
    "write_record",
]

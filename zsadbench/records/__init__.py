"""Records of results: one JSON file per (method, target, seed), its schema, and the sidecar files beside it."""

from zsadbench.records.record import (
    SCHEMA,
    Cell,
    Record,
    Row,
    canonical,
    find_records,
    identity,
    map_path,
    read_images,
    read_record,
    read_results,
    record_path,
    safe_name,
    tidy,
    validate,
    write_record,
)
from zsadbench.records.sidecars import read_details

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

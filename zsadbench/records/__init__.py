"""Records of results: one JSON file per method, target and seed, its schema, and its sidecar files."""

from zsadbench.records.hashes import Cell, canonical, identity
from zsadbench.records.record import (
    SCHEMA,
    MetricValues,
    Record,
    find_records,
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
from zsadbench.records.remarks import data_remarks
from zsadbench.records.sidecars import read_details
from zsadbench.records.stale import is_stale, stale_records

__all__ = [
    "SCHEMA",
    "Cell",
    "MetricValues",
    "Record",
    "canonical",
    "data_remarks",
    "find_records",
    "identity",
    "is_stale",
    "map_path",
    "read_details",
    "read_images",
    "read_record",
    "read_results",
    "record_path",
    "safe_name",
    "stale_records",
    "tidy",
    "validate",
    "write_record",
]

"""Records of results: one JSON file per method, target and seed, its schema, and its sidecar files."""

from zsadbench.records.hashes import Cell, canonical, identity
from zsadbench.records.profiles import Profile, find_profiles, profile_path, write_profile_of
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
    "Profile",
    "Record",
    "canonical",
    "data_remarks",
    "find_profiles",
    "find_records",
    "identity",
    "is_stale",
    "map_path",
    "profile_path",
    "read_details",
    "read_images",
    "read_record",
    "read_results",
    "record_path",
    "safe_name",
    "stale_records",
    "tidy",
    "validate",
    "write_profile_of",
    "write_record",
]

"""Sidecar files under their former import path; the code is in `zsadbench.records.sidecars`."""

from zsadbench.records.sidecars import Sidecars, read_arrays, read_details, read_regions, read_sidecars, read_spread

__all__ = ["Sidecars", "read_arrays", "read_details", "read_regions", "read_sidecars", "read_spread"]

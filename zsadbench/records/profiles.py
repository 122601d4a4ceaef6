"""Profiles beside records: `profiles/<method>-<digits>.json` below a folder of results, one per measurement.

They hold the cost of one method alone, which records of methods that shared an encoding cannot hold.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from zsadbench.errors import ZsadError
from zsadbench.files import write_atomically
from zsadbench.records.hashes import identity
from zsadbench.records.record import safe_name
from zsadbench.records.schemas import check_schema

log = logging.getLogger(__name__)

FOLDER = "profiles"
KEYS = ("method", "options", "backbone", "image_size", "precision", "batch_size", "device_name", "threads", "scenario")
Profile = Mapping[str, Any]


def profile_path(results: Path, profile: Profile) -> Path:
    """The path of a profile: one per method, options, backbone, image size, precision, batch size and device."""
    digits = identity({key: profile[key] for key in KEYS})[:16]
    return results / FOLDER / f"{safe_name(str(profile['method']))}-{digits}.json"


def write_profile_of(results: Path, profile: Profile, provenance: Mapping[str, Any]) -> Path:
    """Write a profile below `results`, in place of an earlier one of the same method, settings and device.

    Raises:
        ZsadError: it is invalid.
    """
    content = {"schema": 1, "profile": dict(profile), "provenance": dict(provenance)}
    check_schema(content, "profile")
    path = profile_path(results, profile)
    write_atomically(path, (json.dumps(content, indent=1, allow_nan=False) + "\n").encode())
    return path


def find_profiles(results: Path) -> Iterator[Profile]:
    """Read every profile below `results`, sorted by path; one that cannot be read is logged and skipped."""
    for path in sorted((results / FOLDER).glob("*.json")):
        try:
            content = json.loads(path.read_text())
            check_schema(content, "profile")
        except (OSError, ValueError, RecursionError, ZsadError) as failure:
            log.warning("skipped: '%s' is no readable profile: %s", path, failure)
            continue
        yield content["profile"]

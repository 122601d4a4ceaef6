"""The file of a threshold: what it is, what is promised of it, and the detector that it was fitted for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any

from zsadbench.errors import UsageError, ZsadError
from zsadbench.files import write_atomically
from zsadbench.records.schemas import check_schema
from zsadbench.thresholds.conformal import ConformalThreshold
from zsadbench.thresholds.recall import Recall

SCHEMA = 1
DETECTOR = {  # keys of a detector, in the order in which they are compared, and what a message calls them
    "method": "method",
    "backbone": "backbone",
    "weights_sha256": "weights",
    "extra_weights": "further weights",
    "parameters": "checkpoint",
    "class_name": "class word",
    "image_size": "input size",
    "options": "options of the method",
    "reference": "set of reference images",
    "tiles": "size of tiles",
    "protocol": "protocol",
    "precision": "precision",
    "tap_rule": "rule for tokens",
    "code": "code",
}
SHORT = 12  # characters of a hash in a message

Detector = Mapping[str, Any]  # everything that can change a score; the keys of `DETECTOR`


@dataclass(frozen=True)
class Level:
    """The threshold of one level, with the recall where defective images were given.

    The value of an image is its score at level `image`, and the largest value of its anomaly map at level `pixel`: an
    image without any pixel above the pixel threshold has no box.
    """

    fit: ConformalThreshold
    recall: Recall | None = None

    @property
    def threshold(self) -> float:
        """Values above it are anomalous."""
        return self.fit.threshold


@dataclass(frozen=True)
class Threshold:
    """The content of a threshold file.

    Attributes:
        detector: what it was fitted for, see `zsadbench.predict.detector_facts`.
        image: for the scores of images.
        pixel: for the values of anomaly maps.
        fitted_on: `normal` and `defective`: number and SHA-256 of the images.
        request: the flags that load the detector again, by the names of fields.
        provenance: versions, machine, time and command.
    """

    detector: Detector
    image: Level
    pixel: Level
    fitted_on: Mapping[str, Any] = field(default_factory=dict)
    request: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @property
    def class_name(self) -> str:
        """The word in prompts."""
        return str(self.detector["class_name"])

    def check_detector(self, detector: Detector, source: str | Path) -> None:
        """Check that the threshold was fitted for this detector; messages name the file, `source`.

        Raises:
            UsageError: it was fitted for another one; the message names what differs and both values.
        """
        mine, given = _plain(self.detector), _plain(detector)
        differing = [key for key in DETECTOR if mine.get(key) != given.get(key)]
        if not differing:
            return
        first = differing[0]
        others = [DETECTOR[key] for key in differing[1:]]
        more = f" (and in {', '.join(others)})" if others and first != "method" else ""
        raise UsageError(
            f"'{source}' was fitted for another {DETECTOR[first]}{more}: {_shown(mine.get(first))}, "
            f"not {_shown(given.get(first))}; fit one with zsadbench threshold fit, or use what it was fitted for"
        )


def write_threshold(path: Path, threshold: Threshold) -> None:
    """Write a threshold file, atomically.

    Raises:
        ZsadError: a value does not fit the schema.
        OSError: the file cannot be written.
    """
    content = {"schema": SCHEMA, **_plain(asdict(threshold))}
    for level in ("image", "pixel"):
        content[level]["guarantee"] = getattr(threshold, level).fit.guarantee
    check_schema(content, "threshold")
    write_atomically(path, (json.dumps(content, indent=1, allow_nan=False) + "\n").encode())


def read_threshold(path: Path) -> Threshold:
    """Read a threshold file.

    Raises:
        UsageError: there is no such file, or it is not one that `threshold fit` wrote.
    """
    if not path.is_file():
        raise UsageError(f"--threshold '{path}' is no file; make one with zsadbench threshold fit")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        check_schema(content, "threshold")
    except (OSError, ValueError, RecursionError, ZsadError) as failure:
        raise UsageError(
            f"'{path}' is no threshold file: {failure}; make one with zsadbench threshold fit"
        ) from failure
    return Threshold(
        content["detector"],
        _level(content["image"], path),
        _level(content["pixel"], path),
        content["fitted_on"],
        content["request"],
        content["provenance"],
    )


def _level(content: Mapping[str, Any], path: Path) -> Level:
    """Make the level of a file whose content has the right form.

    Raises:
        UsageError: its numbers do not go together.
    """
    fit = ConformalThreshold(**content["fit"])
    if not isfinite(fit.threshold) or not 1 <= fit.rank <= fit.normal:
        raise UsageError(f"'{path}' is no threshold file: its threshold or rank was edited; fit it again")
    return Level(fit, Recall(**content["recall"]) if content["recall"] else None)


def _plain(value: Any) -> Any:
    """Return a value as JSON would give it back: lists for tuples."""
    return json.loads(json.dumps(value))


def _shown(value: Any) -> str:
    """Show a value in a message; of a hash, the first characters."""
    if isinstance(value, str):
        is_hash = len(value) == 64 and not value.strip("0123456789abcdef")
        return f"{value[:SHORT]}…" if is_hash else f"'{value}'"
    return "none" if value in (None, {}, []) else json.dumps(value, sort_keys=True)

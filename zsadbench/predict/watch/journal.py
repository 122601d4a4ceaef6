"""What a watch has scored: a file of JSON lines that survives kills.

    {"kind": "detector", "schema": 1, "facts": …}      the first line: what scores, see `detector_facts`
    {"kind": "scale", "low": …, "high": …}             the colours of all heat maps
    {"kind": "image", "path": …, "stamp": …, "score": …, …}   one per image that was scored or has failed

A line is written after the pictures of its image and flushed to disk. A line that a kill cut off is removed at the next
start, and its image is scored again; so the journal holds every image once. The last line of a path counts.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from zsadbench.display.colour_range import ColourRange
from zsadbench.errors import UsageError
from zsadbench.predict.heat_maps import THUMBNAILS
from zsadbench.predict.prediction import Prediction
from zsadbench.predict.regions import Region
from zsadbench.predict.watch.finished import Stamp

log = logging.getLogger(__name__)

SCHEMA = 1
FILE = "watch.jsonl"


class Journal:
    """The journal of a folder of results.

    Attributes:
        predictions: by the relative path of the image.
        stamps: of the files when they were scored, by the same.
        scale: the colours of all heat maps; None before the first image.
        additions: how often `add` was called.

    Raises:
        UsageError: the file was written for another detector, or is no journal.
    """

    def __init__(self, out: Path, facts: Mapping[str, Any]) -> None:
        self.path, self.out = out / FILE, out
        self.predictions: dict[str, Prediction] = {}
        self.stamps: dict[str, Stamp] = {}
        self.scale: ColourRange | None = None
        self.additions = 0
        self._load(json.loads(json.dumps(facts)))

    def _load(self, facts: Mapping[str, Any]) -> None:
        lines = self._whole_lines()
        entries = [entry for entry in map(_entry_of, lines) if entry is not None]
        if lines and (not entries or entries[0].get("kind") != "detector" or entries[0].get("schema") != SCHEMA):
            raise UsageError(f"'{self.path}' is no journal of a watch that this version reads; choose another --out")
        if entries and entries[0]["facts"] != facts:
            differing = [key for key in facts if entries[0]["facts"].get(key) != facts[key]]
            raise UsageError(
                f"'{self.out}' holds scores of a watch with other settings ({', '.join(differing)}); "
                "choose another --out, or repeat those settings"
            )
        if not entries:
            self._append([{"kind": "detector", "schema": SCHEMA, "facts": facts}])
        for entry in entries[1:]:
            if entry.get("kind") == "scale":
                self.scale = ColourRange(entry["low"], entry["high"])
        for entry in entries[1:]:
            if entry.get("kind") == "image":
                relative = os.fsdecode(bytes.fromhex(entry["path"]))
                self.predictions[relative] = self._prediction(entry, relative)
                self.stamps[relative] = Stamp(*entry["stamp"])

    def _whole_lines(self) -> list[bytes]:
        """Read the lines; what a kill left of a last line is cut off."""
        if not self.path.exists():
            return []
        content = self.path.read_bytes()
        end = content.rfind(b"\n") + 1
        if end < len(content):
            log.info("'%s': the last line was cut off, so its image is scored again", self.path)
            with self.path.open("r+b") as stream:
                stream.truncate(end)
        return content[:end].splitlines()

    def places(self) -> dict[str, str]:
        """The names of the pictures of images, as `Drawer.place` gives them, by relative path."""
        return {
            relative: one.thumbnail.relative_to(self.out / THUMBNAILS).with_suffix("").as_posix()
            for relative, one in self.predictions.items()
            if one.thumbnail is not None
        }

    def set_scale(self, scale: ColourRange) -> None:
        """Fix the colours of all heat maps."""
        self.scale = scale
        self._append([{"kind": "scale", "low": scale.low, "high": scale.high}])

    def add(self, found: Iterable[tuple[Prediction, Stamp]]) -> None:
        """Note images that were scored or have failed, and flush them to disk."""
        pairs = list(found)
        self.additions += 1
        self._append([self._line(prediction, stamp) for prediction, stamp in pairs])
        for prediction, stamp in pairs:
            self.predictions[prediction.relative] = prediction
            self.stamps[prediction.relative] = stamp

    def _append(self, entries: Iterable[Mapping[str, Any]]) -> None:
        text = "".join(json.dumps(entry, allow_nan=False) + "\n" for entry in entries)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            left = memoryview(text.encode())
            while left:
                left = left[os.write(descriptor, left) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _line(self, prediction: Prediction, stamp: Stamp) -> dict[str, Any]:
        line = {
            "kind": "image",
            "path": os.fsencode(prediction.relative).hex(),  # a name need not be valid text
            "image": os.fsencode(prediction.image).hex(),
            "stamp": list(stamp),
            "word": prediction.word,
        }
        if prediction.score is None or prediction.heat_map is None or prediction.thumbnail is None:
            return {**line, "failure": prediction.failure}
        return {
            **line,
            "score": prediction.score,
            "highest": prediction.highest,
            "region": prediction.region,
            "seconds": prediction.seconds,
            "size": prediction.size,
            "heat_map": os.fsencode(prediction.heat_map.relative_to(self.out)).hex(),
            "thumbnail": os.fsencode(prediction.thumbnail.relative_to(self.out)).hex(),
        }

    def _prediction(self, entry: Mapping[str, Any], relative: str) -> Prediction:
        image = Path(os.fsdecode(bytes.fromhex(entry["image"])))
        if "score" not in entry:
            return Prediction(image, failure=entry["failure"], relative=relative, word=entry["word"])
        return Prediction(
            image,
            entry["score"],
            entry["highest"],
            self.out / os.fsdecode(bytes.fromhex(entry["heat_map"])),
            scale=self.scale,
            relative=relative,
            word=entry["word"],
            region=Region(*entry["region"]) if entry["region"] else None,
            seconds=entry["seconds"],
            size=(entry["size"][0], entry["size"][1]),
            thumbnail=self.out / os.fsdecode(bytes.fromhex(entry["thumbnail"])),
        )


def _entry_of(line: bytes) -> dict[str, Any] | None:
    """Read one line; None, with a warning, where it is damaged."""
    try:
        entry = json.loads(line)
    except ValueError:
        entry = None
    if not isinstance(entry, dict):
        log.warning("a line of the journal is damaged and left out: %s", line[:60])
        return None
    return entry

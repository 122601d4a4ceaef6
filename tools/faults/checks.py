"""What must hold after a process was killed, and once its run is complete."""

from __future__ import annotations

import fcntl
import io
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tools.faults.world import PATIENCE, SHARD, Chain
from zsadbench.checkpoints import check_digest, read_archive
from zsadbench.engine.learn.epochs import ENDING
from zsadbench.errors import ZsadError
from zsadbench.files import DAMAGED, UNFINISHED
from zsadbench.records import read_record

FAULTY: tuple[type[Exception], ...] = (ZsadError, *DAMAGED)
EPOCH = 3  # steps: one for each image of the auxiliary set


@dataclass
class Found:
    """The faults that were found, by kind."""

    faults: list[tuple[str, str]] = field(default_factory=list)

    def add(self, kind: str, text: str) -> None:
        """Add a fault and print it."""
        self.faults.append((kind, text))
        print(f"FAULT, {kind}: {text}", flush=True)

    def count(self, kind: str) -> int:
        """Return the number of faults of a kind."""
        return sum(one == kind for one, _ in self.faults)


def files_of(folder: Path) -> Iterator[Path]:
    """Yield the finished files below a folder: no temporary ones, locks or logs."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.name.endswith(UNFINISHED) and path.suffix not in {".lock", ".log"}:
            yield path


def check_after_kill(chain: Chain, records: dict[Path, dict[str, Any]], found: Found) -> None:
    """Check what must hold after any kill; `records` are the classes of the records so far, and are updated.

    No class of a record is lost or changed, no file is torn, no lock is held and no process is left.
    """
    for path in [*chain.results.rglob("*.json"), *records]:
        try:
            classes = read_record(path).classes
        except FAULTY as failure:
            found.add("lost" if path in records and not path.exists() else "torn", f"{path}: {failure}")
            continue
        before = records.get(path, {})
        if any(classes.get(name) != values for name, values in before.items()):
            found.add("lost", f"{path} had {sorted(before)}, and has {sorted(classes)}")
        records[path] = classes
    for path in [*files_of(chain.results), *files_of(chain.cache)]:
        try:
            read(path)
        except FAULTY as failure:
            found.add("torn", f"{path}: {type(failure).__name__}: {failure}")
    check_nothing_lives(chain, found)


def check_nothing_lives(chain: Chain, found: Found) -> None:
    """Check that no process of a run is left, and that no lock is held."""
    end = time.monotonic() + PATIENCE
    while (left := chain.processes()) and time.monotonic() < end:
        time.sleep(0.1)
    if left:
        found.add("orphans", f"{[' '.join(process.cmdline()) for process in left]}")
    for process in left:
        process.kill()
    for path in [*chain.results.rglob("*.lock"), *chain.cache.rglob("*.lock")]:
        with path.open() as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                found.add("locks", str(path))


def read(path: Path) -> Any:
    """Read a file of results or of the cache, and return its content without timings and provenance.

    Raises:
        what its reader raises: it is torn.
    """
    if path.suffix in {".safetensors", ENDING}:
        check_digest(path, read_archive(path))
        return path.read_bytes()
    content = path.read_bytes()
    if path.suffix == ".json":
        values = json.loads(content)
        return {key: values[key] for key in values if key not in {"cost", "provenance"}} if "cost" in values else values
    if path.suffix == ".parquet":
        return pd.read_parquet(io.BytesIO(content)).drop(columns="seconds").to_json()
    if path.suffix in {".npz", ".npy"}:
        loaded = np.load(io.BytesIO(content), allow_pickle=False)
        return {name: loaded[name].tobytes() for name in loaded.files} if path.suffix == ".npz" else loaded.tobytes()
    return content


def check_complete(chain: Chain, reference: Chain, kills: int, workers: int, found: Found) -> dict[str, int]:
    """Check a run that was killed so often and is complete: its results are those of one that was not killed.

    Return how many images and steps were done more often than in that one.
    """
    for name, folder, other in (
        ("results", chain.results, reference.results),
        ("checkpoints", chain.cache / "checkpoints", reference.cache / "checkpoints"),
    ):
        mine, wanted = ({path.relative_to(at): read(path) for path in files_of(at)} for at in (folder, other))
        if mine.keys() != wanted.keys():
            found.add("different", f"{name}: {sorted(map(str, mine.keys() ^ wanted.keys()))}")
        differing = [str(path) for path in mine.keys() & wanted.keys() if mine[path] != wanted[path]]
        if differing:
            found.add("different", f"{name}: {differing}")
    left = list(chain.results.rglob(f"*{UNFINISHED}"))
    if left:
        found.add("leftovers", f"{left}")
    done, needed = chain.counts(), reference.counts()
    again = {event: done.get(event, 0) - count for event, count in needed.items()}
    repeated = {
        "images": max(again["score"], again["plain"]),
        "steps": again["step first"] + again["step second"],
    }
    for what, most in (("images", SHARD * workers), ("steps", EPOCH)):
        if repeated[what] > most * kills:
            found.add("repeated", f"{what}: {repeated[what]} in {kills} kills, of at most {most} each; {chain.folder}")
    if min(again.values()) < 0:
        found.add("different", f"less was done than needed: {again}")
    return repeated

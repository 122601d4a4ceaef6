"""Measure the memory of evaluating many anomaly maps, and of merging many shards: peaks of new processes.

`count` evaluates generated maps in batches as `run` does, with all default metrics and everything that is written
beside a record, pixels counted as a stream; the counts for intervals, the largest of these files, are written.
`merge` is what the process does that drives a run: it adds the states of shards of 64 images, which come as files, one
after the other. Every line is a process of its own; memory is in MiB, the peak of the process and what of it is above
its imports.

    python benchmarks/memory.py                                              small numbers, about a minute
    python benchmarks/memory.py --images 2000,20000 --shards 16,256          about half an hour of one core
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from zsadbench.engine.evaluate.measure import ClassMeasurement
from zsadbench.engine.evaluate.thresholds import Thresholds
from zsadbench.engine.machine.memory import peak_host_mib
from zsadbench.metrics.names import DEFAULT_NAMES
from zsadbench.records.sidecars import write_arrays

BATCH = 8
SHARD = 64  # images
QUARTILES = (500.0, 1000.0, 2000.0)  # of region area, in pixels
NAMES = r"details/.*/names"  # entries of a state that name images
MANY = 10**11  # pixels of a class that is streamed

Array = NDArray[Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", default="100,400", help="numbers of maps, a comma list")
    parser.add_argument("--shards", default="4,16", help="numbers of shards, a comma list")
    parser.add_argument("--side", type=int, default=518, help="of a map, in pixels")
    parser.add_argument("--json", action="store_true", help="one JSON object per process")
    parser.add_argument("--here", help=argparse.SUPPRESS)  # starts the process that is measured
    arguments = parser.parse_args()
    if arguments.here:
        what, number = arguments.here.split(":")
        print(json.dumps({"what": what, **measured(what, int(number), arguments.side)}))
        return
    for what, numbers in (("count", arguments.images), ("merge", arguments.shards)):
        for number in numbers.split(","):
            command = [sys.executable, __file__, "--here", f"{what}:{number}", "--side", str(arguments.side)]
            line = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
            found = json.loads(line)
            unit = "maps" if what == "count" else f"shards of {SHARD} maps"
            text = f"{number:>6} {unit}: peak {found['peak']:.0f} MiB, {found['above']:.0f} above the imports; "
            print(line if arguments.json else f"{text}{found['cpu']:.1f} s of CPU", flush=True)


def measured(what: str, number: int, side: int) -> dict[str, float]:
    """Return the peak of this process in MiB, in all and above the imports, with seconds."""
    imports, start, cpu = peak_host_mib() or 0.0, perf_counter(), process_time()
    if what != "merge":  # count, or write FILE
        measurement = counted(range(number), number, side)
    else:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "shard.npz"
            command = [sys.executable, __file__, "--here", f"write {file}:{SHARD}", "--side", str(side)]
            subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
            measurement = merged(file, number)
    if what.startswith("write "):
        np.savez(what.removeprefix("write "), **measurement.state())  # type: ignore[arg-type]
    else:
        with tempfile.TemporaryDirectory() as folder:
            details = measurement.result(0, {}).details
            assert details is not None
            write_arrays(Path(folder) / "part.spread.npz", {"part": details.spread})
    peak = peak_host_mib() or 0.0
    return {"number": number, "peak": peak, "above": peak - imports, "seconds": perf_counter() - start} | {
        "cpu": process_time() - cpu
    }


def counted(numbers: range, count: int, side: int) -> ClassMeasurement:
    """Evaluate the maps of these numbers of a class of `count` images."""
    measurement = empty(count)
    for positions, maps, masks in batches(numbers, side):
        scores = maps.max(axis=(1, 2))
        measurement.update(scores, positions, list(maps), list(masks))
    return measurement


def merged(file: Path, shards: int) -> ClassMeasurement:
    """Add the shard in `file` so many times, each time as the shard of other images."""
    measurement = empty(shards * SHARD)
    for number in range(shards):
        with np.load(file) as arrays:
            state = dict(arrays)
        state["positions"] = state["positions"] + number * SHARD
        named = {key: np.char.add(f"{number}-", value) for key, value in state.items() if re.fullmatch(NAMES, key)}
        measurement.add_state(state | named)
    return measurement


def empty(count: int) -> ClassMeasurement:
    """Make the measurement of a class of `count` images, every fourth anomalous, as `run` does for a large one."""
    names = [f"{number:06}.png" for number in range(count)]
    labels = [number % 4 == 0 for number in range(count)]
    defects = ["scratch" if label else "good" for label in labels]
    rows = pd.DataFrame({"relative": names, "class": "part", "label": np.array(labels, int), "defect": defects})
    rows = rows.assign(view="", sample=names)
    return ClassMeasurement(
        DEFAULT_NAMES, rows, masked=True, pixels=MANY, area_quartiles=QUARTILES, thresholds=Thresholds()
    )


def batches(numbers: range, side: int) -> Iterator[tuple[Array, Array, Array]]:
    """Generate positions (batch,), maps float32 (batch, side, side) and masks uint8 of the same shape."""
    for start in range(0, len(numbers), BATCH):
        positions = np.array(numbers[start : start + BATCH], np.int64)
        generator = np.random.default_rng(int(positions[0]))
        maps = generator.random((len(positions), side, side), np.float32)
        masks = np.zeros(maps.shape, np.uint8)
        for row in np.flatnonzero(positions % 4 == 0):
            top, left = generator.integers(0, side - side // 8, 2)
            masks[row, top : top + side // 8, left : left + side // 8] = 1
        yield positions, maps + masks * np.float32(0.3), masks


if __name__ == "__main__":
    main()

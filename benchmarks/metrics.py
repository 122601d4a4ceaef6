"""Compare pixel metrics with other libraries: CPU and wall seconds, memory, error, ratios, on the same maps.

All run in one process. Fast ones take turns, medians are compared; slow ones run once, and only up to `--slow` images.
CPU seconds are the fairer number on a shared machine. A library that is not installed, or that fails, is reported as
such. Memory is the peak of the process beyond the maps, and is known on Linux alone.

    python benchmarks/metrics.py                               50 images, half a minute
    python benchmarks/metrics.py --images 50,200,800 --json    the full table; needs 16 GB and some minutes
    python benchmarks/metrics.py --own                         ours alone: time per image, compilation, shards

The other libraries: `pip install 'zsadbench[bench]'`. ADEval 1.1.0 calls `numpy.trapz`, which is defined again if NumPy
no longer has it.
"""

import argparse
import ctypes
import gc
import json
import os
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any

from metrics_peers.definitions import Maps, Masks, oracle
from metrics_peers.own import figures
from metrics_peers.peers import Peer, everyone, versions
from metrics_peers.workload import generate

Result = dict[str, Any]
MIB = 1 << 20


def settle() -> int | None:
    """Return freed memory to the system, reset the peak, and return the resident bytes; None if they are unknown."""
    gc.collect()
    try:
        ctypes.CDLL("libc.so.6").malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return None
    return _status("VmRSS")


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


def measure(peer: Peer, maps: Maps, masks: Masks) -> Result:
    """Run one library once; return what was measured, or why it failed."""
    before = settle()
    cpu, wall = process_time(), perf_counter()
    try:
        values = peer.compute(maps, masks)
    except Exception as failure:  # any failure of a library is a result
        return {"failed": f"{type(failure).__name__}: {failure}".splitlines()[0][:200]}
    cpu, wall = process_time() - cpu, perf_counter() - wall
    memory = None if before is None else (_status("VmHWM") - before) / MIB
    return {"cpu": cpu, "wall": wall, "memory": memory, "values": values}


def compare(number: int, options: argparse.Namespace) -> list[Result]:
    """Run every library on this number of images; return one row per library."""
    maps, masks = generate(number)
    truth = oracle(maps, masks)
    peers = [peer for peer in everyone(options.threads) if not peer.slow or number <= options.slow]
    runs: dict[str, list[Result]] = {peer.name: [] for peer in peers}
    for peer in peers:  # the first call compiles and imports
        measure(peer, maps[:4], masks[:4])
    for turn in range(options.rounds):
        for peer in peers:
            if turn == 0 or not peer.slow:
                runs[peer.name].append(measure(peer, maps, masks))
                print(f"{number} images, round {turn + 1}: {peer.name}", file=sys.stderr)
    rows = [summary(name, number, maps.size, results, truth) for name, results in runs.items()]
    print(json.dumps(rows), file=sys.stderr)  # so that an interrupted run has printed them
    return rows


def summary(name: str, number: int, pixels: int, runs: list[Result], truth: dict[str, float]) -> Result:
    """Return the medians of the runs of one library."""
    failed = next((run["failed"] for run in runs if "failed" in run), None)
    if failed:
        return {"name": name, "images": number, "failed": failed}
    cpu = median(run["cpu"] for run in runs)
    values = runs[-1]["values"]
    memories = [run["memory"] for run in runs if run["memory"] is not None]
    return {
        "name": name,
        "images": number,
        "runs": len(runs),
        "cpu_s": cpu,
        "wall_s": median(run["wall"] for run in runs),
        "ns_per_pixel": cpu / pixels * 1e9,
        "peak_mib": max(memories, default=None),
        "error": {key: values[key] - truth[key] for key in truth if key in values},
        "differs": {"aupro_200": values["aupro_200"] - truth["aupro"]} if "aupro_200" in values else {},
    }


def report(rows: list[Result]) -> None:
    """Print the rows, with the CPU seconds of each divided by those of our two modes."""
    for number in dict.fromkeys(row["images"] for row in rows):
        of_number = [row for row in rows if row["images"] == number]
        base = {row["name"]: row["cpu_s"] for row in of_number if "cpu_s" in row}
        print(f"\n{number} images of 518 × 518")
        print(f"{'':22}{'CPU s':>9}{'wall s':>9}{'ns/px':>8}{'MiB':>7}{'÷ stream 22':>13}{'÷ exact':>9}  error")
        for row in of_number:
            if "failed" in row:
                print(f"{row['name']:22}does not run: {row['failed']}")
                continue
            ratios = [row["cpu_s"] / base[name] for name in ("ours, stream 22 bits", "ours, exact")]
            errors = {**row["error"], **{f"{key} - aupro": value for key, value in row["differs"].items()}}
            shown = ", ".join(f"{key} {value:+.1e}" for key, value in errors.items())
            memory = f"{row['peak_mib']:.0f}" if row["peak_mib"] is not None else "?"
            figures_ = f"{row['cpu_s']:9.3f}{row['wall_s']:9.3f}{row['ns_per_pixel']:8.2f}{memory:>7}"
            print(f"{row['name']:22}{figures_}{ratios[0]:13.1f}{ratios[1]:9.1f}  {shown}")


def environment(threads: int) -> Result:
    """Return the machine and the versions of this measurement."""
    model = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").is_file():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), model)
    return {
        "processor": model,
        "processors": os.cpu_count(),
        "threads": threads,
        "load": [round(load, 2) for load in os.getloadavg()],
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "python": platform.python_version(),
        "versions": versions(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--images", default="50", help="numbers of images, separated by commas")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--slow", type=int, default=200, help="most images for slow libraries; 0 leaves them out")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--own", action="store_true", help="measure ours alone")
    parser.add_argument("--shards", type=int, default=8, help="processes of the merge in --own; 0 leaves it out")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    results: Result = {"before": environment(options.threads)}
    if options.own:
        results["own"] = figures(options.shards)
    else:
        numbers = [int(number) for number in options.images.split(",")]
        results["rows"] = [row for number in numbers for row in compare(number, options)]
    results["after"] = environment(options.threads)
    if options.json:
        print(json.dumps(results))
        return
    print(json.dumps(results["before"]))
    report(results.get("rows", []))
    for name, value in results.get("own", {}).items():
        print(f"{name}: {value}")


if __name__ == "__main__":
    main()

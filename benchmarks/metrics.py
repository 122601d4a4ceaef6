"""Pixel metrics side by side: CPU and wall seconds, memory, error, ratios; all on the same maps in one process.

Fast ones take turns, medians are compared; slow ones run once, and only up to `--slow` images. CPU seconds
are the fair number where a machine is shared. A peer that is not installed, or that fails, is reported as
such. Peak memory is what the process held beyond the maps at its highest, and is known on Linux alone.

    python benchmarks/metrics.py                               50 images, half a minute of peers
    python benchmarks/metrics.py --images 50,200,800 --json    the full table; needs 16 GB and some minutes
    python benchmarks/metrics.py --own                         ours alone: cost an image, compilation, shards

Peers: `pip install 'zsadbench[bench]'`; ADEval 1.1.0 calls `numpy.trapz`, which is given to it where NumPy
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
from metrics_peers.workload import draw

Row = dict[str, Any]
MIB = 1 << 20


def settle() -> int | None:
    """Give freed memory back and start the peak anew; the bytes that are held now, None where nobody knows."""
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


def measure(peer: Peer, maps: Maps, masks: Masks) -> Row:
    """One run of one peer; where it fails, why."""
    before = settle()
    cpu, wall = process_time(), perf_counter()
    try:
        values = peer.compute(maps, masks)
    except Exception as failure:  # whatever a peer raises is a finding
        return {"failed": f"{type(failure).__name__}: {failure}".splitlines()[0][:200]}
    cpu, wall = process_time() - cpu, perf_counter() - wall
    memory = None if before is None else (_status("VmHWM") - before) / MIB
    return {"cpu": cpu, "wall": wall, "memory": memory, "values": values}


def compare(number: int, options: argparse.Namespace) -> list[Row]:
    """A row a peer, on so many images."""
    maps, masks = draw(number)
    truth = oracle(maps, masks)
    peers = [peer for peer in everyone(options.threads) if not peer.slow or number <= options.slow]
    runs: dict[str, list[Row]] = {peer.name: [] for peer in peers}
    for peer in peers:  # first calls compile and import
        measure(peer, maps[:4], masks[:4])
    for turn in range(options.rounds):
        for peer in peers:
            if turn == 0 or not peer.slow:
                runs[peer.name].append(measure(peer, maps, masks))
                print(f"{number} images, round {turn + 1}: {peer.name}", file=sys.stderr)
    rows = [summary(name, number, maps.size, found, truth) for name, found in runs.items()]
    print(json.dumps(rows), file=sys.stderr)  # so that an interrupted run has shown something
    return rows


def summary(name: str, number: int, pixels: int, runs: list[Row], truth: dict[str, float]) -> Row:
    """Medians of the runs of one peer."""
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


def report(rows: list[Row]) -> None:
    """The rows as text, with how many times slower than our two modes each is."""
    for number in dict.fromkeys(row["images"] for row in rows):
        here = [row for row in rows if row["images"] == number]
        base = {row["name"]: row["cpu_s"] for row in here if "cpu_s" in row}
        print(f"\n{number} images of 518 × 518")
        print(f"{'':22}{'CPU s':>9}{'wall s':>9}{'ns/px':>8}{'MiB':>7}{'÷ stream 22':>13}{'÷ exact':>9}  error")
        for row in here:
            if "failed" in row:
                print(f"{row['name']:22}does not run: {row['failed']}")
                continue
            ratios = [row["cpu_s"] / base[name] for name in ("ours, stream 22 bits", "ours, exact")]
            errors = {**row["error"], **{f"{key} - aupro": value for key, value in row["differs"].items()}}
            shown = ", ".join(f"{key} {value:+.1e}" for key, value in errors.items())
            memory = f"{row['peak_mib']:.0f}" if row["peak_mib"] is not None else "?"
            figures_ = f"{row['cpu_s']:9.3f}{row['wall_s']:9.3f}{row['ns_per_pixel']:8.2f}{memory:>7}"
            print(f"{row['name']:22}{figures_}{ratios[0]:13.1f}{ratios[1]:9.1f}  {shown}")


def environment(threads: int) -> Row:
    """Where and with what this was measured."""
    model = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").is_file():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), model)
    return {
        "processor": model,
        "processors": os.cpu_count(),
        "threads": threads,
        "load": [round(one, 2) for one in os.getloadavg()],
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "python": platform.python_version(),
        "versions": versions(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--images", default="50", help="numbers of images, with commas")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--slow", type=int, default=200, help="most images for slow peers, 0 leaves them out")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--own", action="store_true", help="measure ours alone")
    parser.add_argument("--shards", type=int, default=8, help="processes of the merge in --own, 0 leaves it out")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found: Row = {"before": environment(options.threads)}
    if options.own:
        found["own"] = figures(options.shards)
    else:
        numbers = [int(number) for number in options.images.split(",")]
        found["rows"] = [row for number in numbers for row in compare(number, options)]
    found["after"] = environment(options.threads)
    if options.json:
        print(json.dumps(found))
        return
    print(json.dumps(found["before"]))
    report(found.get("rows", []))
    for name, value in found.get("own", {}).items():
        print(f"{name}: {value}")


if __name__ == "__main__":
    main()

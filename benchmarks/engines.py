"""Measure what the engines cost and gain: the same run by one process, by worker processes and by Ray, as ratios.

Every run is a process of its own on the generated target `demo` with the small backbone, shards and records included,
with one thread per worker. Sides take turns in every round, and the median of each is shown. `wall` are seconds in all;
`work` are those from the first scored image on, so without the start of workers, which import the package and make the
plan again; `cpu` are seconds of the process and all that it started, read every half second. The overhead of an engine
is its ratio to `local`; the speed-up of two workers is `local` over them, if as many processors are free.

    python benchmarks/engines.py                                  some minutes
    python benchmarks/engines.py --image-size 480 --rounds 1      runs of about ten minutes
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from time import perf_counter, sleep
from typing import Any

import psutil

SIDES: dict[str, dict[str, Any]] = {
    "local": {},
    "processes, 1 worker": {"engine": "processes"},
    "ray, 1 worker": {"engine": "ray"},
    "processes, 2 workers": {"engine": "processes", "jobs": 2},
    "ray, 2 workers": {"engine": "ray", "jobs": 2},
}
FIGURES = ("wall", "work", "cpu")
EVERY = 0.5  # seconds between two readings of CPU time


class Clock:
    """A reporter that remembers when the first image was scored."""

    def __init__(self) -> None:
        self.first: float | None = None

    def images(self, count: int) -> None:
        """Some images are scored."""
        self.first = self.first or perf_counter()

    def __getattr__(self, name: str) -> Any:
        return lambda *_: None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--method", default="clip")
    parser.add_argument("--limit", type=int, default=0, help="images per label and class; 0 for all")
    parser.add_argument("--image-size", type=int, default=120, help="in pixels: larger ones make longer runs")
    parser.add_argument("--shard", type=int, default=8, help="images of a unit of work")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--side", help=argparse.SUPPRESS)  # starts the process that is measured
    arguments = parser.parse_args()
    if arguments.side:
        print(json.dumps(measured(arguments)))
        return
    sides = [name for name in SIDES if "ray" not in name or find_spec("ray")]
    found: dict[str, list[dict[str, float]]] = {name: [] for name in sides}
    of_process("local")  # which also generates the images
    load = os.getloadavg()[0]
    for _ in range(arguments.rounds):
        for name in sides:
            found[name].append(of_process(name))
    medians = {name: {key: median(one[key] for one in rounds) for key in FIGURES} for name, rounds in found.items()}
    if arguments.json:
        print(json.dumps({"load_before": load, "medians": medians}))
        return
    print(f"load before: {load:.1f} on {os.cpu_count()} processors; {arguments.rounds} rounds")
    for name, figures in medians.items():
        ratios = ", ".join(f"{key} {figures[key] / medians['local'][key]:.2f}" for key in FIGURES)
        seconds = ", ".join(f"{key} {figures[key]:6.1f} s" for key in FIGURES)
        print(f"{name:22} {seconds}; over local: {ratios}")


def of_process(name: str) -> dict[str, float]:
    """Run one side in a new process with one thread per worker."""
    command = [sys.executable, __file__, *sys.argv[1:], "--side", name]
    variables = {**os.environ, "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
    spent: dict[tuple[int, float], float] = {}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=variables) as process:
        while process.poll() is None:
            with suppress(psutil.Error):
                tree = psutil.Process(process.pid)
                for one in (tree, *tree.children(recursive=True)):
                    with suppress(psutil.Error):
                        spent[one.pid, one.create_time()] = sum(one.cpu_times()[:2])
            sleep(EVERY)
        told = process.stdout.read() if process.stdout else ""
    if process.returncode:
        raise SystemExit(f"{name} failed")
    return {**json.loads(told.splitlines()[-1]), "cpu": sum(spent.values())}


def measured(arguments: argparse.Namespace) -> dict[str, float]:
    """Run the plan in this process, and return its seconds; `work` is without the start of workers."""
    from zsadbench.engine.plan.jobs import make_plan
    from zsadbench.engine.plan.request import RunRequest
    from zsadbench.engine.run import run_plan

    with tempfile.TemporaryDirectory() as folder:
        request = RunRequest(
            tuple(arguments.method.split(",")),
            ("demo",),
            aux="none",
            limit=arguments.limit or None,
            image_size=arguments.image_size,
            shard=arguments.shard,
            batch_size=4,
            workers=1,
            out=Path(folder),
            device="cpu",
            **SIDES[arguments.side],
        )
        clock, start = Clock(), perf_counter()
        results = run_plan(make_plan(request), clock)  # type: ignore[arg-type]
        end = perf_counter()
    if results.failures or clock.first is None:
        raise SystemExit("\n".join(results.failures) or "nothing was scored")
    return {"wall": end - start, "work": end - clock.first}


if __name__ == "__main__":
    main()

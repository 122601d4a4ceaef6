"""Run four methods on `demo` under every engine, also in shards, killed, and with a node that leaves, and compare.

    python -m tools.faults.engines                      about half an hour on two free processors
    python -m tools.faults.engines --methods clip --kills 1 --engines local,processes

The first run, of one process, is the reference: it trains and scores. Then every engine runs with its checkpoints, and
once more from the start with kills; both with whole classes and with shards. Records, tables and checkpoints must be
those of the reference byte for byte, timings and provenance aside. Ray has two nodes on this machine, with one
processor each. All processes have one thread, and the batch size is fixed.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tools.faults.checks import files_of, read

SHARD = 16  # images
ENGINES = ("local", "processes", "ray")
LIMIT = 3600.0  # seconds of one run
RAY = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}


class Comparison:
    """The folder of all runs, the command, and the rows that were found."""

    def __init__(self, folder: Path, methods: str, seeds: str) -> None:
        self.folder = folder
        self.command = [sys.executable, "-c", "from zsadbench.cli import main; main()", "run"]
        self.command += ["-m", methods, "-t", "demo", "--seed", seeds]
        self.command += ["--batch-size", "8", "--device", "cpu", "-q"]
        self.rows: list[tuple[str, int, float, str]] = []

    def start(self, name: str, *more: str) -> subprocess.Popen[bytes]:
        """Start a run in its folder."""
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        variables = {**os.environ, "ZSADBENCH_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "1"}
        command = [*self.command, "--out", str(folder / "results"), *more]
        with (folder / "log").open("ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log, env=variables | {"NUMBA_NUM_THREADS": "1"})

    def run(
        self,
        name: str,
        *more: str,
        kills: int = 0,
        within: float = 0.0,
        leave: Callable[[Path, subprocess.Popen[bytes]], None] | None = None,
    ) -> None:
        """Kill a run so often, complete it, and compare it with the reference; add a row."""
        begin = time.monotonic()
        chance = random.Random(name)
        if name != "reference":
            ours = shutil.ignore_patterns("checkpoints") if kills else None
            shutil.copytree(self.folder / "reference" / "cache", self.folder / name / "cache", ignore=ours)
        killed = 0
        for _ in range(kills):
            process = self.start(name, *more)
            with suppress(subprocess.TimeoutExpired):
                process.wait(chance.uniform(0.0, within))
            if process.poll() is None:
                process.kill()
                killed += 1
            process.wait()
        process = self.start(name, *more)
        if leave:
            leave(self.folder / name / "results", process)
        code = process.wait(LIMIT)
        told = f"exit code {code}, see {self.folder / name / 'log'}" if code else self.differences(name)
        self.rows.append((name, killed, time.monotonic() - begin, told))
        print(f"{name}: {killed} kills, {self.rows[-1][2]:.0f} s, {told or 'equal'}", flush=True)

    def differences(self, name: str) -> str:
        """Return what is not as in the reference, empty where all is."""
        found = []
        for part in ("results", "cache/checkpoints"):
            mine, wanted = (
                {str(path.relative_to(at)): read(path) for path in files_of(at)}
                for at in (self.folder / one / part for one in (name, "reference"))
            )
            found += sorted(path for path in mine.keys() | wanted.keys() if mine.get(path) != wanted.get(path))
            if not wanted and part == "results":
                found.append("nothing was written")
        return ", ".join(found)

    def retried(self, name: str) -> int:
        """Return how many units were tried again."""
        records = (self.folder / name / "results").rglob("*.json")
        return sum(len(json.loads(path.read_text())["provenance"].get("retried", [])) for path in records)


@contextmanager
def cluster() -> Iterator[Any]:
    """Two nodes of Ray on 127.0.0.1 with one processor each."""
    os.environ.update(RAY)
    from ray.cluster_utils import Cluster

    started = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "node_ip_address": "127.0.0.1"})
    started.add_node(num_cpus=1, node_ip_address="127.0.0.1")
    yield started
    started.shutdown()


def compare(comparison: Comparison, engine: str, kills: int, within: float, started: Any = None) -> None:
    """Run everything under an engine."""
    flags = ["--engine", engine, *(["--jobs", "2"] if engine != "local" else [])]
    flags += ["--address", started.address] if started else []
    for shards, name in (((), engine), (("--shard", str(SHARD)), f"{engine}, shards")):
        if name != "local":
            comparison.run(name, *flags, *shards)
        comparison.run(f"{name}, killed", *flags, *shards, kills=kills, within=within)
    if not started:
        return

    def leave(results: Path, process: subprocess.Popen[bytes]) -> None:
        while not list(results.rglob("*.shards/*")) and process.poll() is None:
            time.sleep(0.2)
        started.remove_node(next(iter(started.worker_nodes)), allow_graceful=False)

    name = f"{engine}, a node leaves"
    comparison.run(name, *flags, "--shard", str(SHARD), leave=leave)
    print(f"{name}: {comparison.retried(name)} units were tried again", flush=True)


def main() -> None:
    """Read the arguments, run everything, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", default="fbclip,anomalyclip,afclip,clip")
    parser.add_argument("--seeds", default="0,1")
    parser.add_argument("--engines", default=",".join(ENGINES))
    parser.add_argument("--kills", type=int, default=3, help="of each run that is killed")
    parser.add_argument("--folder", type=Path, help="where runs lie and stay; default: a temporary one")
    arguments = parser.parse_args()
    folder = arguments.folder or Path(tempfile.mkdtemp(prefix="engines-"))
    folder.mkdir(parents=True, exist_ok=True)
    comparison = Comparison(folder, arguments.methods, arguments.seeds)
    comparison.run("reference")
    if comparison.rows[0][-1]:
        raise SystemExit("the reference has failed")
    within = comparison.rows[0][2] / 2
    for engine in arguments.engines.split(","):
        if engine == "ray":
            with cluster() as started:
                compare(comparison, engine, arguments.kills, within, started)
        else:
            compare(comparison, engine, arguments.kills, within)
    print("\n| run | kills | seconds | results |\n| --- | --- | --- | --- |")
    for name, killed, seconds, told in comparison.rows:
        print(f"| {name} | {killed} | {seconds:.0f} | {told or 'equal'} |")
    if any(told for *_, told in comparison.rows):
        raise SystemExit(f"results differ; the runs lie in {folder}")
    if not arguments.folder:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()

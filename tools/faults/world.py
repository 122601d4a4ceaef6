"""What all runs share: data, a very small backbone, and the commands; and the process that forks them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from zsadbench.data import synthesise

PLUGINS = Path(__file__).parent / "plugins"
BACKBONE = {
    "embed_dim": 16,
    "quick_gelu": True,
    "vision": {"image_size": 28, "patch_size": 14, "width": 32, "layers": 2, "heads": 1},
    "text": {"context_length": 77, "vocab_size": 49408, "width": 16, "heads": 1, "layers": 1},
}
CLASSES = ("bottle", "grid")
SHARD = 2  # images
PATIENCE = 20.0  # seconds until a process that should end counts as one that stays


@dataclass(frozen=True)
class World:
    """The folder of a campaign with data and backbone."""

    folder: Path

    @classmethod
    def make(cls, folder: Path) -> World:
        """Write the data and the backbone."""
        for name in ("mvtec", "colondb"):
            synthesise(name, folder / "data", 3)
        (folder / "backbone.json").write_text(json.dumps(BACKBONE))
        return cls(folder)

    def arguments(self, results: Path, *more: str) -> list[str]:
        """Return the arguments of the run: a method that learns in two stages and one that learns nothing."""
        return [
            *("run", "-m", "learner,scorer", "-t", "mvtec", "--class", ",".join(CLASSES), "--aux", "colondb"),
            *("--backbone", str(self.folder / "backbone.json"), "--weights", "random", "--image-size", "28"),
            *("--data-root", str(self.folder / "data"), "--workers", "0", "--batch-size", "1", "--shard", str(SHARD)),
            *("--plugin", str(PLUGINS / "learner.py"), "--plugin", str(PLUGINS / "scorer.py"), "--save-maps", "-q"),
            *("--out", str(results), *more),
        ]


@dataclass
class Chain:
    """The folders of a run that is killed and started again until it is complete."""

    folder: Path

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True)
        self.results, self.cache = self.folder / "results", self.folder / "cache"
        self.events, self.log = self.folder / "events", self.folder / "log"

    @property
    def environment(self) -> dict[str, str]:
        """Return the variables of its processes, by which they are known too."""
        return {"ZSADBENCH_CACHE": str(self.cache), "FAULTS_EVENTS": str(self.events), "OMP_NUM_THREADS": "1"}

    def counts(self) -> dict[str, int]:
        """Return how often each event has happened."""
        lines = self.events.read_text().splitlines() if self.events.is_file() else []
        return {event: lines.count(event) for event in set(lines)}

    def processes(self) -> list[psutil.Process]:
        """Return the living processes of this run that were started as programs: workers."""
        found = []
        for process in psutil.process_iter():
            try:
                ours = process.environ().get("FAULTS_EVENTS") == str(self.events)
                if ours and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except (psutil.Error, OSError):
                continue
        return found


class Server:
    """The process of `tools.faults.server`; `reference` is a run that it has completed."""

    def __init__(self, world: World) -> None:
        self.world, self.reference = world, Chain(world.folder / "reference")

    def __enter__(self) -> Server:
        command = [sys.executable, "-m", "tools.faults.server"]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self._process = subprocess.Popen(command, **pipes, text=True, env=environment)
        self._send(self.reference, self.world.arguments(self.reference.results), None)
        self._expect("ready")
        return self

    def __exit__(self, *_: object) -> None:
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def start(self, chain: Chain, arguments: list[str], fail: tuple[int, str] | None = None) -> int:
        """Start a run and return the number of its process."""
        self._send(chain, arguments, fail)
        return int(self._expect("started").split()[1])

    def end(self) -> int:
        """Wait until the run has ended, and return its exit code; that of a signal is negative."""
        return int(self._expect("ended").split()[2])

    def run(self, chain: Chain, arguments: list[str], fail: tuple[int, str] | None = None) -> int:
        """Run to the end, and return the exit code."""
        self.start(chain, arguments, fail)
        return self.end()

    def kill(self, process: int, after: float, number: signal.Signals = signal.SIGKILL) -> int:
        """Send a signal to a run after some seconds, and return the exit code of its process."""
        time.sleep(after)
        os.kill(process, number)  # at worst it has ended and was not yet replaced: numbers are not used again at once
        return self.end()

    def _send(self, chain: Chain, arguments: list[str], fail: tuple[int, str] | None) -> None:
        request = {"arguments": arguments, "environment": chain.environment, "log": str(chain.log), "fail": fail}
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()

    def _expect(self, word: str) -> str:
        line = self._process.stdout.readline()
        if not line.startswith(word):
            raise RuntimeError(f"the server said '{line}' where '{word}' was expected")
        return line

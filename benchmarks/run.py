"""Measure a whole run from files to a record: seconds per stage, images per second, and how busy the device was.

Runs `zsadbench run` in this process on one target, twice into new folders: the first run warms up, the second is
reported. The share of time in which a GPU was busy is read from its driver (NVML, with pynvml installed) every 50
milliseconds; on a CPU it is the CPU time of this process over the time of its threads. The default is the generated
target `demo` with the small backbone that is shipped, four images per label and class.

    python benchmarks/run.py                                                     under a minute
    python benchmarks/run.py --method fbclip --target visa --backbone ViT-L-14-336 --device cuda --precision bf16
"""

from __future__ import annotations

import argparse
import json
import tempfile
import threading
from importlib import import_module
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import torch

from zsadbench import run
from zsadbench.engine.machine.device import choose_device
from zsadbench.engine.record.provenance import device_name
from zsadbench.records.stages import STAGES

EVERY = 0.05  # seconds between two readings


class Busy:
    """Measures how busy the device is while the block runs: `share` is in [0, 1], None if unknown."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.readings: list[int] = []
        self.share: float | None = None
        self._stop = threading.Event()

    def __enter__(self) -> Busy:
        self._start = perf_counter(), process_time()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        if self.device.type == "cpu":
            elapsed = perf_counter() - self._start[0]
            self.share = (process_time() - self._start[1]) / (elapsed * torch.get_num_threads())
        elif self.readings:
            self.share = sum(self.readings) / len(self.readings) / 100

    def _watch(self) -> None:
        if self.device.type == "cpu":
            return
        try:
            nvml = import_module("pynvml")
        except ImportError:
            return
        nvml.nvmlInit()
        handle = nvml.nvmlDeviceGetHandleByUUID(f"GPU-{torch.cuda.get_device_properties(self.device).uuid}")
        while not self._stop.wait(EVERY):
            self.readings.append(nvml.nvmlDeviceGetUtilizationRates(handle).gpu)


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Measure one whole run, after one that is not reported."""
    device = choose_device(arguments.device)
    options = {
        "aux": "none",
        "backbone": arguments.backbone,
        "weights": arguments.weights,
        "device": arguments.device,
        "precision": arguments.precision,
        "limit": arguments.limit,
        "batch_size": arguments.batch_size,
        "workers": arguments.workers,
    }
    if arguments.data_root:
        options["data_root"] = arguments.data_root
    for _ in range(2):
        with tempfile.TemporaryDirectory() as folder, Busy(device) as busy:
            start = perf_counter()
            results = run([arguments.method], [arguments.target], out=Path(folder), **options)
            elapsed = perf_counter() - start
    if results.failures:
        raise SystemExit("\n".join(results.failures))
    ((_, record),) = results.records
    images = sum(record.cost["images"].values())
    return {
        "method": arguments.method,
        "target": arguments.target,
        "backbone": record.cell["backbone"],
        "precision": arguments.precision,
        "images": images,
        "seconds": elapsed,
        "images_per_second": images / elapsed,
        "seconds_by_stage": {stage: record.cost["seconds"][stage] for stage in STAGES},
        "busy": busy.share,
        "batch_size": record.cost["batch_size"],
        "threads": torch.get_num_threads(),
        "device": device_name(device),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--method", default="fbclip")
    parser.add_argument("--target", default="demo")
    parser.add_argument("--backbone", default="demo")
    parser.add_argument("--weights", help="default: 'demo' for the backbone 'demo', else 'random'")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--limit", type=int, default=4, help="images per label and class; 0 for all")
    parser.add_argument("--batch-size", type=int, default=None)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--data-root", type=Path, default=None)
    parser.add_argument("--json", action="store_true", help="one JSON object")
    arguments = parser.parse_args()
    arguments.limit = arguments.limit or None
    arguments.weights = arguments.weights or ("demo" if arguments.backbone == "demo" else "random")
    result = measure(arguments)
    if arguments.json:
        print(json.dumps(result))
        return
    busy = "unknown" if result["busy"] is None else f"{result['busy']:.0%}"
    stages = ", ".join(f"{name} {seconds:.2f}" for name, seconds in result["seconds_by_stage"].items())
    rate = f"{result['images_per_second']:.2f} per second, device busy {busy}"
    print(f"{result['images']} images in {result['seconds']:.2f} s: {rate}")
    print(f"seconds per stage: {stages}; the rest is building the encoders, text features and the record")


if __name__ == "__main__":
    main()

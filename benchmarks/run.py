"""A whole data set from files to a record: seconds by stage, images a second, and what the device did meanwhile.

Runs `zsadbench run` in this process on one target, twice into fresh folders: the first run warms up, the second
counts. The share of the time in which a GPU was busy comes from its driver (NVML, with pynvml installed), asked every
50 milliseconds; on a CPU it is the share of this process's threads in the processors' time. Without arguments the
drawn target `demo` and the small backbone that is shipped, four images a label and class.

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

EVERY = 0.05  # seconds between two looks at the device


class Busy:
    """How busy the device is while the block runs: the mean of its driver's figures, or of this process on a CPU."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.seen: list[int] = []
        self.share: float | None = None
        self._over = threading.Event()

    def __enter__(self) -> Busy:
        self._start = perf_counter(), process_time()
        self._watcher = threading.Thread(target=self._look, daemon=True)
        self._watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._watcher.join()
        if self.device.type == "cpu":
            elapsed = perf_counter() - self._start[0]
            self.share = (process_time() - self._start[1]) / (elapsed * torch.get_num_threads())
        elif self.seen:
            self.share = sum(self.seen) / len(self.seen) / 100

    def _look(self) -> None:
        if self.device.type == "cpu":
            return
        try:
            nvml = import_module("pynvml")
        except ImportError:
            return
        nvml.nvmlInit()
        handle = nvml.nvmlDeviceGetHandleByUUID(f"GPU-{torch.cuda.get_device_properties(self.device).uuid}")
        while not self._over.wait(EVERY):
            self.seen.append(nvml.nvmlDeviceGetUtilizationRates(handle).gpu)


def measure(asked: argparse.Namespace) -> dict[str, Any]:
    """One whole run, after one that is not counted."""
    device = choose_device(asked.device)
    settled = {
        "aux": "none",
        "backbone": asked.backbone,
        "weights": asked.weights,
        "device": asked.device,
        "precision": asked.precision,
        "limit": asked.limit,
        "batch_size": asked.batch_size,
        "workers": asked.workers,
    }
    if asked.data_root:
        settled["data_root"] = asked.data_root
    for _ in range(2):
        with tempfile.TemporaryDirectory() as folder, Busy(device) as busy:
            start = perf_counter()
            results = run([asked.method], [asked.target], out=Path(folder), **settled)
            elapsed = perf_counter() - start
    if results.failures:
        raise SystemExit("\n".join(results.failures))
    ((_, record),) = results.records
    images = sum(record.cost["images"].values())
    return {
        "method": asked.method,
        "target": asked.target,
        "backbone": record.cell["backbone"],
        "precision": asked.precision,
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
    parser.add_argument("--limit", type=int, default=4, help="images a label and class; 0 for all")
    parser.add_argument("--batch-size", type=int, default=None)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--data-root", type=Path, default=None)
    parser.add_argument("--json", action="store_true", help="one JSON object")
    asked = parser.parse_args()
    asked.limit = asked.limit or None
    asked.weights = asked.weights or ("demo" if asked.backbone == "demo" else "random")
    found = measure(asked)
    if asked.json:
        print(json.dumps(found))
        return
    busy = "unknown" if found["busy"] is None else f"{found['busy']:.0%}"
    stages = ", ".join(f"{name} {seconds:.2f}" for name, seconds in found["seconds_by_stage"].items())
    print(
        f"{found['images']} images in {found['seconds']:.2f} s: {found['images_per_second']:.2f} a second, busy {busy}"
    )
    print(f"seconds by stage: {stages}; the rest is building the towers, text and the record")


if __name__ == "__main__":
    main()

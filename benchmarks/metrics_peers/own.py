"""Measure zsadbench alone: the time of one image from map to accumulator, resampling, compilation, shards."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from multiprocessing import get_context
from statistics import median
from time import perf_counter, process_time
from typing import Any

import numpy as np
from metrics_peers.workload import generate

from zsadbench.metrics import BootstrapCounts, ClassDetails, ClassMetrics, count_regions

FIRST_CALL = """
from time import process_time, perf_counter
start, wall = process_time(), perf_counter()
import numpy as np
from zsadbench.metrics import PixelMetrics
for mode in ("exact", "stream"):
    metrics = PixelMetrics(mode=mode, threads=1)
    metrics.update(np.array([[[0.1, 0.3], [0.2, 0.4]]], np.float32), np.array([[[0, 1], [0, 1]]], np.uint8))
    metrics.compute()
    print(process_time() - start, perf_counter() - wall)
    start, wall = process_time(), perf_counter()
"""
IMAGES = {"stream": 500, "exact": 25}  # per process
GENERATED = 50
AREAS = (0.0003, 0.002, 0.01)  # about the quartiles of the generated regions


def figures(shards: int) -> dict[str, Any]:
    """Return all figures by name."""
    merged = {f"merge of {shards} processes, {mode}": merge(mode, shards) for mode in IMAGES if shards}
    return {**image_cost(), **intervals(), **compilation(), **merged}


def image_cost() -> dict[str, float]:
    """Measure milliseconds of CPU per image of 518 × 518, one image at a time, from the map to the accumulator."""
    maps, masks = generate(100)
    times = {}
    for mode in ("exact", "stream"):
        times[f"ms an image, {mode}, with labelling"] = _milliseconds(lambda mode=mode: _fill(mode, maps, masks))
        times[f"ms an image, {mode}, with labelling and details"] = _milliseconds(
            lambda mode=mode: _fill_details(mode, maps, masks)
        )
    times["ms a mask, labelling alone"] = _milliseconds(lambda: [count_regions(mask) for mask in masks])
    for mode in ("exact", "stream"):
        whole, alone = times[f"ms an image, {mode}, with labelling"], times["ms a mask, labelling alone"]
        times[f"ms an image, {mode}, without labelling"] = whole - alone
    return {name: value / len(maps) for name, value in times.items()}


def _fill(mode: Any, maps: Any, masks: Any) -> None:
    metrics = ClassMetrics(mode=mode, threads=1)
    for anomaly_map, mask in zip(maps, masks, strict=True):
        metrics.update([0.5], [int(mask.any())], anomaly_map[None], mask[None])


def _fill_details(mode: Any, maps: Any, masks: Any) -> None:
    """Also collect parts, regions and bootstrap counts, as `run` does, reading each image once."""
    metrics, details = ClassMetrics(mode=mode, threads=1), ClassDetails(AREAS, threads=1)
    for index, (anomaly_map, mask) in enumerate(zip(maps, masks, strict=True)):
        images = metrics.read(anomaly_map[None], mask[None])
        metrics.take([0.5], [int(mask.any())], images)
        details.take([str(index)], [0.5], images, [f"kind {index % 4}" if mask.any() else ""], [""])


def _milliseconds(work: Callable[[], Any]) -> float:
    times = []
    for _ in range(6):
        start = process_time()
        work()
        times.append(process_time() - start)
    return 1000 * median(times[1:])


def intervals() -> dict[str, float]:
    """Measure seconds of CPU for resampling 12 classes of 180 images, 2,160 in all, and the memory per image."""
    maps, masks = generate(20)
    bootstrap = BootstrapCounts()
    for index in range(180):
        name, at = [str(index)], index % 20
        bootstrap.update(name, [float(maps[at].max())], [int(masks[at].any())], maps[at][None], masks[at][None])
    costs = {}
    for level, draws, pixels in (("image", 2000, False), ("pixel", 1000, True)):
        start = process_time()
        for seed in range(12):
            bootstrap.deviations(draws, seed, pixels=pixels)
        costs[f"s for {draws} resamples of 2,160 images, {level} level"] = process_time() - start
    costs["KB an image for resampling"] = sum(array.nbytes for array in bootstrap.state().values()) / 180 / 1000
    return costs


def compilation() -> dict[str, list[float]]:
    """Measure CPU and wall seconds of the first call in a process, exact and then stream: compiling, then cached."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "NUMBA_CACHE_DIR": folder}
        runs = [
            subprocess.run(
                [sys.executable, "-c", FIRST_CALL], env=environment, check=True, capture_output=True, text=True
            )
            for _ in range(2)
        ]
    return {
        f"first call, {state}, {mode} [CPU s, wall s]": [round(float(number), 2) for number in line.split()]
        for state, run in zip(("compiling", "cached"), runs, strict=True)
        for mode, line in zip(("exact", "then stream"), run.stdout.splitlines(), strict=True)
    }


def merge(mode: str, processes: int) -> str:
    """Compare accumulators filled by this number of processes with the single pass, bit for bit."""
    start = perf_counter()
    jobs = [(mode, first * IMAGES[mode], IMAGES[mode]) for first in range(processes)]
    with get_context("spawn").Pool(min(processes, os.cpu_count() or 1)) as pool:
        states = pool.map(_shard, jobs)
    merged = ClassMetrics.from_state(states[-1])
    for state in states[:-1]:
        merged.merge(ClassMetrics.from_state(state))
    single = ClassMetrics.from_state(_shard((mode, 0, processes * IMAGES[mode])))
    first, second = merged.state(), single.state()
    same = all(first[key].tobytes() == second[key].tobytes() for key in (*first, *second))
    same = same and merged.compute() == single.compute()
    size = sum(array.nbytes for array in states[0].values()) / 2**20
    images = processes * IMAGES[mode]
    return f"{'equal' if same else 'DIFFERENT'}, {images} images, state {size:.1f} MiB, {perf_counter() - start:.0f} s"


def _shard(job: tuple[Any, int, int]) -> dict[str, Any]:
    """Return the state after images `first` to `first + number`, each rolled and scaled differently."""
    mode, first, number = job
    maps, masks = generate(GENERATED)
    metrics = ClassMetrics(mode=mode, threads=1)
    for index in range(first, first + number):
        rng = np.random.default_rng(index)
        by, at = tuple(rng.integers(0, 518, 2).tolist()), index % GENERATED
        scores = (np.roll(maps[at], by, (0, 1)) * rng.uniform(0.5, 1)).astype(np.float32)
        metrics.update(rng.random(1), [int(masks[at].any())], scores[None], np.roll(masks[at], by, (0, 1))[None])
    return metrics.state()

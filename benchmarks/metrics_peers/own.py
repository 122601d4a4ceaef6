"""What only ours has to show: the cost of one image on its way into an accumulator, compilation, shards."""

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
from metrics_peers.workload import draw

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
IMAGES = {"stream": 500, "exact": 25}  # a process
DRAWN = 50
AREAS = (0.0003, 0.002, 0.01)  # about the quartiles of the drawn regions


def figures(shards: int) -> dict[str, Any]:
    """All figures, by name."""
    merged = {f"merge of {shards} processes, {mode}": merge(mode, shards) for mode in IMAGES if shards}
    return {**image_cost(), **intervals(), **compilation(), **merged}


def image_cost() -> dict[str, float]:
    """Milliseconds of CPU an image of 518 × 518, one image at a time, from the map to the accumulator."""
    maps, masks = draw(100)
    found = {}
    for mode in ("exact", "stream"):
        found[f"ms an image, {mode}, with labelling"] = _milliseconds(lambda mode=mode: _fill(mode, maps, masks))
        found[f"ms an image, {mode}, with labelling and details"] = _milliseconds(
            lambda mode=mode: _fill_details(mode, maps, masks)
        )
    found["ms a mask, labelling alone"] = _milliseconds(lambda: [count_regions(mask) for mask in masks])
    for mode in ("exact", "stream"):
        whole, alone = found[f"ms an image, {mode}, with labelling"], found["ms a mask, labelling alone"]
        found[f"ms an image, {mode}, without labelling"] = whole - alone
    return {name: value / len(maps) for name, value in found.items()}


def _fill(mode: Any, maps: Any, masks: Any) -> None:
    metrics = ClassMetrics(mode=mode, threads=1)
    for one, mask in zip(maps, masks, strict=True):
        metrics.update([0.5], [int(mask.any())], one[None], mask[None])


def _fill_details(mode: Any, maps: Any, masks: Any) -> None:
    """As `run` does it: parts, regions and spread besides, from one reading of each image."""
    metrics, details = ClassMetrics(mode=mode, threads=1), ClassDetails(AREAS, threads=1)
    for index, (one, mask) in enumerate(zip(maps, masks, strict=True)):
        images = metrics.read(one[None], mask[None])
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
    """Seconds of CPU for resampling 12 classes of 180 images, 2,160 in all, and what an image takes."""
    maps, masks = draw(20)
    spread = BootstrapCounts()
    for index in range(180):
        name, at = [str(index)], index % 20
        spread.update(name, [float(maps[at].max())], [int(masks[at].any())], maps[at][None], masks[at][None])
    found = {}
    for level, draws, pixels in (("image", 2000, False), ("pixel", 1000, True)):
        start = process_time()
        for seed in range(12):
            spread.deviations(draws, seed, pixels=pixels)
        found[f"s for {draws} resamples of 2,160 images, {level} level"] = process_time() - start
    found["KB an image for resampling"] = sum(one.nbytes for one in spread.state().values()) / 180 / 1000
    return found


def compilation() -> dict[str, list[float]]:
    """CPU and wall seconds of the first call in a process, exact and then stream: nothing kept, then all."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "NUMBA_CACHE_DIR": folder}
        made = [
            subprocess.run(
                [sys.executable, "-c", FIRST_CALL], env=environment, check=True, capture_output=True, text=True
            )
            for _ in range(2)
        ]
    return {
        f"first call, {state}, {mode} [CPU s, wall s]": [round(float(number), 2) for number in line.split()]
        for state, run in zip(("compiling", "cached"), made, strict=True)
        for mode, line in zip(("exact", "then stream"), run.stdout.splitlines(), strict=True)
    }


def merge(mode: str, processes: int) -> str:
    """Whether accumulators filled by so many processes equal the single pass, bit for bit."""
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
    size = sum(one.nbytes for one in states[0].values()) / 2**20
    images = processes * IMAGES[mode]
    return f"{'equal' if same else 'DIFFERENT'}, {images} images, state {size:.1f} MiB, {perf_counter() - start:.0f} s"


def _shard(job: tuple[Any, int, int]) -> dict[str, Any]:
    """Images `first` to `first + number`: drawn ones, each rolled, scaled and shifted in its own way."""
    mode, first, number = job
    maps, masks = draw(DRAWN)
    metrics = ClassMetrics(mode=mode, threads=1)
    for index in range(first, first + number):
        rng = np.random.default_rng(index)
        by, at = tuple(rng.integers(0, 518, 2).tolist()), index % DRAWN
        scores = (np.roll(maps[at], by, (0, 1)) * rng.uniform(0.5, 1)).astype(np.float32)
        metrics.update(rng.random(1), [int(masks[at].any())], scores[None], np.roll(masks[at], by, (0, 1))[None])
    return metrics.state()

"""Compare the image loader with a plain Pillow loop on generated 1000 × 1000 PNGs; time of a cached epoch; memory.

The plain loop does the same work one image at a time: open, convert, resize, divide, normalise, stack. All of them run
in turns in one process, and medians are compared.

Wall seconds depend on what else the machine does. So CPU seconds are printed as well, and on Linux how the loader's
threads spent their time: computing, waiting for a core, or blocked (by the interpreter's lock, the disk, or a full
queue). The more they wait for cores, the less the wall ratio says about the loader; the more they are blocked, the less
a second core would help.
"""

import argparse
import gc
import json
import os
import tempfile
import threading
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any

import numpy as np
import pandas as pd
import psutil
import torch
from PIL import Image

from zsadbench.data import TensorCache, batches
from zsadbench.data.images.preprocess import MEAN, STD

SIDE, SIZE, BATCH, WORKERS = 1000, 518, 8, 2
TARGETS = {"loader": 1.7, "cached epoch": 5.0}
MEMORY_MIB = 100


def photograph(rng: np.random.Generator) -> Image.Image:
    """Return an image that compresses like a photograph: smooth shapes with a little noise."""
    shapes = Image.fromarray(rng.integers(0, 256, (24, 24, 3), dtype=np.uint8))
    smooth = np.asarray(shapes.resize((SIDE, SIDE), Image.Resampling.BICUBIC), dtype=np.float32)
    noisy = smooth + rng.normal(0, 4, (SIDE, SIDE, 1))
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))


def images_in(folder: Path, count: int) -> pd.DataFrame:
    """Save `count` generated images; return the rows of a manifest for them."""
    rng = np.random.default_rng(0)
    paths = [folder / f"{number:03d}.png" for number in range(count)]
    for path in paths:
        photograph(rng).save(path)
    names = {"path": [str(path) for path in paths], "relative": [path.name for path in paths]}
    return pd.DataFrame(names).assign(mask="", label=0)


def plain(rows: pd.DataFrame) -> Iterator[torch.Tensor]:
    """Yield batches from a loop without the loader."""
    for start in range(0, len(rows), BATCH):
        images = []
        for path in rows["path"][start : start + BATCH]:
            with Image.open(path) as image:
                scaled = image.convert("RGB").resize((SIZE, SIZE), Image.Resampling.BICUBIC)
            pixels = np.asarray(scaled, dtype=np.float32) / np.float32(255)
            images.append(((pixels - MEAN) / STD).transpose(2, 0, 1))
        yield torch.from_numpy(np.stack(images))


def loaded(rows: pd.DataFrame, cache: TensorCache | None = None) -> Generator[torch.Tensor, None, None]:
    """Yield the same batches from the loader."""
    for batch in batches(rows, size=SIZE, masks="none", batch_size=BATCH, workers=WORKERS, cache=cache):
        yield batch.images


def timed(epoch: Callable[[], Iterator[torch.Tensor]]) -> tuple[float, float]:
    """Return the wall and CPU seconds of an epoch."""
    wall, cpu = perf_counter(), process_time()
    for _ in epoch():
        pass
    return perf_counter() - wall, process_time() - cpu


def time_of(thread: threading.Thread) -> tuple[float, float]:
    """Return the seconds that a thread has computed, and has waited for a core."""
    computed, waited, _ = Path(f"/proc/self/task/{thread.native_id}/schedstat").read_text().split()
    return int(computed) / 1e9, int(waited) / 1e9


def shares(rows: pd.DataFrame) -> dict[str, float]:
    """Return how the loader's threads spend their time, as shares; empty if the system does not report it."""
    if not Path("/proc/self/schedstat").is_file():
        return {}
    loader = loaded(rows.iloc[np.arange(4 * len(rows)) % len(rows)])
    next(loader)
    threads = [thread for thread in threading.enumerate() if thread.name.startswith("zsadbench-read")]
    before, start = [time_of(thread) for thread in threads], perf_counter()
    for _ in range(3 * len(rows) // BATCH):
        next(loader)
    wall = perf_counter() - start
    spent = np.mean([np.subtract(time_of(thread), then) for thread, then in zip(threads, before, strict=True)], axis=0)
    loader.close()
    return {"computing": spent[0] / wall, "waiting for a core": spent[1] / wall, "blocked": 1 - spent.sum() / wall}


def resident_mib() -> float:
    gc.collect()
    return float(psutil.Process().memory_info().rss) / 2**20


def memory(rows: pd.DataFrame, cache: TensorCache, early: int, late: int) -> tuple[float, float]:
    """Return resident MiB after `early` and after `late` images, half of them from their files, half from the cache."""
    seen, readings = 0, []
    many = rows.iloc[np.arange(late) % len(rows)]
    pairs = zip(loaded(many.iloc[: late // 2]), loaded(many.iloc[: late // 2], cache), strict=True)
    for pair in pairs:
        before, seen = seen, seen + sum(map(len, pair))
        if before < early <= seen:
            readings.append(resident_mib())
    return readings[0], resident_mib()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=48)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory", type=int, nargs=2, default=(500, 5000), metavar=("EARLY", "LATE"))
    parser.add_argument("--json", action="store_true", help="one JSON object")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix="zsadbench-loading-") as folder:
        rows = images_in(Path(folder), arguments.images)
        cache = TensorCache(Path(folder) / "images" / "set", SIZE, 2**33)
        result = {
            "images": arguments.images,
            "workers": WORKERS,
            "cores": len(os.sched_getaffinity(0)),
            "load": round(os.getloadavg()[0], 2),
            "bit_equal": fill(rows, cache),
            **speeds(rows, cache, arguments.rounds),
            "threads": shares(rows),
            "resident_mib": dict(zip(map(str, arguments.memory), memory(rows, cache, *arguments.memory), strict=True)),
        }
    print(json.dumps(result) if arguments.json else table(result))


def fill(rows: pd.DataFrame, cache: TensorCache) -> bool:
    """Fill the cache; return whether all three ways give the same bits."""
    for _ in loaded(rows, cache):
        pass
    batches_of_all = zip(plain(rows), loaded(rows), loaded(rows, cache), strict=True)
    return all(torch.equal(own, read) and torch.equal(own, cached) for own, read, cached in batches_of_all)


def speeds(rows: pd.DataFrame, cache: TensorCache, rounds: int) -> dict[str, Any]:
    """Return medians in milliseconds per image, and the wall-time ratio of the plain loop to each."""
    epochs: dict[str, Callable[[], Iterator[torch.Tensor]]] = {
        "plain loop": lambda: plain(rows),
        "loader": lambda: loaded(rows),
        "cached epoch": lambda: loaded(rows, cache),
    }
    turns = [{name: timed(epoch) for name, epoch in epochs.items()} for _ in range(rounds)]
    spent = {
        name: {
            kind: 1000 * median(turn[name][at] for turn in turns) / len(rows) for at, kind in enumerate(("wall", "cpu"))
        }
        for name in epochs
    }
    ratios = {name: spent["plain loop"]["wall"] / spent[name]["wall"] for name in TARGETS}
    return {"ms_an_image": spent, "ratios": ratios}


def table(result: dict[str, Any]) -> str:
    """Return the result as lines of text."""
    head = "{images} images of 1000 × 1000, {workers} workers on {cores} cores, load {load}; bit-equal: {bit_equal}"
    lines = [head.format(**result), f"{'':14}{'wall ms':>10}{'CPU ms':>10}{'ratio':>8}{'target':>8}"]
    for name, times in result["ms_an_image"].items():
        ratio = f"{result['ratios'][name]:8.2f}{TARGETS[name]:8.1f}" if name in TARGETS else ""
        lines.append(f"{name:14}{times['wall']:10.2f}{times['cpu']:10.2f}{ratio}")
    if result["threads"]:
        spent = ", ".join(f"{name} {share:.0%}" for name, share in result["threads"].items())
        lines.append(f"the loader's threads, shares of their time: {spent}")
    (early, before), (late, after) = result["resident_mib"].items()
    lines.append(
        f"resident memory: {before:.0f} MiB after {early} images, {after:.0f} MiB after {late}: "
        f"{after - before:+.0f} MiB (target: at most {MEMORY_MIB} more)"
    )
    return "\n".join(lines)


if __name__ == "__main__":
    main()

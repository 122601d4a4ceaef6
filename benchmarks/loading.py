"""The loader beside a plain Pillow loop, on generated 1000 × 1000 PNGs; an epoch from the cache; memory over an epoch.

The plain loop does the same work one image at a time: open, convert, resize, divide, normalise, stack. All
are run in turns in one process, and medians are compared.

On a busy machine wall seconds say how busy it is. So CPU seconds stand beside them, and, on Linux, what the
loader's threads did with their time: computing, waiting for a core that others had, or blocked (by the
interpreter's lock, by the disk, by a full queue). The more they wait for cores, the less the wall ratio says of
the loader; the more they are blocked, the less a second core would help.
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
    """Something that compresses as photographs do: smooth shapes under a little noise."""
    shapes = Image.fromarray(rng.integers(0, 256, (24, 24, 3), dtype=np.uint8))
    smooth = np.asarray(shapes.resize((SIDE, SIDE), Image.Resampling.BICUBIC), dtype=np.float32)
    noisy = smooth + rng.normal(0, 4, (SIDE, SIDE, 1))
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))


def images_in(folder: Path, count: int) -> pd.DataFrame:
    """The rows of a manifest for `count` generated images."""
    rng = np.random.default_rng(0)
    paths = [folder / f"{place:03d}.png" for place in range(count)]
    for path in paths:
        photograph(rng).save(path)
    names = {"path": [str(path) for path in paths], "relative": [path.name for path in paths]}
    return pd.DataFrame(names).assign(mask="", label=0)


def plain(rows: pd.DataFrame) -> Iterator[torch.Tensor]:
    """What a loop without the loader does."""
    for start in range(0, len(rows), BATCH):
        made = []
        for path in rows["path"][start : start + BATCH]:
            with Image.open(path) as image:
                scaled = image.convert("RGB").resize((SIZE, SIZE), Image.Resampling.BICUBIC)
            pixels = np.asarray(scaled, dtype=np.float32) / np.float32(255)
            made.append(((pixels - MEAN) / STD).transpose(2, 0, 1))
        yield torch.from_numpy(np.stack(made))


def loaded(rows: pd.DataFrame, cache: TensorCache | None = None) -> Generator[torch.Tensor, None, None]:
    """The same images from the loader."""
    for batch in batches(rows, size=SIZE, masks="none", batch_size=BATCH, workers=WORKERS, cache=cache):
        yield batch.images


def timed(epoch: Callable[[], Iterator[torch.Tensor]]) -> tuple[float, float]:
    """(wall, CPU) seconds of an epoch."""
    wall, cpu = perf_counter(), process_time()
    for _ in epoch():
        pass
    return perf_counter() - wall, process_time() - cpu


def time_of(thread: threading.Thread) -> tuple[float, float]:
    """Seconds that a thread has computed, and waited for a core."""
    computed, waited, _ = Path(f"/proc/self/task/{thread.native_id}/schedstat").read_text().split()
    return int(computed) / 1e9, int(waited) / 1e9


def shares(rows: pd.DataFrame) -> dict[str, float]:
    """What the loader's threads do with their time, as shares of it; empty where the system does not tell."""
    if not Path("/proc/self/schedstat").is_file():
        return {}
    batches_of = loaded(rows.iloc[np.arange(4 * len(rows)) % len(rows)])
    next(batches_of)
    threads = [thread for thread in threading.enumerate() if thread.name.startswith("zsadbench-read")]
    before, start = [time_of(thread) for thread in threads], perf_counter()
    for _ in range(3 * len(rows) // BATCH):
        next(batches_of)
    wall = perf_counter() - start
    gone = np.mean([np.subtract(time_of(thread), then) for thread, then in zip(threads, before, strict=True)], axis=0)
    batches_of.close()
    return {"computing": gone[0] / wall, "waiting for a core": gone[1] / wall, "blocked": 1 - gone.sum() / wall}


def resident_mib() -> float:
    gc.collect()
    return float(psutil.Process().memory_info().rss) / 2**20


def memory(rows: pd.DataFrame, cache: TensorCache, early: int, late: int) -> tuple[float, float]:
    """Resident MiB after `early` and after `late` images, half of them read from their files, half from the cache."""
    seen, at = 0, []
    many = rows.iloc[np.arange(late) % len(rows)]
    pairs = zip(loaded(many.iloc[: late // 2]), loaded(many.iloc[: late // 2], cache), strict=True)
    for pair in pairs:
        before, seen = seen, seen + sum(map(len, pair))
        if before < early <= seen:
            at.append(resident_mib())
    return at[0], resident_mib()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=48)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory", type=int, nargs=2, default=(500, 5000), metavar=("EARLY", "LATE"))
    parser.add_argument("--json", action="store_true", help="one JSON object")
    given = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix="zsadbench-loading-") as folder:
        rows = images_in(Path(folder), given.images)
        cache = TensorCache(Path(folder) / "images" / "set", SIZE, 2**33)
        found = {
            "images": given.images,
            "workers": WORKERS,
            "cores": len(os.sched_getaffinity(0)),
            "load": round(os.getloadavg()[0], 2),
            "bit_equal": fill(rows, cache),
            **speeds(rows, cache, given.rounds),
            "threads": shares(rows),
            "resident_mib": dict(zip(map(str, given.memory), memory(rows, cache, *given.memory), strict=True)),
        }
    print(json.dumps(found) if given.json else table(found))


def fill(rows: pd.DataFrame, cache: TensorCache) -> bool:
    """Fill the cache; whether all three ways give the same bits."""
    for _ in loaded(rows, cache):
        pass
    threes = zip(plain(rows), loaded(rows), loaded(rows, cache), strict=True)
    return all(torch.equal(one, other) and torch.equal(one, kept) for one, other, kept in threes)


def speeds(rows: pd.DataFrame, cache: TensorCache, rounds: int) -> dict[str, Any]:
    """Medians in milliseconds an image, and how many times faster than the plain loop, by the wall clock."""
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


def table(found: dict[str, Any]) -> str:
    """The findings as lines."""
    head = "{images} images of 1000 × 1000, {workers} workers on {cores} cores, load {load}; bit-equal: {bit_equal}"
    lines = [head.format(**found), f"{'':14}{'wall ms':>10}{'CPU ms':>10}{'ratio':>8}{'target':>8}"]
    for name, one in found["ms_an_image"].items():
        ratio = f"{found['ratios'][name]:8.2f}{TARGETS[name]:8.1f}" if name in TARGETS else ""
        lines.append(f"{name:14}{one['wall']:10.2f}{one['cpu']:10.2f}{ratio}")
    if found["threads"]:
        told = ", ".join(f"{name} {share:.0%}" for name, share in found["threads"].items())
        lines.append(f"the loader's threads, shares of their time: {told}")
    (early, before), (late, after) = found["resident_mib"].items()
    lines.append(
        f"resident memory: {before:.0f} MiB after {early} images, {after:.0f} MiB after {late}: "
        f"{after - before:+.0f} MiB (limit {MEMORY_MIB})"
    )
    return "\n".join(lines)


if __name__ == "__main__":
    main()

"""Seconds to hash the files of a copy for its fingerprint: the first look, and the second one with cached hashes.

Files of random bytes are written into a temporary folder. They are hashed by `zsadbench.data.hash_files` three times:
from disk without cached hashes (the system is asked to drop the files from memory, which it may decline), again from
memory, and with cached hashes. Beside them stands one thread of SHA-256. Figures for more files are extrapolated in
proportion and marked so; `--files 100000 --bytes 1000` measures the second look at that number itself, for it does not
depend on the size of the files. A quick run: `--files 100 --seconds-per-image 0`.

The share of a run is that of the first look in `run -m clip` at 518 pixels on ViT-L-14-336: it is computed from the
seconds per image of the tower, measured here with random weights, or given with `--seconds-per-image`.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter, sleep
from typing import Any

import numpy as np

from zsadbench.data import hash_files
from zsadbench.files import file_sha256

EXTRAPOLATED = 100_000  # files


def write_files(folder: Path, count: int, size: int) -> list[str]:
    """Write files of random bytes, flushed to disk."""
    rng = np.random.default_rng(0)
    for number in range(count):
        with (folder / f"{number:06d}.png").open("wb") as stream:
            stream.write(rng.bytes(size))
            stream.flush()
            if size >= 2**16:
                os.fsync(stream.fileno())
    return sorted(map(str, folder.iterdir()))


def drop_from_memory(paths: list[str]) -> None:
    """Ask the system to read files from disk the next time."""
    for path in paths if hasattr(os, "posix_fadvise") else ():
        with Path(path).open("rb") as stream:
            os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def timed(work: Callable[[], object]) -> float:
    """Wall seconds."""
    start = perf_counter()
    work()
    return perf_counter() - start


def measure(count: int, size: int) -> dict[str, float]:
    """Wall seconds of each way to hash `count` files of `size` bytes."""
    with tempfile.TemporaryDirectory() as temporary:
        os.environ["ZSADBENCH_CACHE"] = str(Path(temporary) / "cache")
        folder = Path(temporary) / "files"
        folder.mkdir()
        paths = write_files(folder, count, size)
        seconds = {}
        sleep(1.0)  # files that have just been written are not taken from the cache
        drop_from_memory(paths)
        seconds["first look, from disk"] = timed(lambda: hash_files(paths, folder))
        shutil.rmtree(Path(temporary) / "cache")
        seconds["first look, from memory"] = timed(lambda: hash_files(paths, folder))
        seconds["second look"] = timed(lambda: hash_files(paths, folder))
        seconds["one thread of SHA-256, from memory"] = timed(lambda: [file_sha256(Path(path)) for path in paths])
        return seconds


def seconds_per_image(backbone: str, size: int) -> float:
    """Wall seconds of `clip` per image, from the tokens to the map, one image after a first one."""
    from zsadbench import load_method

    method = load_method("clip", backbone, "random", image_size=size)
    picture = np.random.default_rng(0).integers(0, 256, (size, size, 3), dtype=np.uint8)
    method.predict([picture])
    return min(timed(lambda: method.predict([picture])) for _ in range(2))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=2000, help="files to write (default 2000)")
    parser.add_argument("--bytes", type=int, default=10**6, help="size of a file (default 1,000,000)")
    parser.add_argument(
        "--seconds-per-image", type=float, help="of the run; measured if it is not given, 0 for no share"
    )
    parser.add_argument("--backbone", default="ViT-L-14-336", help="an architecture, or the path of a backbone.json")
    parser.add_argument("--size", type=int, default=518, help="side of the input in pixels (default 518)")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    asked = parser.parse_args()
    seconds = measure(asked.files, asked.bytes)
    per_image = asked.seconds_per_image
    if per_image is None:
        per_image = seconds_per_image(asked.backbone, asked.size)
    report = {
        "files": asked.files,
        "bytes": asked.bytes,
        "seconds": seconds,
        f"extrapolated_to_{EXTRAPOLATED}_files": {
            name: value * EXTRAPOLATED / asked.files for name, value in seconds.items()
        },
        "seconds_per_image": per_image or None,
        "share_of_a_run": share(seconds["first look, from disk"] / asked.files, per_image),
    }
    print(json.dumps(report)) if asked.json else show(report)


def share(hashing: float, scoring: float) -> float | None:
    """The fraction of a run that hashing an image once takes; None if the time of the run is not known."""
    return hashing / (hashing + scoring) if scoring else None


def show(report: dict[str, Any]) -> None:
    """Print the table."""
    files, size = report["files"], report["bytes"]
    print(f"{files:,} files of {size:,} bytes")
    print(f"{'':36}{'s':>10}{'GB/s':>8}{f's for {EXTRAPOLATED:,} files (extrapolated)':>42}")
    for name, value in report["seconds"].items():
        rate = f"{files * size / value / 1e9:.2f}" if name != "second look" else "-"
        print(f"{name:36}{value:10.2f}{rate:>8}{value * EXTRAPOLATED / files:42.1f}")
    if report["seconds_per_image"]:
        part, per_image = report["share_of_a_run"], report["seconds_per_image"]
        print(f"the first look takes {100 * part:.3f} % of a run of {per_image:.3f} s per image, once per copy")


if __name__ == "__main__":
    main()

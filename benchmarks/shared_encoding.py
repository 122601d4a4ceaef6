"""Measure one encoding for several methods, and training on cached tokens: CPU seconds, ratios, resident memory.

An image tower with random weights, which needs the same arithmetic as a trained one, encodes one image at a time.
Medians in one process, in turns: the frozen tower alone and open_clip's own forward; each method alone, with the
blocks it needs and its head; all methods on one encoding of the union of their blocks. Then two epochs of AF-CLIP's
training on generated images, the second on cached tokens. Memory is the peak resident set of a new process per method
(build, text features, one image at batch 1), minus what is resident after the imports.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any

import numpy as np
import pandas as pd
import torch

from zsadbench import load_method, registry
from zsadbench.clip.union import pick, unite
from zsadbench.engine.encode.token_cache import TokenCache
from zsadbench.engine.encode.training_tokens import TrainingTokens
from zsadbench.engine.learn.loop import make_optimiser, step
from zsadbench.engine.plan.method_setup import taps_of
from zsadbench.predict.detector import LoadedMethod
from zsadbench.types import Batch, Trainable

METHODS = ("fbclip", "anomalyclip", "afclip")
GIB = 2**30


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbone", default="ViT-L-14-336", help="an architecture, or the path of a backbone.json")
    for name, default in (("size", 518), ("rounds", 3), ("images", 2)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--json", action="store_true", help="one JSON object per part")
    parser.add_argument("--memory-of", help=argparse.SUPPRESS)  # starts the process in which one method is measured
    arguments = parser.parse_args()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    if arguments.memory_of:
        print(json.dumps(memory_here(arguments.memory_of, arguments.backbone, arguments.size)))
        return
    loaded = {
        name: load_method(name, arguments.backbone, "random", device="cpu", image_size=arguments.size)
        for name in METHODS
    }
    show(scoring(loaded, arguments.size, arguments.rounds), as_json=arguments.json)
    show(training(loaded["afclip"], arguments.images), as_json=arguments.json)
    loaded.clear()
    for name in METHODS:
        show({"memory_of": name, **memory(name, arguments.backbone, arguments.size)}, as_json=arguments.json)


def show(result: dict[str, Any], *, as_json: bool) -> None:
    """Print one part when it is measured."""
    lines = [f"{name:24} {value}" for name, value in result.items()]
    print(json.dumps(result) if as_json else "\n".join(lines), flush=True)


def scoring(loaded: dict[str, LoadedMethod], size: int, rounds: int) -> dict[str, Any]:
    """Measure CPU seconds of the tower, of open_clip's forward, of each method alone and of all together."""
    vision = loaded["fbclip"].backbone.vision
    images = torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(0))
    taps = {name: taps_of(method.setup) for name, method in loaded.items()}
    united = unite(list(taps.values()), vision.depth)
    assert united is not None
    open_clip = open_clip_forward(vision)

    def alone(name: str) -> None:
        loaded[name].method.score(vision(images, taps[name]), ["object"])

    def together() -> None:
        tokens = vision(images, united)
        for name, method in loaded.items():
            method.method.score(pick(tokens, united, taps[name]), ["object"])

    sides: dict[str, Callable[[], Any]] = {
        "tower": lambda: vision(images, taps["afclip"]),
        "open_clip": lambda: open_clip(images),
        **{name: lambda name=name: alone(name) for name in loaded},
        "together": together,
    }
    seconds = {name: median(column) for name, column in in_turns(sides, rounds).items()}
    return {
        "cpu_seconds": seconds,
        "tower_over_open_clip": seconds["tower"] / seconds["open_clip"],
        "together_over_dearest": seconds["together"] / max(seconds[name] for name in loaded),
    }


def open_clip_forward(vision: Any) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return open_clip's own forward through its residual attention blocks, on the same patches."""

    def forward(images: torch.Tensor) -> torch.Tensor:
        tokens: torch.Tensor = vision.visual.transformer(vision.walk.first_norm(vision.walk.embed(images)))
        return tokens

    return forward


def in_turns(sides: dict[str, Callable[[], Any]], rounds: int) -> dict[str, list[float]]:
    """Return the CPU seconds of every side in each round, after one pass that is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    with torch.inference_mode():
        sides["together"]()  # text features are computed once
        for _ in range(rounds):
            for name, side in sides.items():
                start = process_time()
                side()
                seconds[name].append(process_time() - start)
    return seconds


def training(loaded: LoadedMethod, count: int) -> dict[str, Any]:
    """Measure CPU seconds of two training epochs on the same images, the second on cached tokens."""
    method, setup = loaded.method, loaded.setup
    assert isinstance(method, Trainable)
    recipe = registry.method_card(setup.name).recipe
    assert recipe is not None
    with tempfile.TemporaryDirectory() as folder:
        source = GeneratedSet(count, setup.image_size, Path(folder))
        shape = (loaded.backbone.grid**2 + 1, setup.spec.config.vision.width)
        cache = TokenCache(Path(folder) / "tokens" / "generated", shape, 64 * GIB)
        tokens = TrainingTokens(setup, source, loaded.backbone.vision, cache)  # type: ignore[arg-type]
        optimiser, epochs = make_optimiser(method, recipe), []
        for _ in range(2):
            start = process_time()
            for batch, rows in source.batches():
                step(method, tokens(rows, batch.images), batch, optimiser)
            epochs.append(process_time() - start)
    return {"training_cpu_seconds": epochs, "epoch_2_over_epoch_1": epochs[1] / epochs[0]}


class Rows:
    """The rows of one batch, as the loader names them."""

    def __init__(self, rows: Sequence[int]) -> None:
        self.rows = np.asarray(rows)


class GeneratedSet:
    """Random images with a square as mask; their files are empty and serve only for their dates."""

    def __init__(self, count: int, size: int, folder: Path) -> None:
        paths = [folder / f"{number}.png" for number in range(count)]
        for path in paths:
            path.touch()
        self.manifest = pd.DataFrame({"relative": [path.name for path in paths], "path": list(map(str, paths))})
        self.images = torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(1))
        self.masks = torch.zeros(count, size, size)
        self.masks[:, : size // 3, : size // 3] = 1

    def batches(self) -> list[tuple[Batch, Rows]]:
        """Return batches of one image."""
        label = torch.ones(1, dtype=torch.int64)
        return [
            (Batch(self.images[row : row + 1], self.masks[row : row + 1], label, ("object",)), Rows([row]))
            for row in range(len(self.images))
        ]


def memory(name: str, backbone: str, size: int) -> dict[str, float]:
    """Measure the resident memory of one method in a separate process."""
    command = [sys.executable, __file__, "--memory-of", name, "--backbone", backbone, "--size", str(size)]
    finished = subprocess.run(command, capture_output=True, text=True, check=True)
    return dict(json.loads(finished.stdout))


def memory_here(name: str, backbone: str, size: int) -> dict[str, float]:
    """Return GiB: after the imports, at the peak, the peak above the imports, the parameters of the towers."""
    import open_clip  # noqa: F401 - counted among the imports

    torch.ones(2, 2) @ torch.ones(2, 2)  # so are the buffers of the matrix product
    imports = resident("VmRSS")
    loaded = load_method(name, backbone, "random", device="cpu", image_size=size)
    with torch.inference_mode():
        tokens = loaded.backbone.vision(torch.randn(1, 3, size, size), taps_of(loaded.setup))
        loaded.method.score(tokens, ["object"])
    peak, towers = resident("VmHWM"), loaded.backbone
    image = sum(parameter.numel() for parameter in towers.vision.parameters()) * 4 / GIB
    both = towers.count_parameters() * 4 / GIB
    return {"imports": imports, "peak": peak, "peak_above": peak - imports, "image_tower": image, "both_towers": both}


def resident(which: str) -> float:
    """Return memory as the kernel reports it, in GiB: `VmRSS` now, `VmHWM` the peak since this program started.

    `getrusage` is not used: its peak includes the process that started this one.
    """
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return int(next(line for line in lines if line.startswith(f"{which}:")).split()[1]) / 2**20


if __name__ == "__main__":
    main()

"""Compare the costly parts of AF-CLIP with their definitions: seconds, ratio, largest difference.

Spatial aggregation is two multiplications with a band matrix instead of unfolded windows; patch alignment sums unit
vectors instead of all pairs of patches; the memory is searched in blocks instead of one matrix. The definitions below
are written as published. Both sides run in one process, in turns; the medians are compared.

    python benchmarks/afclip_parts.py                      some seconds on two cores
    python benchmarks/afclip_parts.py --width 1024         the size of ViT-L/14 at 518 pixels
"""

import argparse
import json
from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import normalize, unfold

from zsadbench_methods.afclip.aggregation import aggregate, band
from zsadbench_methods.afclip.alignment import alignment
from zsadbench_methods.afclip.memory import bank_of, distance
from zsadbench_methods.afclip.options import Options

WINDOW, SIGMA, SHOTS = 5, 4.0, 4


class Part(NamedTuple):
    """One part: our code and the definition, on the same arguments."""

    name: str
    ours: Callable[[], Tensor]
    definition: Callable[[], Tensor]


def aggregate_by_definition(tokens: Tensor, grid: int) -> Tensor:
    """Sum the 25 weighted tokens of the window of every patch."""
    line = band(2 * WINDOW, WINDOW, SIGMA, renormalise=False)[WINDOW, WINDOW - WINDOW // 2 : WINDOW + WINDOW // 2 + 1]
    maps = tokens[:, 1:].transpose(1, 2).reshape(len(tokens), -1, grid, grid)
    windows = unfold(maps, WINDOW, padding=WINDOW // 2).view(len(tokens), -1, WINDOW * WINDOW, grid * grid)
    summed = (windows * torch.outer(line, line).view(1, 1, -1, 1)).sum(dim=2).transpose(1, 2)
    return torch.cat([tokens[:, :1], summed], dim=1)


def align_by_definition(features: Tensor, target: Tensor) -> Tensor:
    """Compute the loss from all pairs of patches of every image."""
    unit, signs = normalize(features, dim=-1), torch.where(target == 0, -1.0, target)
    cosines, kinds = unit @ unit.transpose(1, 2), signs.unsqueeze(2) * signs.unsqueeze(1)
    return (cosines[kinds == -1].mean() - cosines[kinds == 1].mean()).clamp_min(0)


def distance_by_definition(tokens: Tensor, bank: Tensor) -> Tensor:
    """Compute the distance from one matrix of all patches and all rows of the bank."""
    return (1 - (bank_of(tokens) @ bank.T).amax(dim=1).view(len(tokens), -1)) / 2


def parts(width: int, grid: int, batch: int) -> list[Part]:
    """Return the three parts on random tokens."""
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randn(batch, 1 + grid * grid, width, generator=generator)
    target = (torch.rand(batch, grid * grid, generator=generator) < 0.1).float()
    common = torch.randn(width, generator=generator)
    features = common + 1.7 * tokens[:, 1:] * (1 - target).unsqueeze(
        -1
    )  # few anomalous patches, all alike: the hinge loss is positive
    bank = bank_of(torch.randn(SHOTS, 1 + grid * grid, width, generator=generator))
    return [
        Part(
            "aggregation",
            lambda: aggregate(tokens, grid, WINDOW, SIGMA),
            lambda: aggregate_by_definition(tokens, grid),
        ),
        Part(
            "alignment",
            lambda: alignment(features, target, Options()),
            lambda: align_by_definition(features, target),
        ),
        Part("memory", lambda: distance(tokens, bank), lambda: distance_by_definition(tokens, bank)),
    ]


def measure(part: Part, rounds: int) -> dict[str, float | str]:
    """Measure both sides in turns; return their medians and their largest difference."""
    seconds: dict[str, list[float]] = {"ours": [], "definition": []}
    difference = float((part.ours() - part.definition()).abs().max())
    for _ in range(rounds):
        for name, times in seconds.items():
            start = perf_counter()
            getattr(part, name)()
            times.append(perf_counter() - start)
    ours, slow = median(seconds["ours"]), median(seconds["definition"])
    return {"part": part.name, "ours_s": ours, "definition_s": slow, "ratio": slow / ours, "difference": difference}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("width", 256), ("grid", 37), ("batch", 1), ("rounds", 5)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--json", action="store_true", help="one JSON object per part")
    arguments = parser.parse_args()
    with torch.inference_mode():
        for part in parts(arguments.width, arguments.grid, arguments.batch):
            result = measure(part, arguments.rounds)
            if arguments.json:
                print(json.dumps(result))
            else:
                print(
                    f"{result['part']:12} {result['ours_s']:8.4f} s   definition {result['definition_s']:8.4f} s   "
                    f"ratio {result['ratio']:6.1f}   difference {result['difference']:.1e}"
                )


if __name__ == "__main__":
    main()

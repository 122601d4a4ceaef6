"""Compare MuSc's mutual scoring with its plain twin: one product per pair of images against one per direction.

Both run in one process, in turns; the result is the median of the ratios of the rounds. A further image is then added
and timed: it is compared once with each of the others.

    python benchmarks/mutual.py                                        a quick look
    python benchmarks/mutual.py --images 16 --grid 37 --width 384      the size of ViT-S/14 at 518 pixels
"""

from __future__ import annotations

import argparse
import json
from statistics import median

import torch
from torch.nn.functional import normalize
from twins.musc import mutual_scores

from zsadbench.engine.machine.timing import seconds_of, wait_for
from zsadbench_methods.musc.mutual import Distances

NEAREST = 0.3


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("images", 8), ("grid", 16), ("width", 384), ("rounds", 3)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--json", action="store_true")
    sizes = parser.parse_args()
    device = torch.device(sizes.device)
    generator = torch.Generator().manual_seed(0)
    common = torch.randn(1, sizes.grid**2, sizes.width, generator=generator)
    patches = common + torch.randn(sizes.images + 1, sizes.grid**2, sizes.width, generator=generator)
    unit = normalize(patches, dim=-1).to(device)
    count, nearest = sizes.images, int(NEAREST * (sizes.images - 1))

    def fast() -> torch.Tensor:
        distances = Distances()
        distances.grow(lambda start, stop: unit[start:stop], count)
        scores = distances.scores(nearest)
        wait_for(device)
        return scores

    def plain() -> torch.Tensor:
        scores = mutual_scores(unit[:count], nearest)
        wait_for(device)
        return scores

    largest = float((fast() - plain()).abs().max())
    rounds = [(seconds_of(fast), seconds_of(plain)) for _ in range(sizes.rounds)]
    known = Distances()
    known.grow(lambda start, stop: unit[start:stop], count)
    added = seconds_of(lambda: known.grow(lambda start, stop: unit[start:stop], count + 1))
    found = {
        "images": count,
        "patches": sizes.grid**2,
        "width": sizes.width,
        "seconds": median(one for one, _ in rounds),
        "seconds_plain": median(other for _, other in rounds),
        "ratio": median(other / one for one, other in rounds),
        "seconds_one_more": added,
        "largest_difference": largest,
        "threads": torch.get_num_threads(),
    }
    if sizes.json:
        print(json.dumps(found))
        return
    print(", ".join(f"{name} {value:.3g}" for name, value in found.items()))


if __name__ == "__main__":
    main()

"""Compare the two costly views of FB-CLIP with their definitions: seconds, ratio, largest difference.

SEM sums an L × L attention in closed form; SPA uses the 25 shifts of a padded map and one matrix per row of the grid
instead of a tensor that is unfolded 25 times. The definitions below are written word for word. Both sides run in one
process, in turns, on the same tokens; the medians are compared.

    python benchmarks/fbclip_views.py                      a minute or less on two cores
    python benchmarks/fbclip_views.py --width 1024         the size of ViT-L/14 at 518 pixels
"""

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from statistics import median
from time import perf_counter

import torch
from torch import Tensor
from torch.nn.functional import normalize, unfold

from zsadbench_methods.fbclip.foreground import Foreground, find_foreground
from zsadbench_methods.fbclip.views import semantic, spatial

View = Callable[[Tensor, Foreground], Tensor]


def semantic_by_definition(tokens: Tensor, foreground: Foreground) -> Tensor:
    """SEM with both L × L matrices written out."""
    patches, soft = tokens[:, 1:], foreground.soft
    richness, stability, rest = 1 - foreground.similarity, foreground.similarity, 1 - soft
    alpha = (richness[:, :, None] * soft[:, :, None] * soft[:, None, :]).softmax(dim=-1)
    beta = (stability[:, :, None] * rest[:, :, None] * rest[:, None, :]).softmax(dim=-1)
    mixed = soft[..., None] * (alpha @ patches) + rest[..., None] * (beta @ patches)
    return 0.6 * mixed + 0.4 * patches


def spatial_by_definition(tokens: Tensor, foreground: Foreground) -> Tensor:
    """SPA on tensors unfolded 25 times; tokens and soft mask are 0 outside the image."""
    batch, length = tokens[:, 1:].shape[:2]
    grid = round(length**0.5)
    direction = normalize(tokens[:, 0], dim=-1)[:, None, None, :]

    def windows(values: Tensor) -> Tensor:
        """(batch, patches, channels) → (batch, patches, 25, channels)."""
        maps = values.transpose(1, 2).reshape(batch, -1, grid, grid)
        return unfold(maps, 5, padding=2).view(batch, -1, 25, length).permute(0, 3, 2, 1)

    x, soft = windows(tokens[:, 1:]), windows(foreground.soft[..., None])[..., 0]
    rest = 1 - soft
    back = (rest * (x * direction).sum(dim=-1)).softmax(dim=-1)
    masked = soft[..., None] * x
    spread = (masked - masked.mean(dim=2, keepdim=True)).norm(dim=-1)
    front = ((1 - (normalize(x, dim=-1) * direction).sum(dim=-1)) * spread).softmax(dim=-1)
    behind = (back[..., None] * rest[..., None] * x).sum(dim=2) / rest.sum(dim=-1, keepdim=True).clamp_min(1e-8)
    ahead = (front[..., None] * masked).sum(dim=2) / soft.sum(dim=-1, keepdim=True).clamp_min(1e-8)
    combined: Tensor = ahead + behind
    return combined


VIEWS: dict[str, tuple[View, View]] = {
    "sem": (lambda tokens, foreground: semantic(foreground)(tokens)[:, 1:], semantic_by_definition),
    "spa": (lambda tokens, foreground: spatial(tokens, foreground)(tokens)[:, 1:], spatial_by_definition),
}


@dataclass(frozen=True)
class Result:
    """Median seconds of both sides, how many times faster ours is, and the largest difference of the outputs."""

    view: str
    seconds: float
    seconds_by_definition: float
    ratio: float
    largest_difference: float


def generated_tokens(batch: int, grid: int, width: int) -> tuple[Tensor, Foreground]:
    """Return random tokens and a foreground of about half of them."""
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randn(batch, 1 + grid * grid, width, generator=generator)
    tokens = tokens + torch.randn(1, 1, width, generator=generator)  # a part that all tokens share, like those of CLIP
    return tokens, find_foreground(tokens, None, threshold=0.45, smoothing=True, background_value=0.5)


def measure(name: str, tokens: Tensor, foreground: Foreground, rounds: int) -> Result:
    """Measure both sides in turns, after one round that is not counted."""
    sides = VIEWS[name]
    seconds: tuple[list[float], list[float]] = ([], [])
    for number in range(rounds + 1):
        for side in (0, 1) if number % 2 else (1, 0):
            start = perf_counter()
            sides[side](tokens, foreground)
            if number:
                seconds[side].append(perf_counter() - start)
    ours, slow = median(seconds[0]), median(seconds[1])
    difference = (sides[0](tokens, foreground) - sides[1](tokens, foreground)).abs().max()
    return Result(name, ours, slow, slow / ours, float(difference))


def main() -> None:
    """Measure both views and print one line for each."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--grid", type=int, default=37, help="patches per side (default 37: 518 pixels)")
    parser.add_argument("--width", type=int, default=256, help="channels (default 256; ViT-L/14 has 1024)")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--json", action="store_true", help="one JSON object per line")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    tokens, foreground = generated_tokens(arguments.batch, arguments.grid, arguments.width)
    sizes = {
        "batch": arguments.batch,
        "grid": arguments.grid,
        "width": arguments.width,
        "threads": torch.get_num_threads(),
    }
    if not arguments.json:
        share = float(foreground.is_foreground.float().mean())
        print(", ".join(f"{key} {value}" for key, value in sizes.items()) + f", foreground {share:.0%}")
    with torch.inference_mode():
        for name in VIEWS:
            result = measure(name, tokens, foreground, arguments.rounds)
            print(json.dumps(asdict(result) | sizes) if arguments.json else _line(result))


def _line(result: Result) -> str:
    ours, slow = 1e3 * result.seconds, 1e3 * result.seconds_by_definition
    return (
        f"{result.view}: {ours:.1f} ms, by definition {slow:.1f} ms, ratio {result.ratio:.1f}, "
        f"largest difference {result.largest_difference:.1e}"
    )


if __name__ == "__main__":
    main()

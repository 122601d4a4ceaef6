"""Each head beside its slow twin: the order of operations of the published code, on the same weights and tokens.

Both run in one process, in turns; the median of the rounds' ratios counts. Extra memory is the peak of a call above
what was there before it: of a process of its own on a CPU, of the allocator on a GPU. Tokens are drawn and look like a
residual stream; text features are given to both. The twins pass the parity fixtures (tests/methods/test_twins.py).
The floor is what the multiplications of our order take at the rate of one large product here, or reading tokens and
weights once at the rate of one large copy.

    python benchmarks/heads.py                        a narrow look, under a minute: 266 pixels
    python benchmarks/heads.py --size 518 --rounds 3  full size: some minutes on two cores
    python benchmarks/heads.py --device cuda --size 518 --batch 8 --rounds 20
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable
from statistics import median
from time import process_time
from typing import Any

import torch
from torch import Tensor
from twins import afclip, anomalyclip, fbclip

from zsadbench import load_method
from zsadbench.engine.machine.memory import peak_device_mib, peak_host_mib, reset_peak, reset_peak_host
from zsadbench.engine.machine.timing import seconds_of, wait_for
from zsadbench.engine.plan.method_setup import taps_of
from zsadbench.engine.record.provenance import device_name
from zsadbench.profile.lower_bound import peak_gb_per_second, peak_gmac_per_second
from zsadbench.types import Scores, Taps, Tokens

TWINS: dict[str, Callable[[Any, Tokens, Tensor], Scores]] = {
    "fbclip": fbclip.score,
    "afclip": afclip.score,
    "anomalyclip": anomalyclip.score,
}


def drawn_tokens(taps: Taps, batch: int, grid: int, width: int, device: torch.device) -> Tokens:
    """Layers that add up, as a residual stream does, with something that all tokens of an image share."""
    draw = torch.Generator().manual_seed(0)

    def path(count: int) -> tuple[Tensor, ...]:
        common = torch.randn(1, batch, 1, width, generator=draw)
        steps = torch.randn(max(count, 1), batch, 1 + grid**2, width, generator=draw)
        return tuple((steps.cumsum(dim=0) + common).to(device).unbind())[:count]

    return Tokens(path(len(taps.blocks)), grid, path(len(taps.value_blocks)))


def widen(network: Any) -> None:
    """Weights far from where they start, so that no path is idle."""
    draw = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_((0.02 * torch.randn(parameter.shape, generator=draw)).to(parameter.device))


class Sides:
    """Both sides of one head on the same weights and tokens."""

    def __init__(self, name: str, asked: argparse.Namespace, device: torch.device) -> None:
        loaded = load_method(name, asked.backbone, "random", device=str(device), image_size=asked.size)
        detector: Any = loaded.method
        widen(detector.network)
        detector.encode_text(["object"])
        text = detector.text_features().detach()
        taps, width = taps_of(loaded.setup), loaded.setup.spec.config.vision.width
        tokens = drawn_tokens(taps, asked.batch, loaded.backbone.grid, width, device)
        card, network = loaded.setup.method.card, detector.network
        executed = card.macs(loaded.setup.spec.config, detector.options, loaded.backbone.grid).executed
        self.gmac = asked.batch * sum(executed.values()) / 1e9
        read = sum(layer.numel() for layer in tokens.layers + tokens.value_layers)
        self.gigabytes = 4 * (read + sum(one.numel() for one in network.parameters())) / 1e9
        self.calls: dict[str, Callable[[], Scores]] = {
            "ours": lambda: detector.score(tokens, ["object"] * asked.batch),
            "twin": lambda: TWINS[name](detector, tokens, text),
        }

    def apart(self) -> float:
        """The largest difference of their scores and maps; calls each once."""
        made = (call() for call in self.calls.values())
        return max(float((a - b).abs().max()) for a, b in zip(*made, strict=True))

    def memory(self, device: torch.device) -> dict[str, float | None]:
        """Peak MiB of a call above what was there before it, for either side."""
        return {side: extra_memory(call, device) for side, call in self.calls.items()}


def measure(name: str, asked: argparse.Namespace, device: torch.device) -> dict[str, Any]:
    """One head: seconds and peak memory of both sides, and how far apart they are."""
    sides = Sides(name, asked, device)
    apart = sides.apart()
    times = [{side: timed(call, device) for side, call in sides.calls.items()} for _ in range(asked.rounds)]
    memory = sides.memory(device) if device.type == "cuda" else memory_apart(name, asked)
    threads = torch.get_num_threads() if device.type == "cpu" else 1  # CPU seconds are summed over threads
    return {
        "head": name,
        "ours_s": median(one["ours"] for one in times),
        "twin_s": median(one["twin"] for one in times),
        "floor_s": threads * sides.gmac / peak_gmac_per_second(device, torch.float32),
        "floor_memory_s": sides.gigabytes / peak_gb_per_second(device),
        "times_faster": median(one["twin"] / one["ours"] for one in times),
        "ours_mib": memory["ours"],
        "twin_mib": memory["twin"],
        "share_of_memory": None if None in memory.values() else memory["ours"] / memory["twin"],
        "difference": apart,
        "size": asked.size,
        "batch": asked.batch,
        "rounds": asked.rounds,
        "threads": torch.get_num_threads(),
        "device": device_name(device),
    }


def memory_apart(name: str, asked: argparse.Namespace) -> dict[str, float | None]:
    """In a process of its own, whose C library gives every freed tensor back: what it would keep is no part of it."""
    sizes = ["--backbone", asked.backbone, "--size", str(asked.size), "--batch", str(asked.batch)]
    told = subprocess.run(
        [sys.executable, __file__, "--memory-of", name, *sizes],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "MALLOC_MMAP_THRESHOLD_": str(1 << 20)},
    )
    return dict(json.loads(told.stdout))


def timed(call: Callable[[], object], device: torch.device) -> float:
    """CPU seconds on a CPU, which others may share; seconds of the clock on a GPU."""
    if device.type == "cpu":
        start = process_time()
        call()
        return process_time() - start

    def waited() -> None:
        call()
        wait_for(device)

    return seconds_of(waited)


def extra_memory(call: Callable[[], object], device: torch.device) -> float | None:
    """Peak MiB of one call above what was there before; None where the system does not say."""
    call()  # the libraries make their own buffers, which stay
    if device.type == "cpu" and not reset_peak_host():
        return None
    reset_peak(device)
    peak = peak_device_mib if device.type == "cuda" else lambda _: peak_host_mib()
    before = peak(device)
    call()
    after = peak(device)
    return None if before is None or after is None else after - before


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--head", choices=sorted(TWINS), action="append", help="repeatable; all of them by default")
    parser.add_argument("--backbone", default="ViT-L-14-336")
    parser.add_argument("--device", default="cpu")
    for name, default in (("size", 266), ("batch", 1), ("rounds", 3)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--json", action="store_true", help="one JSON object a head")
    parser.add_argument("--memory-of", help=argparse.SUPPRESS)  # the process that memory is measured in
    asked = parser.parse_args()
    with torch.inference_mode():
        if asked.memory_of:
            cpu = torch.device("cpu")
            print(json.dumps(Sides(asked.memory_of, asked, cpu).memory(cpu)))
            return
        for name in asked.head or TWINS:
            found = measure(name, asked, torch.device(asked.device))
            print(json.dumps(found) if asked.json else line(found), flush=True)


def line(found: dict[str, Any]) -> str:
    share = "unknown" if found["share_of_memory"] is None else f"1/{1 / max(found['share_of_memory'], 1e-9):.1f}"
    memory = " MiB against ".join(
        "?" if one is None else f"{one:.0f}" for one in (found["ours_mib"], found["twin_mib"])
    )
    return (
        f"{found['head']:12} {found['ours_s']:8.3f} s   "
        f"floor {found['floor_s']:.3f}, to move {found['floor_memory_s']:.3f}   twin {found['twin_s']:8.3f} s   "
        f"{found['times_faster']:5.1f} times faster   extra memory {memory} MiB, {share}   "
        f"difference {found['difference']:.1e}"
    )


if __name__ == "__main__":
    main()

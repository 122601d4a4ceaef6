"""Compare each head with its slow twin: the order of operations of the published code, same weights and tokens.

Both run in one process, in turns; the result is the median of the ratios of the rounds. Extra memory is the peak of a
call above the memory before it: of a separate process on a CPU, of the allocator on a GPU. Tokens are generated, with
the structure of a residual stream; both get the same text features. What a method does inside the encoders is not part
of its head; benchmarks/parts.py measures it. The twins pass the parity fixtures, or agree with the head where the
method is unpublished or encodes images itself (tests/methods/test_twins.py). The lower bounds are the time of the
multiplications of our order at the rate of one large product on this device, and the time to read tokens and weights
once at the rate of one large copy.

    python benchmarks/heads.py                        a quick look, some minutes: 266 pixels
    python benchmarks/heads.py --size 518 --rounds 3  full size: some minutes on two cores
    python benchmarks/heads.py --device cuda --size 518 --batch 8 --rounds 20
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from statistics import median
from time import process_time
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize
from twins import aaclip, adaclip, afclip, anomalyclip, aprilgan, faprompt, fbclip, mfpclip, promptad, winclip

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
    "aprilgan": aprilgan.score,
    "faprompt": faprompt.score,
    "winclip": winclip.score,
    "adaclip": adaclip.score,
    "aaclip": aaclip.score,
    "mfpclip": mfpclip.score,
    "promptad": promptad.score,
}
TEXT_OF_CLASS = {"aprilgan": "text_features", "winclip": "text_features", "aaclip": "anchors"}  # (batch, 2, joint)
TEXT_OF_IMAGE = ("faprompt",)  # the head itself encodes sentences of every image, and so does its twin
TEXT_IN_TOKENS = ("adaclip", "mfpclip")  # encoded with the images, by a method that works inside the encoders


def generated_tokens(taps: Taps, batch: int, grid: int, width: int, device: torch.device) -> Tokens:
    """Return layers that are running sums, as in a residual stream, plus a part that all tokens of an image share."""
    generator = torch.Generator().manual_seed(0)

    def path(count: int) -> tuple[Tensor, ...]:
        common = torch.randn(1, batch, 1, width, generator=generator)
        steps = torch.randn(max(count, 1), batch, 1 + grid**2, width, generator=generator)
        return tuple((steps.cumsum(dim=0) + common).to(device).unbind())[:count]

    return Tokens(path(len(taps.blocks)), grid, path(len(taps.value_blocks)))


def generated_windows(batch: int, grid: int, joint: int, device: torch.device) -> Tokens:
    """Return features of the whole image and of all windows, as WinCLIP's encoding gives them."""
    generator = torch.Generator().manual_seed(0)
    parts = {"image_features": torch.randn(batch, joint, generator=generator)}
    for scale in (2, 3):
        parts[f"window_features_s{scale}"] = torch.randn(batch, (grid - scale + 1) ** 2, joint, generator=generator)
    return Tokens((), grid, parts={name: part.to(device) for name, part in parts.items()})


def generated_parts(batch: int, joint: int, device: torch.device) -> dict[str, Tensor]:
    """Return a class token per image, and unit text features of both sides that are close to each other."""
    generator = torch.Generator().manual_seed(0)
    common, apart = (torch.randn(batch, sides, joint, generator=generator) for sides in (1, 2))
    text = normalize(common + 0.5 * apart, dim=-1)
    return {"class_token": torch.randn(batch, joint, generator=generator).to(device), "text_features": text.to(device)}


def generated_paths(batch: int, grid: int, width: int, device: torch.device) -> Tokens:
    """Return both paths and the remembered states of PromptAD's encoding; another batch size gives other images."""
    generator = torch.Generator().manual_seed(batch)
    plain, values, *memory = torch.randn(4, batch, 1 + grid**2, width, generator=generator).to(device).unbind()
    parts = {"plain": plain, "values": values[:, 1:], "memory_1": memory[0], "memory_2": memory[1]}
    return Tokens((), grid, parts=parts)


def widen(parameters: Sequence[torch.nn.Parameter]) -> None:
    """Move the weights away from their initial values, so that no part of the head is zero."""
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in parameters:
            parameter.add_((0.02 * torch.randn(parameter.shape, generator=generator)).to(parameter.device))


def encoded_text(name: str, detector: Any, words: Sequence[str]) -> Tensor:
    """Encode the text beforehand, so that neither side is timed with it; empty where it belongs to an image."""
    if name in (*TEXT_OF_IMAGE, *TEXT_IN_TOKENS):
        return torch.empty(0)
    if name == "promptad":
        return torch.stack([detector.text_features(part, words) for part in ("cls", "seg")], dim=1).detach()
    detector.encode_text(words)
    features: Tensor = (
        getattr(detector, TEXT_OF_CLASS[name])(words) if name in TEXT_OF_CLASS else detector.text_features()
    )
    return features.detach()


class Sides:
    """Our head and its twin, on the same weights and tokens."""

    def __init__(self, name: str, arguments: argparse.Namespace, device: torch.device) -> None:
        loaded = load_method(name, arguments.backbone, "random", device=str(device), image_size=arguments.size)
        detector: Any = loaded.method
        parameters = list(detector.network.parameters()) if hasattr(detector, "network") else []
        widen(parameters)
        words = ["object"] * arguments.batch
        text = encoded_text(name, detector, words)
        taps, config, grid = taps_of(loaded.setup), loaded.setup.spec.config, loaded.backbone.grid
        if name == "winclip":
            tokens = generated_windows(arguments.batch, grid, config.embed_dim, device)
        elif name == "promptad":
            tokens = generated_paths(arguments.batch, grid, config.vision.width, device)
            detector.remember(generated_paths(arguments.batch + 1, grid, config.vision.width, device))
        else:
            tokens = generated_tokens(taps, arguments.batch, grid, config.vision.width, device)
        if name in TEXT_IN_TOKENS:
            tokens = tokens._replace(parts=generated_parts(arguments.batch, config.embed_dim, device))
        card = loaded.setup.method.card
        executed = card.macs(config, detector.options, grid).executed
        self.gmac = arguments.batch * sum(executed.values()) / 1e9
        read = sum(part.numel() for part in (*tokens.layers, *tokens.value_layers, *tokens.parts.values()))
        self.gigabytes = 4 * (read + sum(parameter.numel() for parameter in parameters)) / 1e9
        self.calls: dict[str, Callable[[], Scores]] = {
            "ours": lambda: detector.score(tokens, words),
            "twin": lambda: TWINS[name](detector, tokens, text),
        }

    def difference(self) -> float:
        """Call each once; return the largest difference of their scores and maps."""
        ours, twin = (call() for call in self.calls.values())
        return max(float((a - b).abs().max()) for a, b in zip(ours, twin, strict=True))

    def memory(self, device: torch.device) -> dict[str, float | None]:
        """Return the peak of a call above the memory before it, in MiB, for both sides."""
        return {side: extra_memory(call, device) for side, call in self.calls.items()}


def measure(name: str, arguments: argparse.Namespace, device: torch.device) -> dict[str, Any]:
    """Measure one head: seconds and peak memory of both sides, and the largest difference of their results."""
    sides = Sides(name, arguments, device)
    difference = sides.difference()
    times = [{side: timed(call, device) for side, call in sides.calls.items()} for _ in range(arguments.rounds)]
    memory = sides.memory(device) if device.type == "cuda" else memory_in_process(name, arguments)
    threads = torch.get_num_threads() if device.type == "cpu" else 1  # CPU seconds are summed over threads
    return {
        "head": name,
        "ours_s": median(seconds["ours"] for seconds in times),
        "twin_s": median(seconds["twin"] for seconds in times),
        "floor_s": threads * sides.gmac / peak_gmac_per_second(device, torch.float32),
        "floor_memory_s": sides.gigabytes / peak_gb_per_second(device),
        "times_faster": median(seconds["twin"] / seconds["ours"] for seconds in times),
        "ours_mib": memory["ours"],
        "twin_mib": memory["twin"],
        "share_of_memory": None if None in memory.values() else memory["ours"] / memory["twin"],
        "difference": difference,
        "size": arguments.size,
        "batch": arguments.batch,
        "rounds": arguments.rounds,
        "threads": torch.get_num_threads(),
        "device": device_name(device),
    }


def memory_in_process(name: str, arguments: argparse.Namespace) -> dict[str, float | None]:
    """Measure memory in a separate process whose C library returns every freed tensor to the system at once."""
    sizes = ["--backbone", arguments.backbone, "--size", str(arguments.size), "--batch", str(arguments.batch)]
    finished = subprocess.run(
        [sys.executable, __file__, "--memory-of", name, *sizes],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "MALLOC_MMAP_THRESHOLD_": str(1 << 20)},
    )
    return dict(json.loads(finished.stdout))


def timed(call: Callable[[], object], device: torch.device) -> float:
    """Return CPU seconds on a CPU, which may be shared, and wall seconds on a GPU."""
    if device.type == "cpu":
        start = process_time()
        call()
        return process_time() - start

    def call_and_wait() -> None:
        call()
        wait_for(device)

    return seconds_of(call_and_wait)


def extra_memory(call: Callable[[], object], device: torch.device) -> float | None:
    """Return the peak of one call above the memory before it, in MiB; None if the system does not report it."""
    call()  # the first call allocates buffers of the libraries, which stay
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
    parser.add_argument("--head", choices=sorted(TWINS), action="append", help="repeatable; default: all of them")
    parser.add_argument("--backbone", default="ViT-L-14-336")
    parser.add_argument("--device", default="cpu")
    for name, default in (("size", 266), ("batch", 1), ("rounds", 3)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--json", action="store_true", help="one JSON object per head")
    parser.add_argument("--memory-of", help=argparse.SUPPRESS)  # starts the process in which memory is measured
    arguments = parser.parse_args()
    with torch.inference_mode():
        if arguments.memory_of:
            cpu = torch.device("cpu")
            print(json.dumps(Sides(arguments.memory_of, arguments, cpu).memory(cpu)))
            return
        for name in arguments.head or TWINS:
            result = measure(name, arguments, torch.device(arguments.device))
            print(json.dumps(result) if arguments.json else line(result), flush=True)


def line(result: dict[str, Any]) -> str:
    share = "unknown" if result["share_of_memory"] is None else f"1/{1 / max(result['share_of_memory'], 1e-9):.1f}"
    sides = (result["ours_mib"], result["twin_mib"])
    memory = " MiB, twin ".join("?" if mib is None else f"{mib:.0f}" for mib in sides)
    return (
        f"{result['head']:12} {result['ours_s']:8.3f} s   "
        f"lower bound {result['floor_s']:.3f}, to read {result['floor_memory_s']:.3f}   "
        f"twin {result['twin_s']:8.3f} s   "
        f"{result['times_faster']:5.1f} times faster   extra memory {memory} MiB, {share}   "
        f"difference {result['difference']:.1e}"
    )


if __name__ == "__main__":
    main()

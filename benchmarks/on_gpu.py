"""Measure on one GPU what the pages of docs/benchmarks lack: one command, one JSON file, and the tables as Markdown.

Each part runs in a process of its own, which is ended when the time is over; what is not measured by then is said. The
parts: the image tower against open_clip's own blocks in bf16; every method against the tower, at batch 1 and 32, in
fp32 and bf16, with the peaks of memory; images per second offline; compiled blocks and CUDA graphs; whole runs from
generated files, and how busy the GPU is; the same with one and two worker processes on the card; heads against their
slow twins; metrics in half precision. Weights are random where nothing is trained: the arithmetic is the same.

    python benchmarks/on_gpu.py --out on-gpu            under 8 minutes on a card of the class of an H200
    python benchmarks/on_gpu.py --small --device cpu    all parts at a small size, to try the script itself
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from time import monotonic, perf_counter
from typing import Any, cast

import torch
from on_gpu_tables import tables

from zsadbench.clip import build, resolve
from zsadbench.clip.macs import tower_macs
from zsadbench.engine.drive.reporter import Reporter
from zsadbench.engine.encode.towers import DTYPES
from zsadbench.engine.machine.timing import seconds_of, wait_for
from zsadbench.engine.plan.jobs import make_plan
from zsadbench.engine.plan.request import RunRequest
from zsadbench.engine.record.provenance import device_name
from zsadbench.engine.run import run_plan
from zsadbench.profile.lower_bound import peak_gmac_per_second
from zsadbench.profile.measure import profile
from zsadbench.profile.request import ProfileRequest
from zsadbench.types import Taps

METHODS = ("fbclip", "afclip", "anomalyclip")
Rows = Iterator[dict[str, Any]]


def tower(arguments: argparse.Namespace) -> Rows:
    """Time the frozen tower and open_clip's own blocks on the same images and weights, in turns, in bf16."""
    device, dtype = torch.device(arguments.device), DTYPES["bf16"]
    spec = resolve(arguments.backbone, arguments.weights)
    backbone = build(spec, arguments.size, device=device, precision=dtype)
    plain = build(spec, arguments.size, device=device).vision
    blocks, taps = plain.visual.transformer.to(dtype), Taps((spec.config.vision.layers,))
    peak = peak_gmac_per_second(device, dtype)
    for batch in arguments.batches:
        images = torch.randn(batch, 3, arguments.size, arguments.size, device=device)
        calls: dict[str, Callable[[], object]] = {
            "ours": lambda images=images: backbone.vision(images, taps, dtype),
            "open_clip": lambda images=images: blocks(plain.walk.first_norm(plain.walk.embed(images)).to(dtype)),
        }
        rounds = in_turns(calls, arguments.rounds, device)
        seconds = {name: median(one[name] for one in rounds) for name in calls}
        gmac = batch * tower_macs(spec.config, arguments.size, taps) / 1e9
        yield {
            "batch_size": batch,
            "ours_ms": 1000 * seconds["ours"],
            "open_clip_ms": 1000 * seconds["open_clip"],
            "times_open_clip": median(one["ours"] / one["open_clip"] for one in rounds),
            "share_of_peak": gmac / seconds["ours"] / peak,
            "peak_tflops": 2 * peak / 1000,
        }


def in_turns(calls: dict[str, Callable[[], object]], rounds: int, device: torch.device) -> list[dict[str, float]]:
    """Return the seconds of every call in each round, after three that warm up."""

    def timed(call: Callable[[], object]) -> float:
        return seconds_of(lambda: (call(), wait_for(device)))

    with torch.inference_mode():
        return [{name: timed(call) for name, call in calls.items()} for _ in range(3 + rounds)][3:]


def profiles(arguments: argparse.Namespace, methods: tuple[str, ...], compiling: str = "off", **changes: Any) -> Rows:
    """Yield the profiles of `zsadbench profile`."""
    request = RunRequest(
        methods,
        ("none",),
        aux="none",
        backbone=arguments.backbone,
        weights=arguments.weights,
        image_size=arguments.size,
        device=arguments.device,
        compile=compiling,  # type: ignore[arg-type]
    )
    yield from profile(ProfileRequest(request, **{"rounds": arguments.rounds, **changes}))


def methods(arguments: argparse.Namespace) -> Rows:
    """Profile three methods against the tower in single and half precision."""
    yield from profiles(arguments, METHODS, precisions=("fp32", "bf16"), batch_sizes=arguments.batches)


def offline(arguments: argparse.Namespace) -> Rows:
    """Measure the throughput of FB-CLIP when all batches wait from the start."""
    sizes = arguments.batches[-1:]
    yield from profiles(arguments, METHODS[:1], precisions=("bf16",), batch_sizes=sizes, scenario="offline")


def compiled(arguments: argparse.Namespace) -> Rows:
    """Measure the tower with plain blocks, compiled ones, and CUDA graphs."""
    for mode in ("off",) if arguments.small else ("off", "blocks", "graphs"):
        start = perf_counter()
        for figures in profiles(arguments, METHODS[:1], mode, precisions=("bf16",), batch_sizes=arguments.batches):
            yield {**figures, "asked": mode, "seconds_in_all": perf_counter() - start}


def files(arguments: argparse.Namespace) -> Rows:
    """Run FB-CLIP on generated files, and measure how busy the device is."""
    from run import measure  # benchmarks/run.py

    rest = {"target": "demo", "weights": "random", "precision": "bf16", "batch_size": None, "workers": 8}
    given = vars(arguments) | rest | {"method": METHODS[0], "data_root": None, "limit": arguments.limit}
    yield measure(argparse.Namespace(**given))


class Working(Reporter):
    """A reporter that knows when images were scored: the rate without the start of the processes."""

    def __init__(self) -> None:
        self.scored: list[tuple[float, int]] = []

    def images(self, count: int) -> None:
        """Note the time."""
        self.scored.append((perf_counter(), count))

    def rate(self) -> float | None:
        """Return images per second between the first and the last report; None where there is only one."""
        seconds = self.scored[-1][0] - self.scored[0][0]
        return sum(count for _, count in self.scored[1:]) / seconds if seconds else None


def workers(arguments: argparse.Namespace) -> Rows:
    """Time a whole run with one and with two worker processes on the device."""
    for jobs in (1, 2):
        with tempfile.TemporaryDirectory() as folder:
            request = RunRequest(
                METHODS[:1],
                ("demo",),
                out=Path(folder),
                aux="none",
                backbone=arguments.backbone,
                weights="random",
                image_size=arguments.size,
                device=arguments.device,
                precision="bf16",
                engine="processes",
                jobs=jobs,
                limit=arguments.limit,
                batch_size=arguments.batches[0] if arguments.small else 8,
                shard=1 if arguments.small else 8,
            )
            plan, start, working = make_plan(request), perf_counter(), Working()
            results = run_plan(plan, cast(Reporter, working))
            seconds = perf_counter() - start
        if results.failures:
            raise SystemExit("\n".join(results.failures))
        images = sum(results.records[0][1].cost["images"].values())
        yield {"workers": jobs, "seconds": seconds, "images": images, "images_per_second": working.rate()}


def heads(arguments: argparse.Namespace) -> Rows:
    """Compare heads with their slow twins."""
    from heads import measure  # benchmarks/heads.py

    given = argparse.Namespace(**vars(arguments) | {"batch": 1 if arguments.small else 8})
    for name in METHODS:
        yield measure(name, given, torch.device(arguments.device))


def precision(arguments: argparse.Namespace) -> Rows:
    """Compare scores and metrics in half precision with fp32, on the small backbone that is shipped."""
    from precision import compare  # benchmarks/precision.py

    rest = {"target": "demo", "aux": "demo-aux", "backbone": "demo", "weights": None, "precision": "bf16,fp16"}
    given = argparse.Namespace(**vars(arguments) | rest | {"data_root": [], "limit": arguments.limit})
    for name in METHODS[:1] if arguments.small else METHODS:
        yield from compare(name, given)


def others(arguments: argparse.Namespace) -> Rows:
    """Profile the other methods in half precision."""
    names = ("clip", "aprilgan", "aaclip", "adaclip", "faprompt", "mfpclip")
    yield from profiles(arguments, names, precisions=("bf16",), batch_sizes=arguments.batches[-1:])


PARTS: dict[str, Callable[[argparse.Namespace], Rows]] = {
    **{"tower": tower, "methods": methods, "offline": offline, "files": files, "workers": workers},
    **{"heads": heads, "compiled": compiled, "precision": precision, "others": others},
}


def in_process(part: str, arguments: list[str], seconds: float) -> tuple[list[dict[str, Any]], str]:
    """Measure a part in a process of its own; return its rows, and why some are missing, empty if none is."""
    command = [sys.executable, __file__, *arguments, "--part", part]
    try:
        finished = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired as over:
        output = over.stdout.decode() if isinstance(over.stdout, bytes) else over.stdout or ""
        return rows_of(output), "the time was over"
    fault = finished.stderr.strip().splitlines()[-1:] if finished.returncode else []
    return rows_of(finished.stdout), " ".join(fault)


def rows_of(output: str) -> list[dict[str, Any]]:
    """Return the JSON objects among the lines of an output; the last line may be cut."""
    found = []
    for line in output.splitlines():
        if line.startswith("{") and line.endswith("}"):
            found.append(json.loads(line))
    return found


def parse(given: list[str] | None = None) -> argparse.Namespace:
    """Read the arguments, and add the sizes that follow from them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--backbone", default="ViT-L-14-336")
    parser.add_argument("--weights", default="random")
    parser.add_argument("--size", type=int, default=518)
    parser.add_argument("--small", action="store_true", help="few rounds of small batches, benchmarks/tiny.json")
    parser.add_argument("--seconds", type=float, default=470.0, help="the most time of all parts together")
    parser.add_argument("--out", type=Path, default=Path("on-gpu"), help="folder for on_gpu.json and on_gpu.md")
    parser.add_argument("--part", choices=PARTS, action="append", help="measure this part alone, here")
    arguments = parser.parse_args(given)
    if arguments.small:
        arguments.size = 112
        if arguments.backbone == parser.get_default("backbone"):
            arguments.backbone = str(Path(__file__).with_name("tiny.json"))
    arguments.batches = (1, 2) if arguments.small else (1, 32)
    arguments.rounds = 1 if arguments.small else 6
    arguments.limit = 1 if arguments.small else None
    return arguments


def main() -> None:
    arguments, start = parse(), monotonic()
    if arguments.device.startswith("cuda") and not torch.cuda.is_available():
        print("there is no GPU, so nothing is measured; --small --device cpu tries the script")
        return
    for part in arguments.part or ():
        for row in PARTS[part](arguments):
            print(json.dumps(row), flush=True)
    if arguments.part:
        return
    measured: dict[str, Any] = {"device": device_name(torch.device(arguments.device)), "torch": torch.__version__}
    measured |= {"command": sys.argv[1:], "parts": {}, "missing": {}}
    arguments.out.mkdir(parents=True, exist_ok=True)
    for part in PARTS:
        began, left = monotonic(), arguments.seconds - (monotonic() - start)
        rows, why = in_process(part, sys.argv[1:], left) if left > 0 else ([], "the time was over")
        measured["parts"][part] = rows
        measured["missing"] |= {part: why} if why else {}
        print(f"{part}: {len(rows)} rows in {monotonic() - began:.0f} s{why and f'; {why}'}", file=sys.stderr)
        (arguments.out / "on_gpu.json").write_text(json.dumps(measured, indent=1) + "\n")  # also if it is interrupted
    text = tables(measured)
    (arguments.out / "on_gpu.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()

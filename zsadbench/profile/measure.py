"""`zsadbench profile`: what a method costs, measured so that it can be compared; nothing is learned or written here.

Every method is measured on its own: towers built, text features made, text tower let go, peaks of memory counted from
there. In every round the image tower alone runs beside the method, so that its multiple of that floor comes from one
process, one machine and the same minute.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from dataclasses import replace
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from zsadbench import registry
from zsadbench.clip import resolve
from zsadbench.engine.encode.text import release_text
from zsadbench.engine.encode.towers import build_towers
from zsadbench.engine.learn.detector import Detector, make_method
from zsadbench.engine.machine import memory, timing
from zsadbench.engine.machine.device import choose_device, is_shortage
from zsadbench.engine.machine.threads import limited_threads
from zsadbench.engine.machine.timing import seconds_of
from zsadbench.engine.plan.checks import check_size
from zsadbench.engine.plan.method_setup import load_setup
from zsadbench.engine.plan.options import configure
from zsadbench.engine.plan.request import RunRequest
from zsadbench.engine.record.entries import parameters
from zsadbench.engine.record.provenance import device_name
from zsadbench.errors import CellError
from zsadbench.profile.energy import EnergyMeter
from zsadbench.profile.lower_bound import floor_of, macs_of
from zsadbench.profile.request import ProfileRequest
from zsadbench.profile.rounds import Rounds, percentiles, warm_up
from zsadbench.profile.subject import Subject
from zsadbench.profile.training import training_cost
from zsadbench.records.stages import FORWARD_STAGES

if TYPE_CHECKING:
    from zsadbench.engine.plan.method_setup import MethodSetup


def profile(request: ProfileRequest) -> Iterator[dict[str, Any]]:
    """Measure one (method, precision, batch size) after the other and yield its figures as plain values.

    Raises:
        UsageError, WeightsError: what can be known beforehand, before anything is measured.
        CellError: the device has too little memory for one of them; those before it have been yielded.
    """
    device = choose_device(request.run.device)
    for setup in _settings(request.run):
        for precision in request.precisions:
            with limited_threads():
                yield from _method(replace(setup, precision=precision), device, request)
            gc.collect()  # the towers of one method are not in the peak of the next


def _settings(run: RunRequest) -> list[MethodSetup]:
    configured = [configure(registry.method_card(name), run.options, run.methods) for name in run.methods]
    check_size(run, configured)
    spec = resolve(run.backbone, run.weights, offline=run.offline)
    return [load_setup(run, method, spec, registry.protocol(run.protocol)) for method in configured]


def _method(setup: MethodSetup, device: torch.device, request: ProfileRequest) -> Iterator[dict[str, Any]]:
    """One method at one precision, at every batch size."""
    backbone = build_towers(setup, device)
    method = make_method(setup, backbone, 0)
    first = Subject(setup, backbone, method, 1)
    texts = {"text_cold": 1000 * first.text(), "text_amortised": 1000 * first.text()}
    release_text(backbone, [method])
    shared = parameters(Detector(method, None), backbone) | macs_of(setup)
    for batch_size in request.batch_sizes:
        try:
            found = _measured(Subject(setup, backbone, method, batch_size), texts, request)
        except (RuntimeError, MemoryError) as failure:
            if not is_shortage(failure):
                raise
            raise CellError(
                f"{setup.name}, {setup.precision}: no memory for a batch of {batch_size}; pass a smaller --batch-size"
            ) from failure
        training = training_cost(setup, backbone, method) if request.training else {}
        yield found | shared | floor_of(setup, backbone, method, batch_size, shared["gmac_executed"]) | training


def _measured(subject: Subject, texts: dict[str, float], request: ProfileRequest) -> dict[str, Any]:
    """Time and memory of one method at one precision and batch size."""
    counted = _start_peaks(subject.device)
    warm = warm_up(subject.call, lambda _: subject.whole())
    timed = [_round(subject) for _ in Rounds(request.rounds)]
    peaks = _peaks(subject.device, counted=counted)
    rate = _throughput(subject, len(timed)) if request.scenario == "offline" else None
    stages = {name: percentiles([one.stages[name] for one in timed]).median for name in FORWARD_STAGES}
    latency = percentiles([one.whole for one in timed])
    return {
        **_named(subject),
        "scenario": request.scenario,
        "latency_ms": latency._asdict(),
        "images_per_second": rate["images_per_second"] if rate else 1000 * subject.batch_size / latency.median,
        "joules_an_image": rate["joules_an_image"] if rate else None,
        "tower_ms": percentiles([one.floor for one in timed]).median,
        "ratio_to_tower": median([one.whole / one.floor for one in timed]),
        "stages": stages | subject.host_stages() | texts,
        "rounds": len(timed),
        "warm_up": warm._asdict(),
        **peaks,
    }


class _Timed(NamedTuple):
    """Seconds of one round: the tower alone, the whole method, and its stages."""

    floor: float
    whole: float
    stages: dict[str, float]


def _round(subject: Subject) -> _Timed:
    watch = timing.Stopwatch(subject.device)
    floor = subject.floor()
    if subject.device.type == "cpu":  # nothing runs on while the host goes ahead: one call gives both
        whole = subject.staged(watch)
    else:
        whole = subject.whole()
        subject.staged(watch)
    return _Timed(floor, whole, watch.seconds)


def _named(subject: Subject) -> dict[str, Any]:
    """What was measured, and on what."""
    setup, blocks = subject.setup, subject.backbone.vision.blocks
    return {
        "method": setup.name,
        "device": str(subject.device),
        "device_name": device_name(subject.device),
        "threads": torch.get_num_threads() if subject.device.type == "cpu" else None,
        "precision": setup.precision,
        "compiled": setup.compiling if blocks.compiled else "off",
        "batch_size": subject.batch_size,
        "backbone": setup.spec.name,
        "image_size": setup.image_size,
    }


def _peaks(device: torch.device, *, counted: bool) -> dict[str, Any]:
    return {
        "peak_host_mib": memory.peak_host_mib(),
        "peak_device_mib": memory.peak_device_mib(device),
        "reserved_device_mib": memory.peak_reserved_mib(device),
        "peak_host_of": "these calls" if counted else "the process so far",
    }


def _start_peaks(device: torch.device) -> bool:
    """Count peaks from here; whether the host's can be."""
    gc.collect()
    memory.reset_peak(device)
    return memory.reset_peak_host()


def _throughput(subject: Subject, batches: int) -> dict[str, float | None]:
    """Images a second over so many batches that are all there at once, and the energy of an image."""
    meter = EnergyMeter(subject.device)

    def all_of_them() -> None:
        for _ in range(batches):
            subject.call()

    seconds, images = seconds_of(lambda: subject.wait_after(all_of_them)), batches * subject.batch_size
    joules = meter.joules()
    return {"images_per_second": images / seconds, "joules_an_image": None if joules is None else joules / images}

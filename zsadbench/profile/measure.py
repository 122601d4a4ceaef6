"""`zsadbench profile`: measure what methods cost so that they can be compared; nothing is trained.

Every method is measured by itself: the encoders are built, the prompts encoded, the text encoder released, and memory
peaks counted from there. In every round the image tower alone is timed next to the whole method, so that the ratio of
the two is of one process on one machine, within seconds.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from dataclasses import replace
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from zsadbench import registry
from zsadbench.clip import resolve
from zsadbench.engine.encode.text import release_text
from zsadbench.engine.encode.towers import build_towers
from zsadbench.engine.learn.detector import make_method
from zsadbench.engine.machine import memory
from zsadbench.engine.machine.device import choose_device, is_shortage
from zsadbench.engine.machine.threads import limited_threads
from zsadbench.engine.machine.timing import Stopwatch, seconds_of
from zsadbench.engine.plan.checks import check_size
from zsadbench.engine.plan.method_setup import load_setup
from zsadbench.engine.plan.options import configure
from zsadbench.engine.plan.request import RunRequest
from zsadbench.engine.record.entries import parameters
from zsadbench.engine.record.provenance import device_name
from zsadbench.errors import CellError, UsageError
from zsadbench.profile.energy import EnergyMeter
from zsadbench.profile.lower_bound import lower_bounds, macs_of
from zsadbench.profile.request import ProfileRequest
from zsadbench.profile.rounds import Rounds, percentiles, warm_up
from zsadbench.profile.subject import Subject
from zsadbench.profile.training import training_cost
from zsadbench.records.stages import FORWARD_STAGES

if TYPE_CHECKING:
    from zsadbench.engine.plan.method_setup import MethodSetup


def profile(request: ProfileRequest, setups: Sequence[MethodSetup] | None = None) -> Iterator[dict[str, Any]]:
    """Measure every method on every backbone, at every precision and batch size, and yield a profile of each.

    Args:
        request: what to measure.
        setups: the methods in place of those of `request.run`, each at its own precision; None for those.

    Raises:
        UsageError, WeightsError: something in the request cannot be right; raised before anything is measured.
        CellError: the device has too little memory for a batch size; the profiles before it have been yielded.
    """
    device = choose_device(request.run.device)
    if setups is None:
        backbones = request.backbones or (request.run.backbone,)
        named = [setup for name in backbones for setup in _method_setups(replace(request.run, backbone=name))]
        setups = [replace(setup, precision=precision) for setup in named for precision in request.precisions]
    for setup in setups:
        with limited_threads():
            yield from _profile_method(setup, device, request)
        gc.collect()  # so that the encoders of this method do not count in the peak of the next


def _method_setups(run: RunRequest) -> list[MethodSetup]:
    """Check the request and return the setup of every method; no encoder is built."""
    configured = [configure(registry.method_card(name), run.options, run.methods) for name in run.methods]
    check_size(run, configured)
    spec = resolve(run.backbone, run.weights, offline=run.offline)
    for method in configured:
        if method.scores_whole_class:
            raise UsageError(f"'{method.card.name}' scores all images of a class together: there is no time of a batch")
    return [load_setup(run, method, spec, registry.protocol(run.protocol)) for method in configured]


def _profile_method(setup: MethodSetup, device: torch.device, request: ProfileRequest) -> Iterator[dict[str, Any]]:
    """Measure one method at one precision, at every batch size."""
    backbone = build_towers(setup, device)
    method = make_method(setup, backbone, 0)
    subject = Subject(setup, backbone, method, 1)
    text_ms = {"text_cold": 1000 * subject.time_text(), "text_amortised": 1000 * subject.time_text()}
    release_text(backbone, [method])
    counts = parameters(setup, method, backbone) | macs_of(setup)
    for batch_size in request.batch_sizes:
        try:
            measured = _measure(Subject(setup, backbone, method, batch_size), text_ms, request)
        except (RuntimeError, MemoryError) as failure:
            if not is_shortage(failure):
                raise
            raise CellError(
                f"{setup.name}, {setup.precision}: no memory for a batch of {batch_size}; pass a smaller --batch-size"
            ) from failure
        training = training_cost(setup, backbone, method) if request.training else {}
        bounds = lower_bounds(setup, backbone, method, batch_size, counts["gmac_executed"])
        yield measured | counts | bounds | training


class Round(NamedTuple):
    """Seconds of one round: the tower alone, the whole batch, and the stages of the batch."""

    tower: float
    batch: float
    stages: dict[str, float]


def _measure(subject: Subject, text_ms: dict[str, float], request: ProfileRequest) -> dict[str, Any]:
    """Measure the time and memory of one method at one precision and batch size."""
    gc.collect()
    memory.reset_peak(subject.device)
    host_peak_reset = memory.reset_peak_host()
    warm = warm_up(subject.run_batch, lambda _: subject.time_batch())
    rounds = [_time_round(subject) for _ in Rounds(request.rounds)]
    peaks = {
        "peak_host_mib": memory.peak_host_mib(),
        "peak_device_mib": memory.peak_device_mib(subject.device),
        "reserved_device_mib": memory.peak_reserved_mib(subject.device),
        "peak_host_of": "these calls" if host_peak_reset else "the process so far",
    }
    throughput = _throughput(subject, len(rounds)) if request.scenario == "offline" else None
    stages = {name: percentiles([each.stages[name] for each in rounds]).median for name in FORWARD_STAGES}
    latency = percentiles([each.batch for each in rounds])
    per_second = throughput["images_per_second"] if throughput else 1000 * subject.batch_size / latency.median
    return {
        **_description(subject),
        "scenario": request.scenario,
        "latency_ms": latency._asdict(),
        "images_per_second": per_second,
        "joules_an_image": throughput["joules_an_image"] if throughput else None,
        "tower_ms": percentiles([each.tower for each in rounds]).median,
        "ratio_to_tower": median([each.batch / each.tower for each in rounds]),
        "stages": stages | subject.time_host_stages() | text_ms,
        "rounds": len(rounds),
        "warm_up": warm._asdict(),
        **peaks,
    }


def _time_round(subject: Subject) -> Round:
    """Time the tower alone, the whole batch and its stages, one after another."""
    watch = Stopwatch(subject.device)
    tower = subject.time_tower()
    if subject.device.type == "cpu":  # stages do not overlap on a CPU: one call gives both
        batch = subject.time_stages(watch)
    else:
        batch = subject.time_batch()
        subject.time_stages(watch)
    return Round(tower, batch, watch.seconds)


def _description(subject: Subject) -> dict[str, Any]:
    """Return what was measured, and on which device."""
    setup, blocks = subject.setup, subject.backbone.vision.blocks
    return {
        "method": setup.name,
        "options": setup.method.changed(),
        "device": str(subject.device),
        "device_name": device_name(subject.device),
        "threads": torch.get_num_threads() if subject.device.type == "cpu" else None,
        "precision": setup.precision,
        "compiled": setup.compiling if blocks.compiled else "off",
        "batch_size": subject.batch_size,
        "backbone": setup.spec.name,
        "kind": setup.spec.config.kind,
        "image_size": setup.image_size,
    }


def _throughput(subject: Subject, batches: int) -> dict[str, float | None]:
    """Measure images per second and joules per image over batches that all wait from the start."""
    meter = EnergyMeter(subject.device)

    def run_batches() -> None:
        for _ in range(batches):
            subject.run_batch()

    seconds, images = seconds_of(lambda: subject.wait_after(run_batches)), batches * subject.batch_size
    joules = meter.joules()
    return {"images_per_second": images / seconds, "joules_an_image": None if joules is None else joules / images}

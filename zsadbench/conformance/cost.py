"""Check the stated multiply-accumulates against PyTorch's counter, and tell the time of the head."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import Any

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from zsadbench.conformance.finding import FaultError, NotApplicableError, NotDeclaredError
from zsadbench.conformance.subject import WORD, Subject
from zsadbench.types import Macs, TextFirst

BOUND = 0.01  # relative
ROUNDS = 3
IMAGES = 2


def counted_macs(call: Callable[[], Any]) -> float:
    """Count the multiply-accumulates of a call: the counter knows neither fused attention nor inference mode."""
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH), torch.enable_grad():
        call()
    return float(counter.get_total_flops() / 2)


def check_cost(subject: Subject) -> str:
    """Check `Macs.executed`, and `Macs.tower` of an own encoding, within 1 % of what is counted."""
    card, options = subject.card, subject.options
    if card.macs is None:
        raise NotDeclaredError("the card states no 'macs'")
    if subject.needs_shots or subject.whole_class or (card.recipe is not None and card.recipe.one_pass):
        raise NotApplicableError("its cost depends on what it remembers")
    stated = card.macs(subject.backbone.spec.config, options, subject.backbone.grid)
    if not isinstance(stated, Macs):
        raise FaultError(f"'macs' returns {type(stated).__name__}, not Macs")
    if (stated.tower is not None) != subject.taps.own_encoding:
        raise FaultError("'Macs.tower' is stated by methods that encode images themselves, and by no other")
    detector, images, words = subject.make(), subject.images[:IMAGES], [WORD] * IMAGES
    with torch.no_grad():
        tokens = subject.encode(detector, images, words)
        if isinstance(detector, TextFirst):
            detector.encode_text(words)
        else:
            detector.score(tokens, words)  # what depends on the weights alone is known from here on
    if stated.tower is not None:
        _compare("tower", stated.tower, counted_macs(lambda: subject.encode(detector, images, words)))
    return _compare("head", sum(stated.executed.values()), counted_macs(lambda: detector.score(tokens, words)))


def _compare(part: str, stated: int, counted: float) -> str:
    per_image = counted / IMAGES
    if abs(stated - per_image) > BOUND * max(per_image, 1):
        raise FaultError(f"{part}: stated are {stated:,}, counted {per_image:,.0f} multiply-accumulates per image")
    return f"{part}: {stated:,} multiply-accumulates per image"


def check_speed(subject: Subject) -> str:
    """Tell the time of the head on the very small backbone, beside that of its image encoder."""
    if subject.whole_class:
        raise NotApplicableError("it scores whole classes")
    detector, words = subject.make(), [WORD] * 3
    with torch.inference_mode():
        tokens = subject.encode(detector, subject.images, words)
        tower = _milliseconds(lambda: subject.encode(detector, subject.images, words))
        head = _milliseconds(lambda: detector.score(tokens, words))
    return f"head {head:.2g} ms, encoder {tower:.2g} ms per image, on the tiny backbone"


def _milliseconds(call: Callable[[], Any]) -> float:
    """Return the median time of a call per image, after one that is not timed."""
    times = []
    for _ in range(1 + ROUNDS):
        start = perf_counter()
        call()
        times.append(perf_counter() - start)
    return 1000 * median(times[1:]) / 3

"""Check half precision: scores stay float32 and near those of single precision."""

from __future__ import annotations

import torch

from zsadbench.clip.towers import autocast
from zsadbench.conformance.finding import FaultError
from zsadbench.conformance.interface import alone_only
from zsadbench.conformance.subject import CLASSES, Subject
from zsadbench.types import Scores

BOUND = 0.02  # of the range of the maps
DTYPE = "return float32 from 'score': call float() on the scores, or turn autocast off"
RANGE = "turn autocast off for cosines and softmax (docs/write-a-method.md), or state 'map_range'"


def check_bf16(subject: Subject) -> str:
    """Check that bfloat16 changes no score by more than 2 % of the range of the maps that the card states."""
    alone_only(subject)
    low, high = subject.card.map_range
    exact, rough = (_scored(subject, precision) for precision in (torch.float32, torch.bfloat16))
    for name, tensor in rough._asdict().items():
        if tensor.dtype != torch.float32:
            raise FaultError(f"{name} scores are {str(tensor.dtype).removeprefix('torch.')}; wanted is float32", DTYPE)
    worst = max(float((one - other).abs().max()) for one, other in zip(exact, rough, strict=True))
    bound = BOUND * (high - low)
    if not worst <= bound:
        raise FaultError(f"scores change by {worst:.2g}; the bound is 2 % of the map range, {bound:.2g}", RANGE)
    return f"largest change {worst:.2g}, bound {bound:.2g}"


def _scored(subject: Subject, precision: torch.dtype) -> Scores:
    detector = subject.make()
    with torch.inference_mode(), autocast("cpu", precision):
        tokens = subject.encode(detector, subject.images, CLASSES, precision)
        scores: Scores = detector.score(tokens, CLASSES)
    return scores

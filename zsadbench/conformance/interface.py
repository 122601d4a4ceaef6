"""Check what a detector gives: tokens, scores, maps, on every kind of backbone, with every preset."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any
from unittest.mock import patch

import torch

from zsadbench.conformance.finding import FaultError, NotApplicableError
from zsadbench.conformance.subject import CLASSES, ROWS, TOLERANCE, WORD, Subject, difference, equal, rows_of
from zsadbench.conformance.tower import tiny_backbone
from zsadbench.engine.machine.method_calls import checked_scores, checked_tokens
from zsadbench.errors import CellError, described
from zsadbench.types import Scores, TextFirst, Tokens, Traceable


def alone_only(subject: Subject) -> None:
    """Leave a check that concerns scores of single images, where the method has none.

    Raises:
        NotApplicableError: it scores whole classes.
    """
    if subject.whole_class:
        raise NotApplicableError("it scores whole classes")


def any_scores(subject: Subject, detector: Any) -> Scores:
    """Score the three images, or the nine of a class where the method scores whole classes, and check their shapes.

    Raises:
        CellError: something is not of the shape or type that the contract states.
    """
    if not subject.whole_class:
        return checked_scores(subject.card.name, subject.scores(detector, words=CLASSES), 3, " for 3 images")
    with torch.no_grad():
        detector.begin_class(WORD)
        detector.gather(subject.encode(detector, subject.class_images, [WORD] * 9))
        image, pixel = zip(*detector.score_class(), strict=True)
    return checked_scores(subject.card.name, (torch.cat(image), torch.cat(pixel)), 9, " for 9 images of a class")


@lru_cache(maxsize=1)
def first_scores(subject: Subject) -> Scores:
    """Return the scores of a new detector, as `any_scores`; of one subject, computed once."""
    return any_scores(subject, subject.make())


def check_encode(subject: Subject) -> str:
    """Check that an encoding of the method's own has the right types and treats every image by itself."""
    if not subject.taps.own_encoding:
        raise NotApplicableError("it reads the shared encoding")
    name = subject.card.name
    with torch.no_grad():
        whole = checked_tokens(name, subject.encode(subject.make(), subject.images, CLASSES), 3, "")
        for rows in ([0], [1], [2, 0]):
            words = [CLASSES[row] for row in rows]
            some = checked_tokens(name, subject.encode(subject.make(), subject.images[rows], words), len(rows), "")
            change = difference(_tensors(some), _tensors(rows_of(whole, rows)))
            if not change <= TOLERANCE:
                raise FaultError(f"other images of the batch change what an image is encoded to, by {change:.2g}")
    return f"{len(_tensors(whole))} tensors per batch"


def _tensors(tokens: Tokens) -> list[torch.Tensor]:
    return [*tokens.layers, *tokens.value_layers, *tokens.parts.values()]


def check_shapes(subject: Subject) -> str:
    """Check the shapes of scores and maps: (batch,) and (batch, height, width) of the patch grid or the input."""
    try:
        scores = first_scores(subject)
    except CellError as failure:
        raise FaultError(str(failure).partition(": ")[2] if ": " in str(failure) else str(failure)) from failure
    grid, size = subject.backbone.grid, subject.backbone.image_size
    height, width = scores.pixel.shape[1:]
    if (height, width) not in {(grid, grid), (size, size)}:
        raise FaultError(f"maps are {height} × {width}; wanted are {grid} × {grid} patches or {size} × {size} pixels")
    return f"images ({len(scores.image)}), maps ({', '.join(map(str, scores.pixel.shape))})"


def check_finite(subject: Subject) -> str:
    """Check that no score and no pixel of a map is NaN or infinite."""
    for name, tensor in first_scores(subject)._asdict().items():
        if bad := int((~tensor.isfinite()).sum()):
            raise FaultError(f"{bad} of {tensor.numel()} {name} scores are NaN or infinite")
    return "all scores are finite"


def check_values(subject: Subject) -> str:
    """Check that scores and maps are float32 and differ from image to image and from place to place."""
    scores = first_scores(subject)
    for name, tensor in scores._asdict().items():
        if tensor.dtype != torch.float32:
            raise FaultError(f"{name} scores are {str(tensor.dtype).removeprefix('torch.')}; wanted is float32")
        if not tensor.std() > 0:
            raise FaultError(f"all {name} scores are equal")
    low, high = subject.card.map_range
    return f"maps from {scores.pixel.min():.3g} to {scores.pixel.max():.3g}, drawn from {low:g} to {high:g}"


def check_kinds(subject: Subject) -> str:
    """Check that the method scores on a backbone of each further kind that its card names."""
    _, *others = subject.card.kinds
    if not others:
        raise NotApplicableError(f"it takes the kind {subject.card.kinds[0]} alone")
    for kind in others:
        other = replace(subject, backbone=tiny_backbone(kind, subject.taps))
        try:
            scores = any_scores(other, other.make())
        except CellError:
            raise
        except Exception as failure:
            raise CellError(f"on the kind {kind}: {described(failure)}") from failure
        if not all(bool(tensor.isfinite().all()) for tensor in scores):
            raise FaultError(f"on the kind {kind}: scores are NaN or infinite")
    return f"scores on {', '.join(subject.card.kinds)}"


def check_presets(subject: Subject) -> str:
    """Check that every preset gives finite maps."""
    if not subject.card.presets:
        raise NotApplicableError("it has no presets")
    for name, preset in subject.card.presets.items():
        other = replace(subject, options=replace(subject.options, **preset))
        if not bool(any_scores(other, other.make()).pixel.isfinite().all()):
            raise FaultError(f"preset '{name}': maps are NaN or infinite")
    return f"{len(subject.card.presets)} presets score"


def check_text(subject: Subject) -> str:
    """Check that after `encode_text` scoring needs no text encoder, and gives the same scores."""
    alone_only(subject)
    detector = subject.make()
    if not isinstance(detector, TextFirst):
        raise NotApplicableError("it may read text for every image")
    wanted = subject.scores(subject.make(), words=CLASSES)
    detector.encode_text(sorted(set(CLASSES)))
    if subject.backbone.spec.config.kind == "vision-only":
        return "there is no text encoder"
    with patch.object(subject.backbone.text, "forward", None):
        if not equal(subject.scores(detector, ROWS, CLASSES), wanted):
            raise FaultError("scores after 'encode_text' differ from those without it")
    return "scores without the text encoder"


def check_stages(subject: Subject) -> str:
    """Check that the stages that `explain` and `parity` show end in the scores."""
    alone_only(subject)
    detector = subject.make()
    if not isinstance(detector, Traceable):
        raise NotApplicableError("it shows no stages")
    with torch.no_grad():
        tokens = subject.encode(detector, subject.images, CLASSES)
        stages, scores = detector.stages(tokens, CLASSES), detector.score(tokens, CLASSES)
    of_the_map = "map" if "map" in stages else "map_grid"
    for stage, wanted in (("score", scores.image), (of_the_map, scores.pixel)):
        if stage not in stages:
            raise FaultError(f"there is no stage '{stage}'")
        if not difference([stages[stage]], [wanted]) <= TOLERANCE:
            raise FaultError(f"the stage '{stage}' is not what 'score' returns")
    return f"{len(stages)} stages"

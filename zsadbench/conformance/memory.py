"""Check what a detector remembers: normal images of a class, or a labelled auxiliary set."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from zsadbench.conformance.finding import FaultError, NotApplicableError
from zsadbench.conformance.interface import alone_only
from zsadbench.conformance.subject import CLASSES, ROWS, TOLERANCE, WORD, Subject, difference, rows_of
from zsadbench.errors import UsageError
from zsadbench.types import Batch, Scores, Tokens


def _few_shot(subject: Subject) -> Tokens:
    """Return the tokens of the three images of one class; leave the check where nothing is remembered."""
    alone_only(subject)
    if not subject.card.few_shot:
        raise NotApplicableError("it has no few-shot form")
    with torch.no_grad():
        return subject.encode(subject.make(), subject.images, [WORD] * 3)


def _score(detector: Any, tokens: Tokens) -> Scores:
    with torch.no_grad():
        scores: Scores = detector.score(tokens, [WORD] * len(_first(tokens)))
    return scores


def _first(tokens: Tokens) -> Tensor:
    return next(tensor for tensor in (*tokens.layers, *tokens.parts.values(), tokens.colours) if tensor is not None)


def check_few_shot(subject: Subject) -> str:
    """Check that remembered normal images matter, are the least strange, and are replaced and forgotten."""
    tokens, detector = _few_shot(subject), subject.make()
    before = _score(detector, tokens)
    with torch.no_grad():
        detector.remember(rows_of(tokens, [1]))
    known = _score(detector, tokens)
    if torch.equal(known.pixel, before.pixel):
        raise FaultError("remembered images change no map")
    if not known.pixel[1].mean() < known.pixel[[0, 2]].mean():
        raise FaultError("a remembered image is not less anomalous than others")
    for rows in ([0], [1], [2], [2, 1], [2, 1, 0], [1, 1, 0]):
        change = difference(_score(detector, rows_of(tokens, rows)), [tensor[rows] for tensor in known])
        if not change <= TOLERANCE:
            raise FaultError(f"with a memory, other images of the batch change scores by {change:.2g}")
    with torch.no_grad():
        detector.remember(rows_of(tokens, [0, 2]))
    if torch.equal(_score(detector, tokens).pixel, known.pixel):
        raise FaultError("a second call of 'remember' does not replace the memory")
    _check_forgetting(subject, detector, tokens, before)
    return "images are remembered, replaced and forgotten"


def _check_forgetting(subject: Subject, detector: Any, tokens: Tokens, before: Scores) -> None:
    """Check that an empty batch removes the memory."""
    with torch.no_grad():
        detector.remember(rows_of(tokens, []))
    if not subject.needs_shots:
        if not torch.equal(_score(detector, tokens).pixel, before.pixel):
            raise FaultError("an empty batch does not remove what was remembered")
        return
    try:
        _score(detector, tokens)
    except UsageError:
        return
    raise FaultError("without normal images it must raise UsageError, as 'needs_shots' says")


def check_support_order(subject: Subject) -> str:
    """Tell how far the order of normal images changes scores: the record states the order, so it may."""
    tokens, found = _few_shot(subject), []
    for rows in ([0, 2], [2, 0]):
        detector = subject.make()
        with torch.no_grad():
            detector.remember(rows_of(tokens, rows))
        found.append(_score(detector, tokens))
    change = difference(found[1], found[0])
    return "none" if change <= TOLERANCE else f"the order of normal images changes scores by {change:.2g}"


def auxiliary_batches(subject: Subject, groups: Sequence[Sequence[int]]) -> Iterator[tuple[Tokens, Batch]]:
    """Yield tokens and labels of some of the three images, one batch per group of rows."""
    for rows in groups:
        yield rows_of(subject.tokens, rows), subject.batch(rows)


def check_auxiliary(subject: Subject) -> str:
    """Check that a labelled auxiliary set is remembered, whatever its batches and their order."""
    if subject.card.recipe is None or not subject.card.recipe.one_pass:
        raise NotApplicableError("it remembers no auxiliary set")
    found = []
    for groups in ([ROWS], [[2], [0, 1]], [[1], [2], [0]]):
        detector = subject.make()
        before = subject.scores(detector, words=CLASSES)
        with torch.no_grad():
            detector.remember_auxiliary(auxiliary_batches(subject, groups))
        found.append(subject.scores(detector, words=CLASSES))
        if torch.equal(found[-1].pixel, before.pixel):
            raise FaultError("a remembered auxiliary set changes no map")
    worst = max(difference(other, found[0]) for other in found[1:])
    if not worst <= TOLERANCE:
        raise FaultError(f"batches and order of the auxiliary set change scores by {worst:.2g}")
    return f"in any batches: largest change {worst:.1g}"

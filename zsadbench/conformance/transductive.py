"""Check that test images of a class are used together only where the card declares it, and in any order."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from zsadbench.conformance.finding import FaultError, NotApplicableError
from zsadbench.conformance.subject import CLASSES, ROWS, TOLERANCE, WORD, Subject, difference, rows_of
from zsadbench.errors import UsageError
from zsadbench.types import Parted, Transductive, WholeClass

EARLIER = ((0, 1, 2), (1, 1))  # batches of the class that are scored before
GROUPS = ([range(9)], [range(4), range(4, 9)], [[8, 0, 3], [1], [7, 2], [6, 5, 4]])
CLOSE = 1e-9  # of double precision


def check_transductive(subject: Subject) -> str:
    """Check that no use of other test images of the class is undeclared, and that a declared step is one."""
    step, detector = subject.step, subject.make()
    if isinstance(detector, WholeClass) and subject.card.transductive is None:
        raise FaultError("the detector gathers whole classes, and the card does not say so")
    if isinstance(detector, Parted) and subject.card.transductive is None:
        raise FaultError("the detector has 'image_parts', and the card declares no step that takes them")
    if step is not None and step.whole_class:
        return f"declared: {step.name}"
    worst = 0.0
    for earlier in EARLIER:
        subject.outputs(detector, earlier)
        worst = max(worst, *(difference(subject.outputs(detector, [row]), subject.alone[row]) for row in ROWS))
    if not worst <= TOLERANCE:
        raise FaultError(
            f"earlier test images of the class change scores by {worst:.2g}, and the card declares no step"
        )
    if step is None:
        return "none declared, none found"
    _check_step(subject, step)
    return f"declared: {step.name}"


def _check_step(subject: Subject, step: Transductive) -> None:
    """Check that a declared step is a finite function of its parts, in any order, that depends on other images."""
    detector = subject.make()
    if not isinstance(detector, Parted) or step.finish is None:
        raise FaultError(f"the card declares the step '{step.name}', and the detector has no 'image_parts'")
    with torch.no_grad():
        tokens = subject.encode(detector, subject.images, CLASSES)
        parts = detector.image_parts(tokens, CLASSES, detector.score(tokens, CLASSES))
    if missing := sorted(set(step.parts) - parts.keys()):
        raise FaultError(f"'image_parts' lacks {', '.join(missing)}")
    known = {name: parts[name].double().numpy() for name in step.parts}
    finished = step.finish(known)
    if finished.shape != (3,):
        raise FaultError(f"'finish' returns {finished.shape} for three images; wanted are (3,)")
    for order in ([2, 0, 1], [1, 0, 2]):
        if not np.allclose(step.finish({name: values[order] for name, values in known.items()}), finished[order]):
            raise FaultError("the order of the images changes what 'finish' returns")
    pairs = ([0, 1], [0, 2], [1, 2])
    some = [step.finish({name: values[pair] for name, values in known.items()}) for pair in pairs]
    if all(np.allclose(found, finished[pair], rtol=CLOSE) for found, pair in zip(some, pairs, strict=True)):
        raise FaultError("no other image changes what 'finish' returns: the step need not be declared")
    for few in ({name: values[:1] for name, values in known.items()}, {name: 0 * v for name, v in known.items()}):
        if not np.isfinite(step.finish(few)).all():
            raise FaultError("'finish' is not finite for one image, or for equal ones")


def check_whole_class(subject: Subject) -> str:
    """Check that a method that scores whole classes gives the same scores in any order and any batches."""
    if not subject.whole_class:
        raise NotApplicableError("it scores every image by itself")
    detector = subject.make()
    if not isinstance(detector, WholeClass):
        raise FaultError("the card declares whole classes, and the detector lacks 'gather' or 'score_class'")
    found: list[tuple[Tensor, Tensor]] = []
    with torch.no_grad():
        tokens = subject.encode(detector, subject.class_images, [WORD] * 9)
        _check_refusal(detector, tokens)
        for groups in GROUPS:
            detector.begin_class(WORD)
            for rows in groups:
                detector.gather(rows_of(tokens, list(rows)))
            image, pixel = zip(*detector.score_class(), strict=True)
            order = torch.tensor([row for rows in groups for row in rows]).argsort()
            found.append((torch.cat(image)[order], torch.cat(pixel)[order]))
    worst = max(difference(other, found[0]) for other in found[1:])
    if not worst <= TOLERANCE:
        raise FaultError(f"order and batches of the images of a class change scores by {worst:.2g}")
    return f"in any order and batches: largest change {worst:.1g}"


def _check_refusal(detector: WholeClass, tokens: object) -> None:
    try:
        detector.score(tokens, [WORD] * 9)  # type: ignore[arg-type]
    except UsageError:
        return
    raise FaultError("'score' of a method that scores whole classes must raise UsageError")

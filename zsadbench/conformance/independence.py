"""Check that an image's scores depend on this image alone: not on chance, the batch, its order, or earlier ones."""

from __future__ import annotations

from zsadbench.conformance.finding import FaultError
from zsadbench.conformance.interface import alone_only, any_scores
from zsadbench.conformance.subject import ROWS, TOLERANCE, WORD, Subject, difference, equal

FIRST = ((0, 1, 2), (1, 2, 0), (2, 1), (0, 0))  # batches of which the first image is looked at
THREE = ("zipper", "metal nut", WORD)
ORDERS = ((2, 1, 0), (1, 2, 0))


def check_determinism(subject: Subject) -> str:
    """Check that two detectors of one seed give equal scores, bit for bit, in a first and in a second call."""
    first, second = subject.make(), subject.make()
    for call in ("first", "second"):
        if not equal(any_scores(subject, first), any_scores(subject, second)):
            raise FaultError(f"two detectors of one seed differ in their {call} call: something random is not seeded")
    return "two detectors of one seed are equal, bit for bit"


def check_batch(subject: Subject) -> str:
    """Check that other images of the batch do not change an image's scores, wherever it stands first."""
    alone_only(subject)
    worst = 0.0
    for rows in FIRST:
        found = [tensor[:1] for tensor in subject.outputs(subject.steady, rows)]
        worst = max(worst, difference(found, subject.alone[rows[0]]))
    if not worst <= TOLERANCE:
        raise FaultError(f"other images of the batch change scores by {worst:.2g}")
    return f"alone and in batches: largest change {worst:.1g}"


def check_order(subject: Subject) -> str:
    """Check that the place of an image in the batch does not change its scores."""
    alone_only(subject)
    worst = 0.0
    for rows in ORDERS:
        found = subject.outputs(subject.steady, rows)
        worst = max(worst, difference(found, [tensor[list(rows)] for tensor in subject.together]))
    if not worst <= TOLERANCE:
        raise FaultError(f"the order of the images in the batch changes scores by {worst:.2g}")
    return f"in other orders: largest change {worst:.1g}"


def check_classes(subject: Subject) -> str:
    """Check that the classes of other images in the batch do not change an image's scores."""
    alone_only(subject)
    found, worst = subject.outputs(subject.steady, ROWS, THREE), 0.0
    for row, word in enumerate(THREE):
        of_one_class = subject.outputs(subject.steady, ROWS, [word] * len(ROWS))
        worst = max(worst, difference([part[row] for part in found], [part[row] for part in of_one_class]))
    if not worst <= TOLERANCE:
        raise FaultError(f"classes of other images in the batch change scores by {worst:.2g}")
    return f"among other classes: largest change {worst:.1g}"


def check_state(subject: Subject) -> str:
    """Check that earlier batches of another class leave no trace in the scores."""
    alone_only(subject)
    detector = subject.make()
    for earlier, word in (([2, 2, 1, 0], "zipper"), ([1], "metal nut")):
        subject.outputs(detector, earlier, [word] * len(earlier))
    worst = difference(subject.outputs(detector), subject.together)
    if not worst <= TOLERANCE:
        raise FaultError(f"batches that were scored before change scores by {worst:.2g}")
    return f"after other batches: largest change {worst:.1g}"

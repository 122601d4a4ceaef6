"""Which jobs take one encoding of a target, and how many of them at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from zsadbench.clip.union import unite
from zsadbench.engine.plan.cell import checkpoint_path
from zsadbench.engine.plan.method_setup import activation_of, taps_of

if TYPE_CHECKING:
    from zsadbench.engine.plan.jobs import Job
    from zsadbench.engine.plan.method_setup import MethodSetup
    from zsadbench.types import Taps

T = TypeVar("T")

HELD = 2 << 30  # bytes that the pixels of a class may take in the metrics of all heads together
STREAMED = 256 << 20  # bytes of the histograms of a class whose pixels are counted and let go


def sharings(jobs: Sequence[Job]) -> list[list[Job]]:
    """The jobs in groups of one encoding each, in the order of their first; each job joins the first that it can."""
    groups: list[list[Job]] = []
    for job in jobs:
        fitting = (group for group in groups if _fits(group, job))
        if (group := next(fitting, None)) is None:
            groups.append([job])
        else:
            group.append(job)
    return groups


def common_taps(settings: Sequence[MethodSetup]) -> Taps | None:
    """What one run of the tower must keep to serve all of them; None where one run cannot."""
    return unite([taps_of(setup) for setup in settings], settings[0].spec.config.vision.layers)


def tower_key(setup: MethodSetup) -> tuple[Any, ...]:
    """What decides the towers: methods for which it is the same are served by the same ones."""
    taps = taps_of(setup)
    return (setup.spec, setup.image_size, activation_of(setup.spec, taps), taps.position, setup.precision)


def _encoding_key(job: Job) -> tuple[Any, ...]:
    """What decides the tokens of the target, taps apart; in which order images are prepared is the protocol's."""
    setup = job.setup
    pixels = (job.target.card.name, job.target.fingerprint, setup.limit, setup.protocol)
    return (*tower_key(setup), *pixels)


def _fits(group: Sequence[Job], job: Job) -> bool:
    same = _encoding_key(group[0]) == _encoding_key(job)
    return same and common_taps([one.setup for one in (*group, job)]) is not None


def companions(job: Job, jobs: Sequence[Job]) -> list[Taps]:
    """Taps of the other jobs that have yet to learn from the tokens of the same images."""
    key = learning_key(job)
    others = [one for one in jobs if one is not job and one.todo and one.aux is not None and learning_key(one) == key]
    pending = [one for one in others if one.aux and not checkpoint_path(one.setup, one.aux, one.seed).is_file()]
    return list(dict.fromkeys(taps_of(one.setup) for one in pending))


def learning_key(job: Job) -> tuple[Any, ...]:
    """What decides the tokens of the auxiliary set, taps apart."""
    setup = job.setup
    aux = job.aux.fingerprint if job.aux else ""
    return (*tower_key(setup), taps_of(setup).preprocessing, aux, setup.method.card.augments)


def portions(heads: Sequence[T], pixels: int) -> Iterator[Sequence[T]]:
    """The heads in parts whose metrics stay within `HELD` bytes together on a class of so many evaluated pixels."""
    each = max(1, min(4 * pixels, STREAMED) if 4 * pixels > HELD else 4 * pixels)
    together = max(1, HELD // each)
    for start in range(0, len(heads), together):
        yield heads[start : start + together]

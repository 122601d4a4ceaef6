"""Decide which jobs share one encoding of a target, and how many heads at a time fit into memory."""

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

EXACT_BYTES = 2 << 30  # memory for the pixels of one class in the metrics of all heads together
STREAM_BYTES = 256 << 20  # memory of the histograms of one class and head when pixels are streamed


def group_jobs(jobs: Sequence[Job]) -> list[list[Job]]:
    """Group jobs that can share one image encoding; each job joins the first group that it fits into."""
    groups: list[list[Job]] = []
    for job in jobs:
        fitting = (group for group in groups if _fits(group, job))
        if (group := next(fitting, None)) is None:
            groups.append([job])
        else:
            group.append(job)
    return groups


def common_taps(setups: Sequence[MethodSetup]) -> Taps | None:
    """Return the union of the taps of these methods, or None where one run of the image encoder cannot give it."""
    return unite([taps_of(setup) for setup in setups], setups[0].spec.config.vision.layers)


def union_of_taps(jobs: Sequence[Job]) -> Taps:
    """Return the union of the taps of jobs in one group; `group_jobs` made sure that it exists."""
    taps = common_taps([job.setup for job in jobs])
    assert taps is not None  # noqa: S101 - see the docstring
    return taps


def tower_key(setup: MethodSetup) -> tuple[Any, ...]:
    """Return everything that determines both encoders; methods with the same key share them."""
    taps = taps_of(setup)
    return (setup.spec, setup.image_size, activation_of(setup.spec, taps), taps.position, setup.precision)


def _fits(group: Sequence[Job], job: Job) -> bool:
    """Return whether one run of the image encoder can give the tokens of the group and of the job."""
    same = _encoding_key(group[0]) == _encoding_key(job)
    return same and common_taps([member.setup for member in (*group, job)]) is not None


def _encoding_key(job: Job) -> tuple[Any, ...]:
    """Return everything but the taps that determines the tokens of the target; the protocol decides preprocessing."""
    setup = job.setup
    return (*tower_key(setup), job.target.card.name, job.target.fingerprint, setup.limit, setup.protocol)


def co_trained_taps(job: Job, jobs: Sequence[Job]) -> list[Taps]:
    """Return the taps of the other jobs that will train on the same tokens, so that these are encoded once for all."""
    key = learning_key(job)
    taps: list[Taps] = []
    for other in jobs:
        if other is job or not other.todo or other.aux is None or learning_key(other) != key:
            continue
        if not checkpoint_path(other.setup, other.aux, other.seed).is_file():
            taps.append(taps_of(other.setup))
    return list(dict.fromkeys(taps))


def learning_key(job: Job) -> tuple[Any, ...]:
    """Return everything but the taps that determines the tokens of the auxiliary set; its own for an own encoding."""
    setup = job.setup
    aux = job.aux.fingerprint if job.aux else ""
    own = setup.name if taps_of(setup).own_encoding else ""
    return (*tower_key(setup), taps_of(setup).preprocessing, aux, setup.method.card.augments, own)


def memory_chunks(heads: Sequence[T], pixels: int) -> Iterator[Sequence[T]]:
    """Split heads into chunks whose metrics need at most `EXACT_BYTES` together, on a class of `pixels` pixels."""
    exact = 4 * pixels  # float32 scores
    per_head = max(1, min(exact, STREAM_BYTES) if exact > EXACT_BYTES else exact)
    together = max(1, EXACT_BYTES // per_head)
    for start in range(0, len(heads), together):
        yield heads[start : start + together]

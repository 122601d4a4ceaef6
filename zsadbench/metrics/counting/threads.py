"""Work in threads: kernels let go of the interpreter's lock, so threads run side by side."""

import os
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

MOST = 8  # beyond it, memory is the limit


def threads_of(asked: int | None) -> int:
    """The threads asked for, or as many as this process may use processors, at most eight."""
    if asked is not None and asked < 1:
        raise ValueError(f"threads must be at least 1, not {asked}")
    if asked is not None:
        return asked
    return min(MOST, processors())


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def ranges(items: Sequence[T], parts: int) -> list[Sequence[T]]:
    """Items in order, divided into at most `parts` neighbourhoods of about one length; none is empty."""
    length = -(-len(items) // parts) if items else 1
    return [items[start : start + length] for start in range(0, len(items), length)]


def side_by_side(work: Callable[[T], R], jobs: Sequence[T]) -> list[R]:
    """The results of all jobs in order, a thread a job; the first job that fails, in order, raises."""
    if len(jobs) < 2:
        return [work(job) for job in jobs]
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(len(jobs)) as pool:
        return list(pool.map(work, jobs))

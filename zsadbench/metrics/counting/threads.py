"""Run work in threads; the compiled kernels release the interpreter's lock, so threads run in parallel."""

import os
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

MOST = 8  # with more threads, memory bandwidth is the limit


def threads_of(requested: int | None) -> int:
    """Return the number of threads: the requested one, by default one per available processor, at most eight.

    Raises:
        ValueError: fewer than one thread is requested.
    """
    if requested is None:
        return min(MOST, processors())
    if requested < 1:
        raise ValueError(f"threads must be at least 1, not {requested}")
    return requested


def processors() -> int:
    """Return the number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def chunks(items: Sequence[T], number: int) -> list[Sequence[T]]:
    """Divide items into at most `number` consecutive chunks of about equal length, none of them empty."""
    length = -(-len(items) // number) if items else 1
    return [items[start : start + length] for start in range(0, len(items), length)]


def run_in_threads(work: Callable[[T], R], jobs: Sequence[T]) -> list[R]:
    """Run every job in a thread of its own and return the results in order; the first failing job raises."""
    if len(jobs) < 2:
        return [work(job) for job in jobs]
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(len(jobs)) as pool:
        return list(pool.map(work, jobs))

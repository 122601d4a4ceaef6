"""Limit PyTorch's threads to the physical cores that this process may use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")


def thread_limit(default: int) -> int:
    """Return how many threads PyTorch should use, at most `default`.

    One per physical core, as two threads on one core share its arithmetic units. joblib counts only the cores in the
    affinity of the process and in the CPU quota of its container. Where one of `THREAD_VARIABLES` is set in the
    environment, the result is `default`.
    """
    if any(os.environ.get(name) for name in THREAD_VARIABLES):
        return default
    from joblib import cpu_count

    return max(1, min(default, int(cpu_count(only_physical_cores=True))))


@contextmanager
def limited_threads() -> Iterator[None]:
    """Limit PyTorch to `thread_limit` threads within the block, and restore the earlier number afterwards."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(thread_limit(before))
    try:
        yield
    finally:
        torch.set_num_threads(before)

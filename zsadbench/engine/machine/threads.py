"""As many threads as there are cores for this process: not those of the whole machine, of which it may have a share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

SET_BY_HAND = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")


def sane_threads(now: int) -> int:
    """How many of the `now` threads that PyTorch would take are worth having.

    One a physical core that this process may use: its affinity and the quota of its container count (joblib knows
    both), and two threads on one core share its arithmetic. What the environment sets stays.
    """
    if any(os.environ.get(name) for name in SET_BY_HAND):
        return now
    from joblib import cpu_count

    return max(1, min(now, int(cpu_count(only_physical_cores=True))))


@contextmanager
def with_sane_threads() -> Iterator[None]:
    """Within the block PyTorch computes with that many; afterwards with as many as before."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(sane_threads(before))
    try:
        yield
    finally:
        torch.set_num_threads(before)

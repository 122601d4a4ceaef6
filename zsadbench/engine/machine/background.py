"""Run calls in a background thread, so that metrics are updated while the GPU works."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

AHEAD = 2  # scored batches per head that may wait for the background thread


class BackgroundWorker:
    """Runs calls one after the other, in order; a `with` block ends when all of them are done.

    With `ahead` 0 each call runs at once in the caller's thread; results are the same. Otherwise a background thread
    runs them, and `put` waits while more than `ahead` calls are pending. What a call raises is raised by a later `put`
    or at the end of the block; later calls that have not started are dropped.
    """

    def __init__(self, ahead: int) -> None:
        self._ahead = ahead
        self._pending: deque[Future[None]] = deque()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="zsadbench-count") if ahead else None

    def put(self, call: Callable[[], None]) -> None:
        """Run a call, now or in the background thread."""
        if self._pool is None:
            call()
            return
        self._pending.append(self._pool.submit(call))
        while len(self._pending) > self._ahead:
            self._pending.popleft().result()

    def __enter__(self) -> BackgroundWorker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is None:
            return
        try:
            while self._pending and failure is None:
                self._pending.popleft().result()
        finally:
            self._pool.shutdown(wait=True, cancel_futures=True)

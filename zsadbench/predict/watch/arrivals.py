"""Which files of a folder are new or have changed: by events of the file system, and by listing it now and then.

Events may be lost, and some file systems, such as network drives, send none; so the folder is listed again every
`LISTING` seconds, which finds the rest.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from zsadbench.data import is_listed, listed_images

if TYPE_CHECKING:
    from watchdog.events import FileSystemEvent

log = logging.getLogger(__name__)

LISTING = 10.0  # seconds between two listings


class Arrivals:
    """Paths of images in a folder, new or known, without those below `skipped`.

    Args:
        folder: the folder, with the folders in it.
        skipped: a folder of results, which may lie in it.
        clock: seconds that never go back.
    """

    def __init__(self, folder: Path, skipped: Path, clock: Callable[[], float]) -> None:
        self.folder, self.skipped, self.clock = folder, Path(os.path.realpath(skipped)), clock
        self._events: SimpleQueue[str] = SimpleQueue()
        self._listed: float | None = None

    def images(self) -> list[Path]:
        """Return the images that events named since the last call; all of the folder where it is time to list it."""
        now = self.clock()
        names = self._named()
        if self._listed is None or now - self._listed >= LISTING or "" in names:
            self._listed = now
            return [self.folder / name for name in listed_images(self.folder) if not self._is_result(name)]
        return [self.folder / name for name in names if not self._is_result(name)]

    def _named(self) -> set[str]:
        """Empty the queue of events: paths relative to the folder, "" for a change that needs a listing."""
        names: set[str] = set()
        while True:
            try:
                names.add(self._events.get_nowait())
            except Empty:
                return names

    def _is_result(self, name: str) -> bool:
        return Path(os.path.realpath(self.folder / name)).is_relative_to(self.skipped)

    def note(self, event: FileSystemEvent) -> None:
        """Take an event of watchdog: the file that was made, changed or moved here."""
        if event.event_type not in {"created", "modified", "moved", "closed"}:
            return
        if event.is_directory:
            if event.event_type in {"created", "moved"}:
                self._events.put("")  # its files may have come before it was watched
            return
        path = os.fsdecode(event.dest_path or event.src_path)
        name = os.path.relpath(path, self.folder)
        if is_listed(name):
            self._events.put(name)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Receive events within the block; without them, where the system has no more watches, listing remains."""
        from watchdog.events import FileSystemEventHandler
        from watchdog.observers import Observer

        handler = FileSystemEventHandler()
        handler.on_any_event = self.note  # type: ignore[method-assign]
        warnings.filterwarnings("ignore", "Callback with id", RuntimeWarning)  # of a folder that watchdog meets twice
        observer = Observer()
        try:
            observer.schedule(handler, str(self.folder), recursive=True)
            observer.start()
        except OSError as failure:
            log.warning("'%s' sends no events (%s); it is listed every %g s", self.folder, failure.strerror, LISTING)
            yield
            return
        try:
            yield
        finally:
            observer.stop()
            observer.join()

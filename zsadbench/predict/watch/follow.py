"""The loop of a watch: wait for finished files, score and draw them, note them, write the table and the page."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import TYPE_CHECKING

from zsadbench.data import UserImage
from zsadbench.errors import UsageError
from zsadbench.predict.heat_maps import Drawer, choose_scale, failure_of
from zsadbench.predict.scoring import Failed, ImageScorer, Scored
from zsadbench.predict.watch.arrivals import Arrivals
from zsadbench.predict.watch.finished import Finished, Waiting, stamp_of
from zsadbench.predict.watch.journal import Journal

if TYPE_CHECKING:
    from zsadbench.display.colour_range import ColourRange
    from zsadbench.predict.limits import Limits
    from zsadbench.predict.prediction import Prediction

log = logging.getLogger(__name__)

PAUSE = 0.2  # seconds between two looks
TOGETHER = 64  # images that are scored before the next look
WRITING = 20  # times as long as writing table and page took must pass until they are written again
LOCK = ".watch.lock"


@dataclass(frozen=True)
class Watch:
    """What to watch and how.

    Attributes:
        folder: the folder.
        out: for results; may lie in the folder.
        word: in prompts.
        settle: seconds without a change after which a file is finished.
        idle: seconds without a new image after which the watch ends; None to watch until interrupted.
    """

    folder: Path
    out: Path
    word: str
    settle: float = 1.0
    idle: float | None = None


def follow(
    watch: Watch,
    scorer: ImageScorer,
    journal: Journal,
    *,
    limits: Limits,
    scale: ColourRange | None,
    write: Callable[[Sequence[Prediction]], None],
) -> Iterator[Prediction]:
    """Yield each image once it is finished, scored, drawn and noted in the journal; known ones are passed over.

    `write` gets all predictions, those of earlier starts too: at the beginning, after new images, and at the end.
    """
    waiting = Waiting(watch.settle, monotonic)
    arrivals = Arrivals(watch.folder, watch.out, monotonic)
    writer, score = _Writer(write, journal), _Follower(watch, scorer, journal, limits, scale)
    writer.now()
    last = monotonic()
    try:
        with arrivals.watched():
            while True:
                waiting.add(path for path in arrivals.images() if _is_new(path, watch, journal))
                ready = waiting.finished()
                for group in _groups(sorted(ready), TOGETHER):
                    yield from score({path: ready[path] for path in group}, waiting)
                    writer.soon()
                if ready or waiting.since:
                    last = monotonic()
                elif watch.idle is not None and monotonic() - last >= watch.idle:
                    return
                if not ready:
                    writer.soon()
                    sleep(PAUSE)
    finally:
        writer.now()


class _Writer:
    """Writes table and page, not more often than pays."""

    def __init__(self, write: Callable[[Sequence[Prediction]], None], journal: Journal) -> None:
        self.write, self.journal = write, journal
        self.written: int | None = None
        self.next = 0.0

    def soon(self) -> None:
        """Write where something is new and enough time has passed."""
        if monotonic() >= self.next:
            self.now()

    def now(self) -> None:
        """Write where something is new."""
        if self.written == self.journal.additions:
            return
        start = monotonic()
        self.written = self.journal.additions
        self.write(list(self.journal.predictions.values()))
        self.next = monotonic() + max(1.0, WRITING * (monotonic() - start))


class _Follower:
    """Scores, draws and notes files that are finished."""

    def __init__(
        self, watch: Watch, scorer: ImageScorer, journal: Journal, limits: Limits, scale: ColourRange | None
    ) -> None:
        self.watch, self.scorer, self.journal, self.limits, self.scale = watch, scorer, journal, limits, scale
        self.places = journal.places()  # names of pictures by the relative path of the image
        self.drawer: Drawer | None = None

    def __call__(self, ready: Mapping[Path, Finished], waiting: Waiting) -> Iterator[Prediction]:
        """Yield the images that are noted; one that changed meanwhile or cannot be read yet waits again."""
        images = [self._image(path) for path in ready]
        for result in self.scorer(images):
            path, finished = result.image.path, ready[result.image.path]
            if stamp_of(path) != finished.stamp:
                waiting.add([path])
            elif isinstance(result, Failed) and not finished.patient:
                waiting.doubt(path, finished.stamp)
            else:
                prediction = failure_of(result) if isinstance(result, Failed) else self._draw(result, images)
                self.journal.add([(prediction, finished.stamp)])
                yield prediction

    def _image(self, path: Path) -> UserImage:
        return UserImage(path, self.watch.word, path.relative_to(self.watch.folder).as_posix())

    def _draw(self, scored: Scored, images: Sequence[UserImage]) -> Prediction:
        """Draw one image under its earlier name, or a new one; the first image of all decides the colours."""
        if self.journal.scale is None:
            self.journal.set_scale(self.scale or choose_scale(self.scorer, images)[0])
        assert self.journal.scale is not None  # noqa: S101 - set above
        if self.drawer is None:
            taken = (place.casefold() for place in self.places.values())
            self.drawer = Drawer(self.watch.out, self.journal.scale, self.limits, taken)
        relative = scored.image.relative
        if relative not in self.places:
            self.places[relative] = self.drawer.place(scored.image)
        return self.drawer.draw(scored, self.places[relative])


def _is_new(path: Path, watch: Watch, journal: Journal) -> bool:
    """Whether a file is not in the journal as it is now."""
    known = journal.stamps.get(path.relative_to(watch.folder).as_posix())
    return known is None or known != stamp_of(path)


def _groups(paths: Sequence[Path], size: int) -> Iterator[Sequence[Path]]:
    for start in range(0, len(paths), size):
        yield paths[start : start + size]


@contextmanager
def only_watcher(out: Path) -> Iterator[None]:
    """Hold a folder of results for one watch.

    Raises:
        UsageError: another process watches into it.
    """
    from filelock import FileLock, Timeout

    out.mkdir(parents=True, exist_ok=True)
    lock = FileLock(out / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout as failure:
        raise UsageError(f"another process watches into '{out}'; end it, or choose another --out") from failure
    try:
        yield
    finally:
        lock.release()

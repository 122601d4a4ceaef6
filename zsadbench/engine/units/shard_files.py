"""The files of shards: the measurement of some images of a class by one job, until its class is in the record.

They lie in `<record>.shards/` beside the record, one uncompressed .npz each, with `about`, what it is, as JSON. The
checksum is the one that a zip archive has of each of its entries. A file that is damaged, or about something else,
counts as absent: the images are scored again.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from zsadbench.engine.plan.jobs import metrics_of
from zsadbench.engine.record.facts import Facts
from zsadbench.files import DAMAGED, remove_leftovers, replacing, write_atomically
from zsadbench.records import identity, safe_name

if TYPE_CHECKING:
    from pathlib import Path

    from zsadbench.engine.plan.jobs import Job, Plan
    from zsadbench.engine.plan.shards import Span

log = logging.getLogger(__name__)

FORMAT = 1  # of the files
LETTERS = 40  # of a class in the name of a file
ABOUT, FACTS = "about", "facts"


class ShardFiles:
    """The files of the shards of one job on a class of `count` rows, scored in batches of `batch_size`."""

    def __init__(self, plan: Plan, job: Job, class_name: str, count: int, batch_size: int) -> None:
        self.folder = job.path.with_suffix(".shards")
        digest = hashlib.sha256(class_name.encode(errors="surrogatepass")).hexdigest()[:8]
        self._prefix = f"{safe_name(class_name)[:LETTERS]}.{digest}"
        self._about = {  # what shards that are merged have in common
            "format": FORMAT,
            "identity": identity(job.cell),
            "class": class_name,
            "count": count,
            "batch_size": batch_size,
            "metrics": [str(name) for name in metrics_of(plan.metrics, job.target.card)],
            "maps": plan.request.save_maps,
            "versions": {name: version(name) for name in ("zsadbench", "torch", "numpy")},
        }

    def path(self, span: Span) -> Path:
        """Return the path of the file of a shard."""
        return self.folder / f"{self._prefix}.{span[0]}-{span[1]}.npz"

    def there(self) -> list[Span]:
        """Return the shards that earlier runs have left; whether their content is sound is found by `read`."""
        found = []
        for path in sorted(self.folder.glob("*.npz")):
            name, _, span = path.stem.rpartition(".")
            with suppress(ValueError):
                start, stop = map(int, span.split("-"))
                if name == self._prefix and self._facts(path, (start, stop)) is not None:
                    found.append((start, stop))
        return found

    def write(self, span: Span, facts: Facts, state: Mapping[str, NDArray[Any]]) -> None:
        """Write a shard.

        Raises:
            OSError: the file cannot be written.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with replacing(self.path(span)) as stream:
            self._write(stream, span, facts, state)

    def content(self, span: Span, facts: Facts, state: Mapping[str, NDArray[Any]]) -> bytes:
        """Return the bytes of the file of a shard, for `keep`."""
        stream = io.BytesIO()
        self._write(stream, span, facts, state)
        return stream.getvalue()

    def keep(self, span: Span, content: bytes) -> None:
        """Write a shard whose bytes another process has made.

        Raises:
            OSError: the file cannot be written.
        """
        write_atomically(self.path(span), content)

    def read(self, span: Span) -> tuple[Facts, dict[str, NDArray[Any]]] | None:
        """Return facts and state of a shard; None where there is no sound file of it."""
        path = self.path(span)
        facts = self._facts(path, span)
        if facts is None:
            return None
        try:
            with path.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
                return facts, {name: arrays[name] for name in arrays.files if name not in (ABOUT, FACTS)}
        except DAMAGED as failure:
            log.warning("'%s' is damaged and its images are scored again: %s", path, failure)
            return None

    def remove(self) -> None:
        """Remove the shards of the class, and the folder if it is empty then."""
        for path in self.folder.glob("*.npz"):
            if path.stem.rpartition(".")[0] == self._prefix:
                path.unlink(missing_ok=True)
        remove_leftovers(self.folder)
        with suppress(OSError):  # it holds shards of other classes
            self.folder.rmdir()

    def _facts(self, path: Path, span: Span) -> Facts | None:
        """Return the facts of the file of a shard, None where it is none of this class and these settings."""
        try:
            with path.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
                about, facts = (json.loads(arrays[name].tobytes()) for name in (ABOUT, FACTS))
            if about == {**self._about, "span": list(span)}:
                return Facts(**facts)
            log.info("'%s' is of other settings and is not used", path)
        except FileNotFoundError:
            pass
        except DAMAGED as failure:
            log.warning("'%s' is damaged and its images are scored again: %s", path, failure)
        return None

    def _write(self, stream: BinaryIO, span: Span, facts: Facts, state: Mapping[str, NDArray[Any]]) -> None:
        values = {ABOUT: {**self._about, "span": list(span)}, FACTS: asdict(facts)}
        texts = {name: np.frombuffer(json.dumps(value).encode(), np.uint8) for name, value in values.items()}
        np.savez(stream, **texts, **state)  # type: ignore[arg-type]


def remove_all(job: Job) -> None:
    """Remove all shards of a record, those of other settings too."""
    shutil.rmtree(job.path.with_suffix(".shards"), ignore_errors=True)

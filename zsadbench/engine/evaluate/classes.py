"""Evaluate one class: encode a batch → score it → make its anomaly maps → count them. The one batch loop.

LoadedBatch       zsadbench.data.loading      images, masks and labels as read from disk
EncodedBatch      engine.encode.batches       the same with the tokens of the image encoder, once for all heads
ScoredBatch       engine.evaluate.scoring     image scores and anomaly maps of one head, being copied to the host
ClassMeasurement  engine.evaluate.measure     metric accumulators of one head
ClassResult       engine.evaluate.measure     what goes into the record
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from zsadbench.clip.union import pick
from zsadbench.engine.encode.batches import ClassImages, EncodedBatch
from zsadbench.engine.evaluate.maps import AnomalyMap, save_maps
from zsadbench.engine.evaluate.scoring import ScoredBatch, Scorer
from zsadbench.engine.evaluate.whole_class import ClassGathering
from zsadbench.engine.machine.background import AHEAD, BackgroundWorker
from zsadbench.errors import CellError, DataError

if TYPE_CHECKING:
    from zsadbench.engine.encode.masks import Mask
    from zsadbench.types import Taps, Transductive

RECOVERABLE = (CellError, DataError, OSError, MemoryError, RuntimeError)  # PyTorch raises RuntimeError out of memory


class CanFail(Protocol):
    """Something that keeps its own failure: a head or a job."""

    failure: Exception | None


@contextmanager
def keep_failure(*owners: CanFail) -> Iterator[None]:
    """Catch a recoverable failure of the block and keep it with its owners; a run catches failures only here."""
    try:
        yield
    except RECOVERABLE as failure:
        for owner in owners:
            owner.failure = owner.failure or failure


class Measurement(Protocol):
    """Counts scored batches: metrics, or thresholds."""

    def update(
        self,
        scores: NDArray[np.floating[Any]],
        positions: NDArray[np.int64],
        maps: Sequence[AnomalyMap] | None,
        masks: Sequence[Mask] | None,
        seconds: float,
        *,
        parts: Mapping[str, NDArray[np.floating[Any]]],
    ) -> None:
        """Count one batch, as `ClassMeasurement.update`."""

    def finish(self, step: Transductive) -> None:
        """Replace the image scores of the class by those of a finishing step, as `ClassMeasurement.finish`."""


M = TypeVar("M", bound=Measurement)


@dataclass
class Head(Generic[M]):
    """One method on the images of one class; its failure ends this head and no other.

    `taps` is what the method reads, `class_word` goes into its prompts. `fit_memory` fits a few-shot method's memory on
    its support images. Anomaly maps are saved below `maps_folder` if it is not None. `step` replaces the image scores
    once all images are counted, or scores all images together, if it is not None.
    """

    scorer: Scorer
    measurement: M
    taps: Taps
    class_word: str
    fit_memory: Callable[[], None] = lambda: None
    maps_folder: Path | None = None
    failure: Exception | None = None
    step: Transductive | None = None

    def __post_init__(self) -> None:
        whole = self.step is not None and self.step.whole_class
        self.gathering = ClassGathering(self.scorer) if whole else None

    def begin(self) -> None:
        """Prepare the method for the class: fit its memory, or have it forget the class before."""
        self.fit_memory()
        if self.gathering is not None:
            self.gathering.begin(self.class_word)

    def take(self, images: ClassImages, batch: EncodedBatch, worker: BackgroundWorker) -> None:
        """Score one batch and have it counted, or gather it for a method that scores the class as a whole.

        Nothing waits for the device but what counts, in the worker.
        """
        sizes = self._map_sizes(images, batch)
        with torch.inference_mode():
            tokens = pick(batch.tokens, images.taps, self.taps)
        if self.gathering is not None:
            self.gathering.take(tokens, batch, sizes)
            return
        scored = self.scorer.score_batch(tokens, self.class_word, batch.loaded.paths, sizes)
        worker.put(partial(self.count, images, batch, scored))

    def _map_sizes(self, images: ClassImages, batch: EncodedBatch) -> list[tuple[int, int]] | None:
        """Return the size of the map of every image of a batch; None where no maps are needed."""
        masks, size = batch.loaded.masks, self.scorer.size
        if masks is None and self.maps_folder is None:
            return None
        if masks is not None and images.setup.protocol.map_size == "native":
            return [(mask.shape[0], mask.shape[1]) for mask in masks]
        return [(size, size)] * len(batch.loaded.paths)

    def count(self, images: ClassImages, batch: EncodedBatch, scored: ScoredBatch) -> None:
        """Wait for the scores and maps of one batch, save the maps, and update the metrics."""
        if self.failure is not None:
            return
        with keep_failure(self):
            scores, parts, maps = scored.image_scores(), scored.image_parts(), scored.anomaly_maps()
            masks, positions = batch.masks(), batch.loaded.rows
            if self.maps_folder is not None and maps is not None:
                save_maps(self.maps_folder, images.rows["relative"].iloc[positions].tolist(), maps)
            seconds = (batch.encoding.seconds + scored.scoring.seconds) / len(scores)
            with self.scorer.watch.stage("metrics"):
                kept = maps if masks is not None else None
                self.measurement.update(scores, positions, kept, masks, seconds, parts=parts)

    def finish(self, images: ClassImages) -> None:
        """Score and count what was gathered, or replace the image scores by those of the finishing step, if any."""
        if self.step is None or self.failure is not None:
            return
        with keep_failure(self):
            if self.gathering is not None:
                for batch, scored in self.gathering.scored(self.class_word):
                    self.count(images, batch, scored)
                return
            with self.scorer.watch.stage("metrics"):
                self.measurement.finish(self.step)


def evaluate_class(
    images: ClassImages,
    heads: Sequence[Head[Any]],
    on_images: Callable[[int], None] = lambda count: None,
    ahead: int | None = None,
) -> None:
    """Evaluate one class with every head: each batch is read and encoded once, and all heads score it.

    A head that fails keeps its failure and the others go on; if a batch cannot be read or encoded, all heads fail. On a
    GPU a background thread counts batches while the next ones are scored; on a CPU each batch is counted before the
    next is encoded. Results are the same.

    Args:
        images: the class.
        heads: the methods, one head each; one that has failed before is left out.
        on_images: called with the number of images of each batch.
        ahead: scored batches per head that may wait for the background thread; 0 for no such thread; None for the
            default of the device.
    """
    if ahead is None:
        ahead = AHEAD if images.backbone.device.type == "cuda" else 0
    for head in heads:
        if head.failure is None:
            with keep_failure(head):
                head.begin()
    if all(head.failure for head in heads):
        return
    with keep_failure(*heads), BackgroundWorker(ahead * len(heads)) as worker:
        for batch in images:
            for head in heads:
                if head.failure is None:
                    with keep_failure(head):
                        head.take(images, batch, worker)
            if all(head.failure for head in heads):
                return
            on_images(len(batch.loaded.paths))
    for head in heads:
        head.finish(images)

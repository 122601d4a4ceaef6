"""Find the thresholds with the largest F1 on the auxiliary set; they are cached in the folder of checkpoints."""

from __future__ import annotations

import hashlib
import json
import logging
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np

from zsadbench.clip import cache_folder
from zsadbench.data import load_dataset
from zsadbench.engine.encode.batches import ClassImages
from zsadbench.engine.encode.encoders import make_encoder
from zsadbench.engine.evaluate.classes import Head, evaluate_class
from zsadbench.engine.evaluate.finishing import finished_scores
from zsadbench.engine.evaluate.scoring import Scorer
from zsadbench.engine.machine.timing import Stopwatch
from zsadbench.engine.plan.cell import training_cell
from zsadbench.engine.plan.checks import aux_for
from zsadbench.engine.plan.jobs import metrics_of
from zsadbench.engine.plan.method_setup import taps_of
from zsadbench.engine.plan.request import NO_AUX
from zsadbench.errors import DataError
from zsadbench.files import DAMAGED, write_atomically
from zsadbench.metrics import PixelMetrics, best_threshold, best_threshold_of, mode_for
from zsadbench.metrics.names import AUX
from zsadbench.records import canonical, safe_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

    from zsadbench.clip import Backbone
    from zsadbench.data import Dataset
    from zsadbench.engine.encode.masks import Mask
    from zsadbench.engine.evaluate.maps import AnomalyMap
    from zsadbench.engine.plan.jobs import Job, Plan
    from zsadbench.engine.plan.method_setup import MethodSetup
    from zsadbench.types import Method, Transductive

log = logging.getLogger(__name__)

VERSION = 1  # of the rule by which thresholds are found
ONE_CLASS = "the auxiliary set does not have both normal and anomalous ones"


@dataclass(frozen=True)
class Thresholds:
    """The thresholds of image scores and of pixels, and the set that they come from; or why there are none.

    `by_class` are those of SegF1, from the normal images with the fingerprint `validation`; `no_normal` says why a
    class has none.
    """

    image: float | None = None
    pixel: float | None = None
    aux: str | None = None
    fingerprint: str | None = None
    reason: str = "no detector was seen, only what it made"
    by_class: dict[str, float] = field(default_factory=dict)
    validation: str | None = None
    no_normal: str = "no detector was seen, only what it made"

    @property
    def found(self) -> bool:
        """Whether there is a threshold."""
        return self.aux is not None or bool(self.by_class)


def find_thresholds(plan: Plan, job: Job, method: Method, backbone: Backbone, batch_size: int) -> Thresholds:
    """Return the thresholds of the detector of a job, from the cache or computed now; none if no metric needs them.

    They come from all images of the auxiliary set. For a detector that is not trained in this run, that is the set of
    `--aux`, else the papers' choice, if there is a copy of it.

    Raises:
        DataError: an image cannot be read.
        CellError: a score or a map is not finite.
    """
    if not any(name.over == AUX for name in metrics_of(plan.metrics, job.target.card)):
        return Thresholds(reason="it was not asked for")
    if job.supports:
        return Thresholds(reason="a few-shot detector has no normal images of the auxiliary classes to remember")
    aux = job.aux or _find_auxiliary(plan, job)
    if isinstance(aux, str):
        return Thresholds(reason=aux)
    path = _cache_file(job, aux)
    thresholds = _from_cache(path)
    if thresholds is None:
        log.info("%s: scoring %s, to find thresholds", job.setup.name, aux.card.name)
        thresholds = _score_auxiliary(plan, job.setup, method, backbone, aux, batch_size=batch_size)
        with suppress(OSError):  # a cache that cannot be written is left out
            write_atomically(path, (json.dumps(asdict(thresholds), allow_nan=False) + "\n").encode())
    return thresholds


def _find_auxiliary(plan: Plan, job: Job) -> Dataset | str:
    """Return the auxiliary set for a detector that is not trained in this run, or the reason why there is none."""
    name = aux_for(job.target.card.name, plan.request.aux)
    if name == NO_AUX:
        return "there is no auxiliary set (--aux none), so no threshold"
    if name == job.target.card.name:
        return "the auxiliary set is the target itself, whose threshold would be no surprise"
    try:
        request = plan.request
        return load_dataset(name, request.data_roots or None, request.allow_partial, normal=request.normal)
    except DataError:
        return f"the auxiliary set '{name}', which gives the threshold, is not at hand"


def _cache_file(job: Job, aux: Dataset) -> Path:
    """Return the path of the cached thresholds; its name is a hash of everything that determines them."""
    setup = job.setup
    cell = training_cell(setup, job.aux, job.seed)
    determines = [VERSION, cell, aux.card.name, aux.fingerprint, setup.protocol.digest]
    key = hashlib.sha256(canonical(determines).encode()).hexdigest()[:16]
    return cache_folder() / "checkpoints" / safe_name(setup.name) / f"{key}.thresholds.json"


def _from_cache(path: Path) -> Thresholds | None:
    """Return cached thresholds; None if there are none that can be read."""
    try:
        thresholds = Thresholds(**json.loads(path.read_text()))
        if not all(value is None or isfinite(value) for value in (thresholds.image, thresholds.pixel)):
            raise ValueError("a threshold is not finite")
    except FileNotFoundError:
        return None
    except DAMAGED as failure:
        log.info("'%s' is damaged and is written again: %s", path, failure)
        return None
    return thresholds


class ThresholdMeasurement:
    """Image scores, labels and pixels of all classes of the auxiliary set, which share one threshold per level."""

    def __init__(self, pixels: int) -> None:
        self.pixels = PixelMetrics(mode=mode_for(pixels))
        self.scores: list[float] = []
        self.labels: list[int] = []
        self.parts: dict[str, list[float]] = {}  # of the class that is scored, for a finishing step
        self.rows: pd.DataFrame | None = None

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
        """Add one batch of the class whose manifest is in `rows`."""
        assert self.rows is not None  # noqa: S101 - set for each class
        for name, values in parts.items():
            self.parts.setdefault(name, []).extend(values.tolist())
        self.scores += scores.tolist()
        self.labels += self.rows["label"].iloc[positions].tolist()
        if maps is not None and masks is not None:
            self.pixels.update(list(maps), list(masks))

    def finish(self, step: Transductive) -> None:
        """Replace the image scores of this class by those of a finishing step."""
        scores = finished_scores(step, {name: np.array(self.parts.pop(name)) for name in step.parts})
        self.scores[len(self.scores) - len(scores) :] = scores.tolist()


def _score_auxiliary(
    plan: Plan, setup: MethodSetup, method: Method, backbone: Backbone, aux: Dataset, *, batch_size: int
) -> Thresholds:
    """Score every image of the auxiliary set and take the thresholds with the largest F1."""
    request, taps, masked = plan.request, taps_of(setup), aux.card.pixel_level
    measurement = ThresholdMeasurement(len(aux.manifest) * setup.map_side**2)
    encode, words = make_encoder(setup, backbone, method), aux.card.words(setup.name)
    step = setup.step_taken(few_shot=False)
    for name in aux.classes:
        measurement.rows = rows = aux.manifest[aux.manifest["class"] == name].reset_index(drop=True)
        images = ClassImages(
            setup=setup,
            taps=taps,
            encode=encode,
            class_word=words[name],
            backbone=backbone,
            target=aux,
            rows=rows,
            batch_size=batch_size,
            workers=request.workers,
            image_cache=request.image_cache,
            watch=Stopwatch(backbone.device),
        )
        scorer = Scorer.of(setup, method, backbone.device, aux.card.name)
        head = Head(scorer, measurement, taps, words[name], step=step)
        evaluate_class(images, [head])
        if head.failure is not None:
            raise head.failure
    image = best_threshold(measurement.scores, measurement.labels)
    pixel = best_threshold_of(measurement.pixels.groups()) if masked else None
    reason = ONE_CLASS if masked else "the auxiliary set has no masks"
    return Thresholds(image, pixel, aux.card.name, aux.fingerprint, reason)

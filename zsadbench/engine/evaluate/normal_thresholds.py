"""Find the thresholds of SegF1, one per class, on the normal validation images of the target; they are cached."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from math import isfinite
from typing import TYPE_CHECKING, Any

from zsadbench.clip import cache_folder
from zsadbench.data import limited, load_dataset
from zsadbench.engine.encode.batches import ClassImages
from zsadbench.engine.encode.encoders import make_encoder
from zsadbench.engine.encode.supports import SupportTokens, fit_memory
from zsadbench.engine.evaluate.classes import Head, evaluate_class
from zsadbench.engine.evaluate.scoring import Scorer
from zsadbench.engine.machine.timing import Stopwatch
from zsadbench.engine.plan.jobs import metrics_of
from zsadbench.engine.plan.method_setup import taps_of
from zsadbench.errors import CellError, DataError
from zsadbench.files import DAMAGED, write_atomically
from zsadbench.metrics import NormalPixels
from zsadbench.metrics.names import SEGF1
from zsadbench.records import canonical, safe_name

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from zsadbench.clip import Backbone
    from zsadbench.data import Dataset
    from zsadbench.engine.encode.masks import Mask
    from zsadbench.engine.evaluate.maps import AnomalyMap
    from zsadbench.engine.evaluate.thresholds import Thresholds
    from zsadbench.engine.plan.jobs import Job, Plan
    from zsadbench.types import Method, Transductive

log = logging.getLogger(__name__)

VERSION = 1  # of the rule by which thresholds are found
VALIDATION = "validation"  # the split of normal images that are neither trained on nor tested
NO_VALIDATION = "the data set has no normal validation images, which give the threshold"
LEARNS_PER_CLASS = "no threshold is chosen for a method that is trained on the support images of each class"


def with_normal_thresholds(
    thresholds: Thresholds, plan: Plan, job: Job, method: Method, backbone: Backbone, *, batch_size: int
) -> Thresholds:
    """Add the threshold of SegF1 for every class that is to do, from the cache or found now, if a metric needs it.

    Raises:
        DataError: an image cannot be read.
        CellError: a score or a map is not finite.
    """
    if not any(name.kind == SEGF1 for name in metrics_of(plan.metrics, job.target.card)):
        return thresholds
    if job.setup.on_supports and job.supports:
        return replace(thresholds, no_normal=LEARNS_PER_CLASS)
    try:
        validation = load_validation(job.target, plan)
    except DataError as failure:
        log.warning("%s: no SegF1: %s", job.target.card.name, failure)
        return replace(thresholds, no_normal=NO_VALIDATION)
    if validation is None:
        return replace(thresholds, no_normal=NO_VALIDATION)
    path = _cache_file(job, validation)
    known = _from_cache(path)
    lacking = [name for name in job.todo if name not in known and name in validation.classes]
    for name in lacking:
        log.info("%s: scoring the normal validation images of %s, for a threshold", job.setup.name, name)
        known[name] = _threshold_of(plan, job, method, backbone, validation, name=name, batch_size=batch_size)
    if lacking:
        with suppress(OSError):  # a cache that cannot be written is left out
            write_atomically(path, (json.dumps(known, allow_nan=False) + "\n").encode())
    by_class = {name: known[name] for name in job.todo if name in known}
    return replace(thresholds, by_class=by_class, validation=validation.fingerprint, no_normal=NO_VALIDATION)


def load_validation(target: Dataset, plan: Plan) -> Dataset | None:
    """Load the validation part of a target, as a data set; None if its card knows none.

    Raises:
        DataError: the part is missing or incomplete.
    """
    if VALIDATION not in target.card.expected:
        return None
    request = plan.request
    roots = request.data_roots or None
    return load_dataset(target.card.name, roots, request.allow_partial, (VALIDATION,), request.normal)


class NormalMeasurement:
    """Takes the pixel scores of normal images."""

    def __init__(self) -> None:
        self.pixels = NormalPixels()

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
        """Add the maps of one batch."""
        if maps is not None:
            self.pixels.update(maps)

    def finish(self, step: Transductive) -> None:
        """Do nothing: a finishing step changes no map."""


def _threshold_of(
    plan: Plan, job: Job, method: Method, backbone: Backbone, validation: Dataset, *, name: str, batch_size: int
) -> float:
    """Score the normal validation images of one class, and take the threshold.

    Raises:
        CellError, DataError: what the head fails of; or no image is normal.
    """
    setup, request, taps = job.setup, plan.request, taps_of(job.setup)
    word, few_shot = validation.card.words(setup.name)[name], job.supports is not None
    encode = make_encoder(setup, backbone, method, taps)
    rows = limited(validation.manifest[validation.manifest["label"] == 0], name, setup.limit)
    images = ClassImages(
        setup=setup,
        taps=taps,
        encode=encode,
        class_word=word,
        backbone=backbone,
        target=validation,
        rows=rows,
        batch_size=batch_size,
        workers=request.workers,
        image_cache=request.image_cache,
        watch=Stopwatch(backbone.device),
    )
    measurement = NormalMeasurement()
    scorer = Scorer.of(setup, method, backbone.device, validation.card.name, few_shot=few_shot)
    head = Head(scorer, measurement, taps, word)
    if chosen := job.supports:
        supports = SupportTokens(setup, taps, encode, word, backbone, request.workers)
        head.fit_memory = lambda: fit_memory(method, supports, setup, chosen.rows[name], chosen.files)
    evaluate_class(images, [head])
    if head.failure is not None:
        raise head.failure
    threshold = measurement.pixels.threshold()
    if threshold is None:
        raise CellError(f"{name} has no normal validation image")
    return threshold


def _cache_file(job: Job, validation: Dataset) -> Path:
    """Return the path of the cached thresholds; its name is a hash of everything that determines them."""
    determines = [VERSION, job.cell, validation.fingerprint]
    key = hashlib.sha256(canonical(determines).encode()).hexdigest()[:16]
    return cache_folder() / "checkpoints" / safe_name(job.setup.name) / f"{key}.normal-thresholds.json"


def _from_cache(path: Path) -> dict[str, float]:
    """Return cached thresholds by class; none if they cannot be read."""
    try:
        content = json.loads(path.read_text())
        found = {str(name): float(value) for name, value in dict(content).items()}
        if not all(map(isfinite, found.values())):
            raise ValueError("a threshold is not finite")
    except FileNotFoundError:
        return {}
    except DAMAGED as failure:
        log.info("'%s' is damaged and is written again: %s", path, failure)
        return {}
    return found

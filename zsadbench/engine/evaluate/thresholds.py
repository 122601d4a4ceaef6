"""The thresholds at which a detector does best on its auxiliary set: found once, and kept beside its checkpoint."""

from __future__ import annotations

import hashlib
import json
import logging
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from zsadbench.clip import cache_folder
from zsadbench.data import load_dataset
from zsadbench.engine.encode.batches import Encoding
from zsadbench.engine.encode.supports import SupportTokens
from zsadbench.engine.evaluate.scoring import Scorer
from zsadbench.engine.machine.timing import Stopwatch
from zsadbench.engine.plan.cell import training_cell
from zsadbench.engine.plan.checks import aux_for
from zsadbench.engine.plan.method_setup import taps_of
from zsadbench.engine.plan.request import NO_AUX
from zsadbench.errors import DataError
from zsadbench.files import write_atomically
from zsadbench.metrics import PixelMetrics, best_threshold, best_threshold_of, mode_for
from zsadbench.metrics.names import AUX
from zsadbench.records import canonical, safe_name

if TYPE_CHECKING:
    from pathlib import Path

    from zsadbench.clip import Backbone
    from zsadbench.data import Dataset
    from zsadbench.engine.plan.jobs import Job, Plan
    from zsadbench.engine.plan.method_setup import MethodSetup
    from zsadbench.types import Method

log = logging.getLogger(__name__)

VERSION = 1  # of the rule
ONE_CLASS = "the auxiliary set does not have both normal and anomalous ones"


@dataclass(frozen=True)
class Thresholds:
    """The thresholds of image scores and of pixels, and the set that they come from; or why there are none."""

    image: float | None = None
    pixel: float | None = None
    aux: str | None = None
    fingerprint: str | None = None
    reason: str = "no detector was seen, only what it made"


def find_thresholds(plan: Plan, job: Job, method: Method, backbone: Backbone, batch_size: int) -> Thresholds:
    """The thresholds of the detector of a job, if a metric asks for them: from the cache, or found now and put there.

    Every image of the set that the detector learned from is scored; for one that did not learn here, of the papers'
    choice or the one asked for, if it is at hand.

    Raises:
        DataError: an image cannot be read.
        CellError: a score or a map is not finite.
    """
    if not any(name.over == AUX for name in plan.metrics):
        return Thresholds(reason="it was not asked for")
    if job.supports:
        return Thresholds(reason="a few-shot detector has no normal images of the auxiliary classes to remember")
    aux = job.aux or _at_hand(plan, job)
    if isinstance(aux, str):
        return Thresholds(reason=aux)
    path = _file(job, aux)
    found = _from_cache(path)
    if found is None:
        log.info("%s: scoring %s, to find thresholds", job.setup.name, aux.card.name)
        found = _scored(plan, job.setup, (method, backbone), aux, batch_size)
        with suppress(OSError):  # a cache that cannot be written to is none
            write_atomically(path, (json.dumps(asdict(found), allow_nan=False) + "\n").encode())
    return found


def _at_hand(plan: Plan, job: Job) -> Dataset | str:
    """The auxiliary set of a detector that did not learn from it in this run, or why there is none."""
    name = aux_for(job.target.card.name, plan.request.aux)
    if name == NO_AUX:
        return "there is no auxiliary set (--aux none), so no threshold"
    if name == job.target.card.name:
        return "the auxiliary set is the target itself, whose threshold would be no surprise"
    try:
        return load_dataset(name, plan.request.data_roots or None, plan.request.allow_partial)
    except DataError:
        return f"the auxiliary set '{name}', which gives the threshold, is not at hand"


def _file(job: Job, aux: Dataset) -> Path:
    """Where the thresholds are kept: beside the checkpoint, named after all that decides them."""
    setup = job.setup
    cell = training_cell(setup, job.aux, job.seed)
    decides = [VERSION, cell, aux.card.name, aux.fingerprint, setup.protocol.digest]
    key = hashlib.sha256(canonical(decides).encode()).hexdigest()[:16]
    return cache_folder() / "checkpoints" / safe_name(setup.name) / f"{key}.thresholds.json"


def _from_cache(path: Path) -> Thresholds | None:
    try:
        return Thresholds(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return None


def _scored(
    plan: Plan, setup: MethodSetup, detector: tuple[Method, Backbone], aux: Dataset, batch_size: int
) -> Thresholds:
    """Score every image of the set; all its classes share one threshold."""
    (method, backbone), request = detector, plan.request
    watch = Stopwatch(backbone.device)
    taps, masked = taps_of(setup), aux.card.pixel_level
    supports = SupportTokens(backbone, setup, taps, request.workers)
    pixels = PixelMetrics(mode=mode_for(len(aux.manifest) * setup.image_size**2))
    scores: list[float] = []
    labels: list[int] = []
    for name in aux.classes:
        rows = aux.manifest[aux.manifest["class"] == name].reset_index(drop=True)
        source = (rows, batch_size, request.workers, request.image_cache, watch, supports)
        scorer = Scorer(setup, method, aux, name, taps, watch)
        for encoded in Encoding(setup, taps, backbone, aux, *source):
            scored, masks = scorer.scores(encoded), encoded.masks()
            scores += scored.image().tolist()
            labels += encoded.loaded.labels.tolist()
            if masks is not None:
                pixels.update(scorer.maps(scored, masks).here(), masks)
    cuts = best_threshold(scores, labels), best_threshold_of(pixels.groups()) if masked else None
    return Thresholds(*cuts, aux.card.name, aux.fingerprint, ONE_CLASS if masked else "the auxiliary set has no masks")

"""What `zsadbench score` and `audit` do before they measure: the target, the maps, the record to make.

The order of the checks is that of `run`: what was asked for (2), then the data, maps among them (3).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zsadbench import registry
from zsadbench.clip.config import DEMO, find_config
from zsadbench.data import check_masks, find_card, load_dataset
from zsadbench.engine.plan.cell import cell_of, unknown_training
from zsadbench.engine.plan.checks import check_out, checked_targets
from zsadbench.engine.plan.done import classes_done, record_so_far, selected_classes
from zsadbench.engine.plan.jobs import all_metrics
from zsadbench.engine.plan.request import RunRequest
from zsadbench.errors import UsageError, ZsadError
from zsadbench.records import Record, read_record, record_path
from zsadbench.saved_maps.folder import SCORES, MapFolder, digest_of
from zsadbench.saved_maps.ground_truth import GroundTruth
from zsadbench.saved_maps.missing import check_missing, images_of
from zsadbench.saved_maps.request import ScoreRequest

if TYPE_CHECKING:
    from zsadbench.metrics import MetricName

log = logging.getLogger(__name__)

SIZE = 518  # pixels: what `strict` measures at
MAXIMUM = "maximum of the map"


@dataclass(frozen=True)
class ScorePlan:
    """One record to make from maps. `missing` are the images that are left out, by class; `made_by` is the run's."""

    folder: MapFolder
    found: dict[str, Path]
    truth: GroundTruth
    missing: Mapping[str, Sequence[str]]
    made_by: Record | None
    cell: dict[str, Any]
    path: Path
    record: Record | None
    todo: tuple[str, ...]
    fault: str
    metrics: tuple[MetricName, ...]
    workers: int


def make_score_plan(request: ScoreRequest) -> ScorePlan:
    """Check a request, without measuring anything.

    Raises:
        UsageError: something asked for cannot be right.
        DataError: the target or the folder is missing or wrong; or images have no map, unless partial sets are allowed.
    """
    folder, made_by = MapFolder(request.maps), record_beside(request.maps, request.target)
    asked = as_run(request, made_by)
    metrics = all_metrics(asked.metrics)
    check_out(asked.out)
    truth = load_truth(asked)
    selected = selected_classes(asked, truth.target)
    found = folder.find_all(images_of(truth, truth.target.classes))
    missing = check_missing(folder, found, truth, selected, allow_partial=asked.allow_partial)
    cell = _cell(asked, truth, folder, found, partial=bool(missing))
    path = record_path(asked.out, cell)
    record, fault = record_so_far(asked, path)
    done = set(selected) if fault else classes_done(asked, record, path, frozenset(map(str, metrics)))
    todo = tuple(name for name in selected if name not in done)
    return ScorePlan(folder, found, truth, missing, made_by, cell, path, record, todo, fault, metrics, asked.workers)


def record_beside(maps: Path, target: str) -> Record | None:
    """The record of the run that saved the maps, where it lies beside them and is of this target."""
    path = path_beside(maps)
    if path is None:
        return None
    try:
        record = read_record(path)
    except ZsadError as failure:
        log.warning("the record beside the maps is passed over: %s", failure)
        return None
    return record if record.cell["target"]["name"] == find_card(target).name else None


def path_beside(maps: Path) -> Path | None:
    """Where the record of the run that saved the maps lies, None where it does not."""
    path = maps.resolve()
    beside = path.with_suffix(".json")
    return beside if path.suffix == ".maps" and beside.is_file() else None


def as_run(request: ScoreRequest, made_by: Record | None) -> RunRequest:
    """The request as one of a run: what nobody asked for is filled in.

    Raises:
        UsageError: something asked for cannot be right.
    """
    before = made_by.cell if made_by else {}
    told = {name: before[name] for name in ("limit", "image_size", "seed", "method") if name in before}
    told |= {"protocol": before["protocol"]["name"]} if made_by else {}
    name = request.method_name or told.get("method") or request.maps.resolve().name.removesuffix(".maps")
    given = {key: getattr(request, key) for key in ("limit", "image_size", "protocol", "seed")}
    settled = {key: told.get(key) if value is None else value for key, value in given.items()}
    if made_by:
        _tell(settled, given, told)
    asked = RunRequest(
        methods=(name,),
        targets=(request.target,),
        classes=request.classes,
        seeds=(settled["seed"] or 0,),
        limit=settled["limit"],
        image_size=_usual_size(request.target) if settled["image_size"] is None else settled["image_size"],
        protocol=settled["protocol"] or "strict",
        **{key: getattr(request, key) for key in ("metrics", "workers", "data_roots", "out", "allow_partial")},
        overwrite=request.overwrite,
    )
    return replace(asked, targets=tuple(checked_targets(asked)))


def _tell(settled: Mapping[str, Any], given: Mapping[str, Any], told: Mapping[str, Any]) -> None:
    taken = [f"{key.replace('_', ' ')} {told[key]}" for key in settled if given[key] is None and told[key] is not None]
    if taken:
        log.info("as in the run that saved the maps: %s", ", ".join(taken))


def _usual_size(target: str) -> int:
    return find_config(DEMO).vision.image_size if find_card(target).generated else SIZE


def load_truth(asked: RunRequest) -> GroundTruth:
    """The only target of a request, found and checked.

    Raises:
        UsageError: there is no such protocol, or there are several targets.
        DataError: the target is missing, incomplete or wrong.
    """
    if len(asked.targets) != 1:
        raise UsageError("maps belong to one target; pass --target once")
    protocol = registry.protocol(asked.protocol)
    target = load_dataset(asked.targets[0], asked.data_roots or None, asked.allow_partial)
    check_masks(target)
    assert asked.image_size is not None  # noqa: S101 - filled in by `as_run`
    return GroundTruth(target, protocol, asked.image_size, asked.limit)


def _cell(
    asked: RunRequest, truth: GroundTruth, folder: MapFolder, found: Mapping[str, Path], *, partial: bool
) -> dict[str, Any]:
    """The cell of a record from maps: what made them is not known, so their content stands for it."""
    images = set(images_of(truth, truth.target.classes))
    scores = None if folder.scores is None else {one: folder.scores[one] for one in folder.scores if one in images}
    content = {
        "digest": digest_of(found, scores, asked.workers),
        "image_score": MAXIMUM if scores is None else SCORES,
    }
    training = unknown_training(asked.methods[0], asked.seeds[0], truth.size)
    return cell_of(training, truth.target, truth.protocol, truth.limit, maps=content, partial=partial)

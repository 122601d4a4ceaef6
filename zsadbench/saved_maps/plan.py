"""The plan of `zsadbench score` and `audit`: the target, the maps, and the record to write; nothing is measured.

The checks are in the order of `run`: first the request (exit code 2), then the data with the maps (exit code 3).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zsadbench import registry
from zsadbench.clip.config import DEMO, find_config
from zsadbench.data import FileHashes, check_files, find_card, hash_files, load_dataset
from zsadbench.data.images.pixel_limit import allow_pixels
from zsadbench.engine.plan.cell import cell_of, unknown_training
from zsadbench.engine.plan.checks import checked_targets
from zsadbench.engine.plan.done import classes_done, record_so_far, selected_classes
from zsadbench.engine.plan.jobs import all_metrics, metrics_of
from zsadbench.engine.plan.request import RunRequest
from zsadbench.errors import UsageError, ZsadError
from zsadbench.flags.out import check_out
from zsadbench.records import Record, read_record, record_path
from zsadbench.saved_maps.about import About, read_about
from zsadbench.saved_maps.folder import SCORES, MapFolder, content_digest
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
    """One record to make from a folder of maps.

    `files` are the maps by relative path of the image; `missing` the images that are left out, by class; `run_record`
    the record of the run that saved the maps, None where it is not known. `record` is the record so far, `todo` are the
    classes that it lacks, and `fault` says why the file at `path` is not a record. `hashes` are those of the maps;
    `about` is what their authors declare, None for nothing.
    """

    folder: MapFolder
    files: dict[str, Path]
    truth: GroundTruth
    missing: Mapping[str, Sequence[str]]
    run_record: Record | None
    cell: dict[str, Any]
    path: Path
    record: Record | None
    todo: tuple[str, ...]
    fault: str
    metrics: tuple[MetricName, ...]
    run_request: RunRequest
    hashes: FileHashes
    about: About | None = None


def make_score_plan(request: ScoreRequest) -> ScorePlan:
    """Check a request and plan its record.

    Raises:
        UsageError: something in the request cannot be right.
        DataError: the target or the folder is missing or wrong; or images have no map and `allow_partial` is off.
    """
    folder, run_record = MapFolder(request.maps), find_run_record(request.maps, request.target, request.normal)
    about = read_about(request.about) if request.about else None
    if about is not None:
        check_about(request, about, run_record)
        request = replace(request, method_name=about.name, seed=about.seed)
    run_request = as_run_request(request, run_record)
    check_name(run_request.methods[0], run_record)
    parsed = all_metrics(run_request.metrics)
    check_out(run_request.out)
    truth = load_truth(run_request)
    metrics = metrics_of(parsed, truth.target.card)
    selected = selected_classes(run_request, truth.target)
    files = folder.find_all(images_of(truth, truth.target.classes))
    missing = check_missing(folder, files, truth, selected, allow_partial=run_request.allow_partial)
    hashes = hash_files(map(str, files.values()), folder.root)
    cell = _cell(run_request, truth, folder, files, hashes=hashes, about=about, partial=bool(missing))
    path = record_path(run_request.out, cell)
    record, fault = record_so_far(run_request, path)
    done = set(selected) if fault else classes_done(run_request, record, path, frozenset(map(str, metrics)))
    return ScorePlan(
        folder=folder,
        files=files,
        truth=replace(truth, hashes=truth.target.files),
        missing=missing,
        run_record=run_record,
        cell=cell,
        path=path,
        record=record,
        todo=tuple(name for name in selected if name not in done),
        fault=fault,
        metrics=metrics,
        run_request=run_request,
        hashes=hashes,
        about=about,
    )


def run_record_path(maps: Path) -> Path | None:
    """Return the path of the record of the run that saved the maps, `<identity>.json` next to `<identity>.maps`.

    None where there is no such file.
    """
    folder = maps.resolve()
    path = folder.with_suffix(".json")
    return path if folder.suffix == ".maps" and path.is_file() else None


def find_run_record(maps: Path, target: str, normal: Sequence[str] = ()) -> Record | None:
    """Read the record of the run that saved the maps; None where it is missing, unreadable or of another target."""
    path = run_record_path(maps)
    if path is None:
        return None
    try:
        record = read_record(path)
    except ZsadError as failure:
        log.warning("the record next to the maps is not used: %s", failure)
        return None
    return record if record.cell["target"]["name"] == find_card(target, normal).name else None


def as_run_request(request: ScoreRequest, run_record: Record | None) -> RunRequest:
    """Make a run request from a request for maps, so that the checks of a run apply.

    A value that the request does not state is that of the run that saved the maps, else the usual one.

    Raises:
        UsageError: something in the request cannot be right.
    """
    of_run: dict[str, Any] = {}
    if run_record:
        cell = run_record.cell
        of_run = {name: cell[name] for name in ("limit", "image_size", "seed", "method") if name in cell}
        of_run["protocol"] = cell["protocol"]["name"]
    stated = {name: getattr(request, name) for name in ("limit", "image_size", "protocol", "seed")}
    values = {name: of_run.get(name) if value is None else value for name, value in stated.items()}
    taken = [name for name, value in stated.items() if value is None and of_run.get(name) is not None]
    if taken:
        listed = ", ".join(f"{name.replace('_', ' ')} {of_run[name]}" for name in taken)
        log.info("as in the run that saved the maps: %s", listed)
    method = request.method_name or of_run.get("method") or request.maps.resolve().name.removesuffix(".maps")
    run_request = RunRequest(
        methods=(method,),
        targets=(request.target,),
        classes=request.classes,
        seeds=(values["seed"] or 0,),
        limit=values["limit"],
        image_size=_usual_size(request.target, request.normal)
        if values["image_size"] is None
        else values["image_size"],
        protocol=values["protocol"] or "strict",
        **{
            name: getattr(request, name)
            for name in ("metrics", "workers", "data_roots", "normal", "max_pixels", "out", "allow_partial")
        },
        overwrite=request.overwrite,
    )
    return replace(run_request, targets=tuple(checked_targets(run_request)))


def check_name(name: str, run_record: Record | None) -> None:
    """Check that maps do not pass for those of a registered method, in any spelling of its case.

    Such a name is right only for maps that a run of this very method saved.

    Raises:
        UsageError: the name is that of a registered method, and no record of its run lies next to the maps.
    """
    taken = next((known for known in registry.names("methods") if known.casefold() == name.strip().casefold()), None)
    saved_by = run_record.cell["method"] if run_record and not run_record.cell.get("maps") else None
    if taken is None or saved_by == name:
        return
    raise UsageError(
        f"maps of another program cannot be named '{name}': '{taken}' is a method of this installation, and no record "
        f"of its run on this target lies next to the maps; name what made them: --method-name my-{taken}"
    )


def check_about(request: ScoreRequest, about: About, run_record: Record | None) -> None:
    """Check declared facts against the flags and the target.

    Raises:
        UsageError: a flag says something else, a run of this installation saved the maps, or the target was learned
            from and leaks are not allowed.
    """
    if run_record is not None:
        raise UsageError(
            f"--about is for maps of another program; a run of '{run_record.cell['method']}' saved these, and its "
            "record lies next to them"
        )
    for flag, said, declared in (("method-name", request.method_name, about.name), ("seed", request.seed, about.seed)):
        if said is not None and said != declared:
            raise UsageError(f"--{flag} is '{said}', but --about declares '{declared}'; leave the flag out")
    target = find_card(request.target, request.normal).name
    if target in about.aux and not request.allow_leak:
        raise UsageError(
            f"'{target}' is both --target and the 'aux' of --about: the method would have learned from the test "
            "images; measure it on another target, or pass --allow-leak to do it all the same"
        )


def _usual_size(target: str, normal: Sequence[str]) -> int:
    """Return the side in pixels at which a target is measured: 518, or that of the demo backbone if generated."""
    return find_config(DEMO).vision.image_size if find_card(target, normal).generated else SIZE


def load_truth(run_request: RunRequest) -> GroundTruth:
    """Load and check the only target of a request.

    Raises:
        UsageError: the protocol is unknown, or there are several targets.
        DataError: the target is missing, incomplete or wrong.
    """
    if len(run_request.targets) != 1:
        raise UsageError("maps belong to one target; pass --target once")
    allow_pixels(run_request.max_pixels)
    protocol = registry.protocol(run_request.protocol)
    target = load_dataset(
        run_request.targets[0], run_request.data_roots or None, run_request.allow_partial, normal=run_request.normal
    )
    check_files(target)
    for line in target.warnings:
        log.warning("%s: %s", target.card.name, line)
    assert run_request.image_size is not None  # noqa: S101 - set by `as_run_request`
    return GroundTruth(target, protocol, run_request.image_size, run_request.limit)


def _cell(
    run_request: RunRequest,
    truth: GroundTruth,
    folder: MapFolder,
    files: Mapping[str, Path],
    *,
    hashes: FileHashes,
    about: About | None,
    partial: bool,
) -> dict[str, Any]:
    """Make the cell of a record from maps: the digest of their content stands for the detector.

    It also has what the authors of the maps declare.
    """
    images = set(images_of(truth, truth.target.classes))
    scores = folder.scores
    if scores is not None:
        scores = {relative: score for relative, score in scores.items() if relative in images}
    content = {
        "digest": content_digest(files, hashes, scores),
        "image_score": MAXIMUM if scores is None else SCORES,
    }
    training = unknown_training(run_request.methods[0], run_request.seeds[0], truth.size)
    cell = cell_of(training, truth.target, truth.protocol, truth.limit, maps=content, partial=partial)
    if about is None:
        return cell
    aux = {"aux": {"name": ", ".join(about.aux)}} if about.aux else {}
    step = {"transductive": "declared"} if about.transductive else {}
    code = {"code": {**cell["code"], "method": about.commit or None}}
    facts = {"backbone": about.backbone, "shots": about.shots, "external": True, "declared": about.declared}
    return {**cell, **code, **facts, **aux, **step}

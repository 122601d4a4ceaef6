"""From a request to jobs: everything that can be known beforehand is checked here, before anything runs.

The order of the checks is that of the exit codes users act on: what was asked for (2), weights and
checkpoints (4), data (3).
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zsadbench import registry
from zsadbench.checkpoints import file_sha256, read_metadata
from zsadbench.clip import BackboneSpec, map_taps, resolve
from zsadbench.clip.config import find_config
from zsadbench.data import check_masks, find_card, load_dataset
from zsadbench.engine.cells import Setting, cell_of
from zsadbench.engine.device import choose_device
from zsadbench.engine.maps import map_path
from zsadbench.engine.options import Configured, build_options, configure
from zsadbench.engine.request import NO_AUX, RunRequest
from zsadbench.engine.states import read_state
from zsadbench.errors import DataError, UsageError, WeightsError, ZsadError, unknown
from zsadbench.metrics.names import DEFAULT_NAMES, MetricName, parse_metric
from zsadbench.protocol import EvaluationProtocol
from zsadbench.results import Record, read_images, read_record, record_path

if TYPE_CHECKING:
    from zsadbench.data import Dataset

log = logging.getLogger(__name__)

OTHER_AUX = {"mvtec": "visa", "demo": "demo-aux"}
NATIVE_RECIPE_SIZE = 518  # what a training-free method takes on a 24-block tower


@dataclass(frozen=True)
class Job:
    """One record to make or to complete: a method on a target with a seed.

    `fault` says why what lies at `path` is no record; it is neither read nor replaced then.
    """

    setting: Setting
    target: Dataset
    aux: Dataset | None
    seed: int
    cell: dict[str, Any]
    path: Path
    selected: tuple[str, ...]
    record: Record | None
    todo: tuple[str, ...]
    fault: str = ""


@dataclass(frozen=True)
class Plan:
    """The jobs in order, and the metrics that every record shall hold."""

    jobs: tuple[Job, ...]
    metrics: tuple[MetricName, ...]
    request: RunRequest


def make_plan(request: RunRequest) -> Plan:
    """Check a request and lay out its jobs, without running any.

    Raises:
        UsageError: something asked for cannot be right.
        WeightsError: weights or a checkpoint are missing or foreign.
        DataError: a data set is missing, incomplete or wrong; all of them are listed.
    """
    choose_device(request.device)
    metrics = _metrics(request.metrics)
    protocol = registry.protocol(request.protocol)
    configured = [configure(registry.method_card(name), request.options, request.methods) for name in request.methods]
    targets = _checked_targets(request)
    _check_out(request.out)
    _check_aux(request, configured, targets)
    _check_size(request, configured)
    spec = resolve(request.backbone, request.weights, offline=request.offline)
    settings = [load_setting(request, method, spec, protocol) for method in configured]
    data = _load_all(request, settings, targets)
    wanted = frozenset(str(name) for name in metrics)
    jobs = [job for setting in settings for target in targets for job in _jobs(request, setting, target, data, wanted)]
    return Plan(tuple(jobs), metrics, request)


def make_detector_plan(request: RunRequest) -> tuple[Setting, Dataset | None]:
    """The setting of the only method of a request, and the set that it learns from, if it learns; no target.

    Raises:
        UsageError, WeightsError, DataError: as `make_plan`.
    """
    choose_device(request.device)
    if len(request.methods) != 1:
        raise UsageError("one method at a time; pass --method once")
    method = configure(registry.method_card(request.methods[0]), request.options, request.methods)
    _check_aux(replace(request, allow_leak=True), [method], request.targets)
    _check_size(request, [method])
    spec = resolve(request.backbone, request.weights, offline=request.offline)
    setting = load_setting(request, method, spec, registry.protocol(request.protocol))
    aux = aux_for(request.targets[0], request.aux)
    if not setting.trains or aux == NO_AUX:
        return setting, None
    return setting, _load_all(request, [], [aux])[aux]


def _metrics(extra: Sequence[str]) -> tuple[MetricName, ...]:
    return tuple(dict.fromkeys((*DEFAULT_NAMES, *map(parse_metric, extra))))


def _checked_targets(request: RunRequest) -> list[str]:
    """The targets by their own names, without those that have none of the classes asked for."""
    cards = {name: find_card(name) for name in dict.fromkeys(request.targets)}
    known = {one for card in cards.values() for one in card.classes}
    for wanted in request.classes:
        if wanted not in known:
            raise unknown(f"class of {', '.join(card.name for card in cards.values())}", wanted, known)
    kept = [name for name, card in cards.items() if not request.classes or set(request.classes) & card.classes.keys()]
    return list(dict.fromkeys(name if ":" in name else cards[name].name for name in kept))


def _check_out(out: Path) -> None:
    """Raise `UsageError` where records could not be written."""
    there = next(folder for folder in (out.absolute(), *out.absolute().parents) if folder.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise UsageError(f"--out '{out}' cannot be written: '{there}' is no folder that this user may write to")


def aux_for(target: str, asked: str | None) -> str:
    """The auxiliary set: as asked, else the papers' choice: MVTec AD, and VisA where MVTec AD is the target.

    The demo learns from its own auxiliary set.
    """
    if asked is None:
        return OTHER_AUX.get(target, "mvtec")
    return asked if asked == NO_AUX or ":" in asked else find_card(asked).name


def _check_aux(request: RunRequest, configured: Sequence[Configured], targets: Sequence[str]) -> None:
    if request.checkpoint is not None and configured[0].recipe is None:
        raise UsageError(f"'{configured[0].card.name}' does not train, so it takes no --checkpoint")
    if not any(method.recipe for method in configured) or request.checkpoint is not None:
        return
    for target in targets:
        _check_masked(aux_for(target, request.aux))
        if aux_for(target, request.aux) == target and not request.allow_leak:
            raise UsageError(
                f"'{target}' is both --aux and --target: that would train on the test images; "
                "choose another --aux, or pass --allow-leak to do it all the same"
            )


def _check_masked(aux: str) -> None:
    if aux != NO_AUX and not find_card(aux).pixel_level:
        raise UsageError(f"'{aux}' has no masks, so nothing can be learned from it; choose another --aux")


def _check_size(request: RunRequest, configured: Sequence[Configured]) -> None:
    named = request.backbone or os.environ.get("ZSADBENCH_BACKBONE")
    if not named:
        return
    config = find_config(named)
    patch, size = config.vision.patch_size, request.image_size
    if size is not None and size % patch:
        near = max(1, round(size / patch)) * patch
        raise UsageError(f"image size {size} is no multiple of the patch of {config.name}, {patch}; try {near}")
    for method in configured:
        map_taps(method.card.taps(method.options).blocks, config.vision.layers)


def load_setting(request: RunRequest, method: Configured, spec: BackboneSpec, protocol: EvaluationProtocol) -> Setting:
    """What a method shares over targets and seeds: options as its checkpoint has them, sizes checked."""
    size = request.image_size or spec.image_size(method.recipe.image_size if method.recipe else NATIVE_RECIPE_SIZE)
    spec.check_size(size)
    sha256 = None
    if request.checkpoint is not None and method.recipe is not None:
        method, sha256 = _with_checkpoint(method, request.checkpoint, request.options), file_sha256(request.checkpoint)
    map_taps(method.card.taps(method.options).blocks, spec.config.vision.layers)
    return Setting(
        method=method,
        spec=spec,
        image_size=size,
        protocol=protocol,
        precision=request.precision,
        limit=request.limit,
        epochs=request.epochs,
        checkpoint=request.checkpoint if sha256 else None,
        checkpoint_sha256=sha256,
    )


def _with_checkpoint(method: Configured, path: Path, given: Sequence[str]) -> Configured:
    """Options as the checkpoint was trained with, changed by what the user asks for, with a warning."""
    if not path.is_file():
        raise WeightsError(f"checkpoint '{path}' is not a file; give a checkpoint of {method.card.name}")
    known = read_metadata(path)
    read_state(method.card, path)  # foreign, unsafe or truncated: better said before anything runs
    trained = dict(known[1].get("options", {})) if known else {}
    asked = method.changed()
    clash = sorted(key for key in asked.keys() & method.card.weight_bound if asked[key] != trained.get(key))
    if clash:
        log.warning("%s: the checkpoint was trained with another %s; the record says so", path, ", ".join(clash))
    options = build_options(method.card, {**trained, **asked}) if given or trained else method.options
    return replace(method, options=options)


def _load_all(request: RunRequest, settings: Sequence[Setting], targets: Sequence[str]) -> dict[str, Dataset]:
    """Every target and every auxiliary set that some method learns from; all faults in one message."""
    names = list(targets)
    if any(setting.trains for setting in settings):
        names += [aux for target in targets if (aux := aux_for(target, request.aux)) != NO_AUX]
    loaded: dict[str, Dataset] = {}
    faults: list[str] = []
    for name in dict.fromkeys(names):
        try:
            loaded[name] = load_dataset(name, request.data_roots or None, request.allow_partial)
            check_masks(loaded[name])
        except DataError as failure:
            faults.append(str(failure))
    if faults:
        raise DataError("\nerror: ".join(faults))
    return loaded


def _jobs(
    request: RunRequest,
    setting: Setting,
    target: str,
    data: dict[str, Dataset],
    wanted: frozenset[str],
) -> list[Job]:
    """One job a seed; `wanted` are the metrics that every class of a record shall hold."""
    aux_name = aux_for(target, request.aux)
    aux = data.get(aux_name) if setting.trains and aux_name != NO_AUX else None
    jobs = []
    for seed in _seeds(request, setting):
        cell = cell_of(setting, aux, data[target], seed)
        path = record_path(request.out, cell)
        record, fault = _finished(request, path)
        selected = _selected(request, data[target])
        todo = tuple(name for name in selected if not fault and _is_missing(request, record, name, wanted))
        jobs.append(Job(setting, data[target], aux, seed, cell, path, selected, record, todo, fault))
    return jobs


def _seeds(request: RunRequest, setting: Setting) -> tuple[int, ...]:
    """Training-free methods and given checkpoints run once, whatever seeds are asked for."""
    if not setting.trains:
        return (0,)
    return tuple(dict.fromkeys(request.seeds)) or setting.protocol.seeds or (0,)


def _selected(request: RunRequest, target: Dataset) -> tuple[str, ...]:
    selected = tuple(name for name in target.classes if not request.classes or name in request.classes)
    absent = [name for name in request.classes if name in target.card.classes and name not in selected]
    if absent:
        log.warning("%s: this copy has no image of %s", target.card.name, ", ".join(absent))
    if not selected:
        raise DataError(f"{target.card.name}: this copy has no image of {', '.join(request.classes)}")
    return selected


def _finished(request: RunRequest, path: Path) -> tuple[Record | None, str]:
    """The record so far, None if there is none or it shall be made anew; or why the file is no record."""
    if not path.is_file() or request.overwrite == "always":
        return None, ""
    try:
        return read_record(path), ""
    except ZsadError as failure:
        return None, f"{failure}; move it away, or pass --overwrite always to replace it"


def _is_missing(request: RunRequest, record: Record | None, class_name: str, wanted: frozenset[str]) -> bool:
    """Whether a class is not yet in the record with every metric and, if asked for, with its maps."""
    if record is None:
        return True
    if request.overwrite == "never":
        return False
    no_maps = request.save_maps and not _has_maps(record_path(request.out, record.cell), class_name)
    return no_maps or not wanted <= record.classes.get(class_name, {}).keys()


def _has_maps(path: Path, class_name: str) -> bool:
    """Whether every image of a class that the record at `path` counts has its map beside it."""
    images = read_images(path)
    if images is None:
        return False
    of_class = images.loc[images["class"] == class_name, "path"]
    return all(map_path(path.with_suffix(".maps"), relative).is_file() for relative in of_class)

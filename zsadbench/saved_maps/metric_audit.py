"""`zsadbench audit`: every variant of the pixel metrics for saved maps, and where they rank methods differently."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import fsum
from pathlib import Path
from typing import Any, NamedTuple

from zsadbench.engine.evaluate.classes import RECOVERABLE
from zsadbench.engine.plan.done import selected_classes
from zsadbench.errors import UsageError, ZsadError
from zsadbench.metrics.variants import AGAINST, NAMES, VariantMetrics, Variants
from zsadbench.records import read_record
from zsadbench.saved_maps.folder import MapFolder
from zsadbench.saved_maps.ground_truth import GroundTruth, MapReader
from zsadbench.saved_maps.missing import check_missing, images_of
from zsadbench.saved_maps.plan import as_run, load_truth, path_beside, record_beside
from zsadbench.saved_maps.request import ScoreRequest

TOGETHER = 16  # images whose maps are held at once


@dataclass(frozen=True)
class AuditPlan:
    """Folders of maps by the name of what made them, on the classes of one target; `left_out` images have no map."""

    found: Mapping[str, Mapping[str, Path]]
    truth: GroundTruth
    classes: tuple[str, ...]
    left_out: frozenset[str]


class ClassAudit(NamedTuple):
    """One class: variants by folder name, or why it could not be measured."""

    class_name: str
    variants: dict[str, Variants]
    failure: str = ""


class Flip(NamedTuple):
    """Two folders that a variant ranks the other way round than the exact definition, in the mean or in a class.

    `leads` are how far `first` is ahead by the exact definition, which is not negative, and by the variant: in the mean
    over the classes in which both folders have both. `classes` are those in which the ranking flips.
    """

    exact: str
    variant: str
    first: str
    second: str
    leads: tuple[float, float]
    classes: tuple[str, ...]


def make_audit_plan(folders: Sequence[Path], request: ScoreRequest) -> AuditPlan:
    """Check folders and what is asked of them; `request.maps` is passed over, an empty target is a record's.

    Raises:
        UsageError: something asked for cannot be right, or the folders were made for different sizes.
        DataError: the target, a folder or a map is missing.
    """
    asked = [replace(request, maps=one, target=request.target or _target_beside(one)) for one in folders]
    runs = [as_run(one, record_beside(one.maps, one.target)) for one in asked]
    for name in ("targets", "image_size", "protocol", "limit"):
        made_for = list(dict.fromkeys(getattr(run, name) for run in runs))
        if len(made_for) > 1:
            flag = f"--{name.removesuffix('s').replace('_', '-')}"
            raise UsageError(f"the maps were made for different {flag}: {made_for}; pass {flag} to choose one")
    truth = load_truth(runs[0])
    if not truth.target.card.pixel_level:
        raise UsageError(
            f"'{truth.target.card.name}' has no masks, and every variant is of pixels; choose another target"
        )
    classes = selected_classes(runs[0], truth.target)
    images = images_of(truth, classes)
    found, left_out = {}, set[str]()
    for name, folder in zip(_names([run.methods[0] for run in runs], folders), map(MapFolder, folders), strict=True):
        found[name] = folder.find_all(images)
        lacking = check_missing(folder, found[name], truth, classes, allow_partial=request.allow_partial, scores=False)
        left_out |= {one for of_class in lacking.values() for one in of_class}
    return AuditPlan(found, truth, classes, frozenset(left_out))


def _target_beside(maps: Path) -> str:
    """The target of the record that lies beside the maps."""
    path = path_beside(maps)
    try:
        target = str(read_record(path).cell["target"]["name"]) if path else ""
    except ZsadError:
        target = ""
    if not target or ":" in target:
        raise UsageError(f"no target given, and none is known of '{maps}'; pass --target, for example --target visa")
    return target


def _names(methods: Sequence[str], folders: Sequence[Path]) -> list[str]:
    """A name for each folder: of what made the maps, or where two share that, the path."""
    if len(set(folders)) < len(folders):
        raise UsageError("a folder is given twice")
    return [name if methods.count(name) == 1 else str(path) for name, path in zip(methods, folders, strict=True)]


def audit(plan: AuditPlan) -> Iterator[ClassAudit]:
    """Measure one class after another, with all folders on the same images."""
    for name in plan.classes:
        try:
            yield ClassAudit(name, {made: _variants(plan, name, found) for made, found in plan.found.items()})
        except RECOVERABLE as failure:
            yield ClassAudit(name, {}, str(failure))


def _variants(plan: AuditPlan, class_name: str, found: Mapping[str, Path]) -> Variants:
    rows, reader, metrics = plan.truth.rows(class_name), MapReader(found), VariantMetrics()
    rows = rows[~rows["relative"].isin(plan.left_out)]
    for first in range(0, len(rows), TOGETHER):
        part: list[Any] = list(rows.iloc[first : first + TOGETHER].itertuples())
        masks = [plan.truth.resized(plan.truth.native(row)) for row in part]
        pairs = zip(part, masks, strict=True)
        maps = [reader.fit(reader.read(row.relative), row.relative, mask.shape) for row, mask in pairs]
        metrics.update(maps, masks)
    return metrics.compute()


def values_of(found: Variants) -> dict[str, float | None]:
    """The numbers of one class."""
    return {name: one.value for name, one in found.values.items()}


def means(audits: Sequence[ClassAudit], made: str) -> tuple[dict[str, float | None], dict[str, int]]:
    """Unweighted means over the classes in which a variant is defined, and the number of those."""
    rows = [values_of(one.variants[made]) for one in audits if one.variants]
    known = {name: [value for row in rows if (value := row[name]) is not None] for name in NAMES}
    mean = {name: fsum(values) / len(values) if values else None for name, values in known.items()}
    return mean, {name: len(values) for name, values in known.items()}


def flips(audits: Sequence[ClassAudit]) -> list[Flip]:
    """Every pair of folders that a variant ranks otherwise than the exact definition, in the mean or in a class."""
    measured = {one.class_name: one.variants for one in audits if one.variants}
    made = list(next(iter(measured.values()), {}))
    pairs = [(one, other) for place, one in enumerate(made) for other in made[place + 1 :]]
    found = (_flip(variant, pair, measured) for variant in AGAINST for pair in pairs)
    return [flip for flip in found if flip is not None]


def _flip(variant: str, pair: tuple[str, str], measured: Mapping[str, Mapping[str, Variants]]) -> Flip | None:
    exact = AGAINST[variant]
    known = {
        name: (by_exact, by_variant)
        for name, rows in measured.items()
        if (by_exact := _lead(exact, pair, rows)) is not None and (by_variant := _lead(variant, pair, rows)) is not None
    }
    classes = tuple(name for name, leads in known.items() if leads[0] * leads[1] < 0)
    if not known:
        return None
    mean = [sum(side) / len(known) for side in zip(*known.values(), strict=True)]
    if not classes and mean[0] * mean[1] >= 0:
        return None
    sign = 1 if mean[0] >= 0 else -1
    first, second = pair[::sign]
    return Flip(exact, variant, first, second, (sign * mean[0], sign * mean[1]), classes)


def _lead(variant: str, pair: tuple[str, str], rows: Mapping[str, Variants]) -> float | None:
    """How far the first of two folders leads, None where one has no value."""
    first, second = (rows[name].values[variant].value for name in pair)
    return None if first is None or second is None else first - second

"""`zsadbench audit`: all variants of the pixel metrics on saved maps, and where a variant changes a ranking."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
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
from zsadbench.saved_maps.plan import as_run_request, find_run_record, load_truth, run_record_path
from zsadbench.saved_maps.request import ScoreRequest

BATCH = 16  # maps in memory at a time


@dataclass(frozen=True)
class VariantsPlan:
    """Folders of maps to compare on the classes of one target.

    `files` are the maps by relative path of the image, by the name of the folder; `left_out` are the images that are
    left out of every folder, because one of the folders lacks their map.
    """

    files: Mapping[str, Mapping[str, Path]]
    truth: GroundTruth
    classes: tuple[str, ...]
    left_out: frozenset[str]


class ClassVariants(NamedTuple):
    """The variants of one class by name of the folder, or why the class could not be measured."""

    class_name: str
    variants: dict[str, Variants]
    failure: str = ""


class RankingFlip(NamedTuple):
    """Two folders that a variant ranks in the opposite order of the exact definition, in the mean or in a class.

    `leads` are the differences first − second by the exact definition, which is not negative, and by the variant, each
    a mean over the classes in which both folders have both values. `classes` are those in which the order is opposite.
    """

    exact: str
    variant: str
    first: str
    second: str
    leads: tuple[float, float]
    classes: tuple[str, ...]


def make_variants_plan(folders: Sequence[Path], request: ScoreRequest) -> VariantsPlan:
    """Check folders and a request, without measuring anything.

    Args:
        folders: with maps.
        request: how to measure them; its `maps` are ignored, and an empty `target` means that of the records next to
            the folders.

    Raises:
        UsageError: something in the request cannot be right, or the folders were made for different sizes.
        DataError: the target, a folder or a map is missing.
    """
    requests = [replace(request, maps=maps, target=request.target or _target_of_run(maps)) for maps in folders]
    runs = [as_run_request(each, find_run_record(each.maps, each.target, each.normal)) for each in requests]
    for name in ("targets", "image_size", "protocol", "limit"):
        values = list(dict.fromkeys(getattr(run, name) for run in runs))
        if len(values) > 1:
            flag = f"--{name.removesuffix('s').replace('_', '-')}"
            raise UsageError(f"the maps were made for different {flag}: {values}; pass {flag} to choose one")
    truth = load_truth(runs[0])
    if not truth.target.card.pixel_level:
        raise UsageError(
            f"'{truth.target.card.name}' has no masks, and every variant is of pixels; choose another target"
        )
    classes = selected_classes(runs[0], truth.target)
    images = images_of(truth, classes)
    files, left_out = {}, set[str]()
    names = _folder_names([run.methods[0] for run in runs], folders)
    for name, folder in zip(names, map(MapFolder, folders), strict=True):
        files[name] = folder.find_all(images)
        missing = check_missing(folder, files[name], truth, classes, allow_partial=request.allow_partial, scores=False)
        left_out.update(*missing.values())
    return VariantsPlan(files, truth, classes, frozenset(left_out))


def _target_of_run(maps: Path) -> str:
    """Return the target of the record of the run that saved the maps."""
    path = run_record_path(maps)
    try:
        target = str(read_record(path).cell["target"]["name"]) if path else ""
    except ZsadError:
        target = ""
    if not target or ":" in target:
        raise UsageError(f"no target given, and none is known of '{maps}'; pass --target, for example --target visa")
    return target


def _folder_names(methods: Sequence[str], folders: Sequence[Path]) -> list[str]:
    """Name each folder by the method that made its maps; folders of one method by their paths."""
    if len(set(folders)) < len(folders):
        raise UsageError("a folder is given twice")
    return [name if methods.count(name) == 1 else str(path) for name, path in zip(methods, folders, strict=True)]


def measure_variants(plan: VariantsPlan) -> Iterator[ClassVariants]:
    """Measure one class after another, with all folders on the same images."""
    for class_name in plan.classes:
        try:
            variants = {name: _variants(plan, class_name, files) for name, files in plan.files.items()}
            yield ClassVariants(class_name, variants)
        except RECOVERABLE as failure:
            yield ClassVariants(class_name, {}, str(failure))


def _variants(plan: VariantsPlan, class_name: str, files: Mapping[str, Path]) -> Variants:
    """Measure one class of one folder, one batch of maps after another."""
    rows, reader, metrics = plan.truth.rows(class_name), MapReader(files), VariantMetrics()
    rows = rows[~rows["relative"].isin(plan.left_out)]
    for first in range(0, len(rows), BATCH):
        batch: list[Any] = list(rows.iloc[first : first + BATCH].itertuples())
        masks = [plan.truth.resized(plan.truth.native(row)) for row in batch]
        pairs = zip(batch, masks, strict=True)
        maps = [reader.fit(reader.read(row.relative), row.relative, mask.shape) for row, mask in pairs]
        metrics.update(maps, masks)
    return metrics.compute()


def variant_values(variants: Variants) -> dict[str, float | None]:
    """Return the values of one class by variant; None where one is undefined."""
    return {name: estimate.value for name, estimate in variants.values.items()}


def mean_values(measured: Sequence[ClassVariants], folder: str) -> tuple[dict[str, float | None], dict[str, int]]:
    """Compute the unweighted means over the classes in which a variant is defined, and the number of those classes."""
    rows = [variant_values(each.variants[folder]) for each in measured if each.variants]
    defined = {name: [value for row in rows if (value := row[name]) is not None] for name in NAMES}
    means = {name: fsum(values) / len(values) if values else None for name, values in defined.items()}
    return means, {name: len(values) for name, values in defined.items()}


def ranking_flips(measured: Sequence[ClassVariants]) -> list[RankingFlip]:
    """Find every pair of folders that a variant ranks in the opposite order, in the mean or in a class."""
    by_class = {each.class_name: each.variants for each in measured if each.variants}
    pairs = list(combinations(next(iter(by_class.values()), {}), 2))
    flips = (_flip(variant, pair, by_class) for variant in AGAINST for pair in pairs)
    return [flip for flip in flips if flip is not None]


def _flip(variant: str, pair: tuple[str, str], by_class: Mapping[str, Mapping[str, Variants]]) -> RankingFlip | None:
    """Compare the order of two folders by a variant with that by its exact definition; None where it is the same."""
    exact = AGAINST[variant]
    leads = {}
    for class_name, variants in by_class.items():
        by_exact, by_variant = _lead(exact, pair, variants), _lead(variant, pair, variants)
        if by_exact is not None and by_variant is not None:
            leads[class_name] = by_exact, by_variant
    if not leads:
        return None
    classes = tuple(name for name, (by_exact, by_variant) in leads.items() if by_exact * by_variant < 0)
    mean = [sum(column) / len(leads) for column in zip(*leads.values(), strict=True)]
    if not classes and mean[0] * mean[1] >= 0:
        return None
    sign = 1 if mean[0] >= 0 else -1
    first, second = pair[::sign]
    return RankingFlip(exact, variant, first, second, (sign * mean[0], sign * mean[1]), classes)


def _lead(variant: str, pair: tuple[str, str], variants: Mapping[str, Variants]) -> float | None:
    """Return the difference of two folders, first − second; None where one has no value."""
    first, second = (variants[folder].values[variant].value for folder in pair)
    return None if first is None or second is None else first - second

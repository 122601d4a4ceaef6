"""The data, weights, hours and disk space that a table needs, and what of it is missing, without running anything."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from zsadbench import registry
from zsadbench.clip import cache_folder, resolve
from zsadbench.clip.config import find_config
from zsadbench.clip.macs import image_macs
from zsadbench.clip.resolve import DEFAULT_BACKBONE
from zsadbench.compare.paper_rows import why_left_out
from zsadbench.data import find_card, load_dataset
from zsadbench.engine.estimate import estimate_seconds, seconds_for
from zsadbench.engine.plan.checks import with_backbone
from zsadbench.engine.plan.options import configure
from zsadbench.engine.plan.request import NO_AUX
from zsadbench.errors import DataError, WeightsError, in_one_line
from zsadbench.reproduce.layout import NEXT_ERROR, image_size_for, lay_out, request_for, target_pairs

if TYPE_CHECKING:
    from zsadbench.clip.config import BackboneConfig
    from zsadbench.compare.paper_rows import PaperRow, PaperTable
    from zsadbench.data import Card
    from zsadbench.engine.plan.request import RunRequest

GB = 1e9
HALF, SINGLE = 2, 4  # bytes per value: of published weights, of cached tokens
TO_RUN, DONE = "to run", "done"


@dataclass(frozen=True)
class Work:
    """One row on one target: its request, and its `state`: `to run`, `done`, or why it is left out."""

    row: PaperRow
    target: str
    request: RunRequest
    state: str

    @property
    def used(self) -> str:
        """The data set that is run in the target's place; the target itself without a substitution."""
        return self.request.targets[0]

    @property
    def trains(self) -> bool:
        """Whether the row is trained."""
        return self.request.aux != NO_AUX and registry.method_card(self.row.method).recipe is not None

    @property
    def needs_aux(self) -> bool:
        """Whether the row is trained on an auxiliary set."""
        recipe = registry.method_card(self.row.method).recipe
        return self.trains and recipe is not None and not recipe.on_supports

    @property
    def epochs(self) -> int:
        """Epochs of its training, of all stages together; 0 without training."""
        stage = registry.method_card(self.row.method).recipe
        if not self.trains or (self.needs_aux and self.request.aux is None):
            return 0
        total = 0
        while stage is not None:
            own, named = stage.epochs_for(self.request.aux or ""), self.request.epochs
            total += (min(own, named) if total else named) if named else own
            stage = stage.before
        return total

    @property
    def runs(self) -> int:
        """Number of records: one per seed and choice of support images."""
        return (len(self.request.seeds) if self.trains else 1) * (
            len(self.request.support_seeds) if self.row.shots else 1
        )


@dataclass(frozen=True)
class DataNeed:
    """A data set that is needed: number of images (None where its card states none), and what is `missing`, if any."""

    name: str
    title: str
    images: int | None
    homepage: str
    missing: str


@dataclass(frozen=True)
class WeightsNeed:
    """A backbone that is needed: why its weights are `missing`, empty where they are there, and then their size."""

    backbone: str
    missing: str
    gigabytes: float


@dataclass(frozen=True)
class Needs:
    """All that a table needs. `hours` is a rough estimate for this CPU; gigabytes are 10^9 bytes.

    `images` is the number of images that are encoded: test images once per record, training images once per epoch.
    """

    works: tuple[Work, ...]
    data: tuple[DataNeed, ...]
    weights: tuple[WeightsNeed, ...]
    tokens_gb: float
    free_gb: float
    petamacs: float
    hours: float
    images: int

    @property
    def complete(self) -> bool:
        """Whether nothing is missing."""
        return not any(need.missing for need in self.weights) and not any(need.missing for need in self.data)

    @property
    def weights_gb(self) -> float:
        """The size of the weights that are missing."""
        return sum(need.gigabytes for need in self.weights)


def needs_of(table: PaperTable, user_request: RunRequest) -> Needs:
    """Find out what a table needs and what of it is missing.

    Raises:
        UsageError: a setting of the request is wrong.
    """
    works = _works(table, user_request)
    running = [work for work in works if work.state == TO_RUN]
    configs = _Backbones()
    for work in running:
        configs.find(work.request)
    data = tuple(_data_need(name, split, user_request) for name, split in _sets(running))
    complete = not any([need.missing for need in data] + [need.missing for need in configs.needs])
    layout = lay_out(table, user_request) if complete else None
    if layout is not None:
        done = [bool(run.jobs) and not any(job.todo for job in run.jobs) for run in layout.runs]
        works = [replace(work, state=DONE) if is_done else work for work, is_done in zip(works, done, strict=True)]
        running = [work for work in works if work.state == TO_RUN]
    scoring, training, images = _macs(running, configs)
    seconds = estimate_seconds(layout.plan) if layout and layout.plan else seconds_for(scoring, training)
    return Needs(
        works=tuple(works),
        data=data,
        weights=tuple(configs.needs),
        tokens_gb=min(_token_bytes(running, configs), user_request.token_cache) / GB,
        free_gb=shutil.disk_usage(_existing(cache_folder())).free / GB,
        petamacs=(scoring + training) / 1e15,
        hours=seconds / 3600,
        images=images,
    )


def _works(table: PaperTable, user_request: RunRequest) -> list[Work]:
    works = []
    for row in table.rows:
        why = why_left_out(row)
        if not why:
            configure(registry.method_card(row.method), row.options, (row.method,))
        for target, used in target_pairs(table, user_request.targets):
            request = with_backbone(request_for(row, target, used, user_request), [used])
            works.append(Work(row, target, request, why or TO_RUN))
    return works


class _Backbones:
    """The backbones of the rows, each found once; `needs` has one entry per backbone and weights."""

    def __init__(self) -> None:
        self._found: dict[tuple[str | None, str | None], BackboneConfig] = {}
        self.needs: list[WeightsNeed] = []

    def find(self, request: RunRequest) -> BackboneConfig:
        """Return the architecture of a request, and note whether its weights are there."""
        key = (request.backbone, request.weights)
        if key not in self._found:
            try:
                missing, config = "", resolve(*key, offline=True).config
            except WeightsError as failure:
                missing, config = in_one_line(failure), find_config(request.backbone or DEFAULT_BACKBONE)
            self._found[key] = config
            size = HALF * count_parameters(config) / GB if missing else 0.0
            self.needs.append(WeightsNeed(config.name, missing, size))
        return self._found[key]


def _sets(works: Sequence[Work]) -> list[tuple[str, str]]:
    """The data sets and splits that are read, each once: `(name, split)`."""
    sets = [(work.used, "test") for work in works]
    sets += [(work.request.aux, "test") for work in works if work.needs_aux and work.request.aux]
    sets += [(work.used, "train") for work in works if work.row.shots]
    return list(dict.fromkeys(sets))


def _data_need(name: str, split: str, user_request: RunRequest) -> DataNeed:
    card = find_card(name)
    title = card.title + (", training part" if split == "train" else "")
    try:
        dataset = load_dataset(name, user_request.data_roots or None, user_request.allow_partial, (split,))
    except DataError as failure:
        return DataNeed(
            card.name, title, _count(card, split), card.homepage, in_one_line(failure).replace(NEXT_ERROR, "; ")
        )
    return DataNeed(card.name, title, len(dataset.manifest), card.homepage, "")


def _count(card: Card, split: str) -> int | None:
    """The number of images of a split according to its card; None where the card states none."""
    expected = card.expected.get(split)
    if expected is None:
        return None
    by_class = sum(sum(pair) for pair in expected.counts.values())
    return by_class or expected.images or (sum(expected.total) if expected.total else None)


def _images(name: str, limit: int | None = None) -> int:
    """The number of test images of a data set within a limit per label and class; 0 where its card states none."""
    card = find_card(name)
    count = _count(card, "test") or 0
    return count if limit is None else min(count, 2 * limit * len(card.classes))


def _macs(works: Sequence[Work], configs: _Backbones) -> tuple[float, float, int]:
    """Multiply-accumulates of the image tower in scoring and in training, and the number of images of both.

    A training that rows share counts once.
    """
    scoring = training = 0.0
    images, trained = 0, set()
    for work in works:
        per_image = _macs_of_image(work, configs.find(work.request))
        scored = work.runs * _images(work.used, work.request.limit)
        scoring, images = scoring + per_image * scored, images + scored
        key = (work.row.method, work.row.options, work.request.aux, work.epochs, work.request.seeds)
        if work.needs_aux and work.request.aux and key not in trained:
            trained.add(key)
            learned = work.epochs * len(work.request.seeds) * _images(work.request.aux)
            training, images = training + per_image * learned, images + learned
    return scoring, training, images


def _macs_of_image(work: Work, config: BackboneConfig) -> float:
    """Multiply-accumulates of encoding one image; a method inside the encoders states its own."""
    card = registry.method_card(work.row.method)
    size = work.request.image_size or image_size_for(work.row, config)
    options = configure(card, work.row.options, (card.name,)).options
    own = card.macs(config, options, size // config.vision.patch_size).tower if card.macs else None
    return image_macs(config.vision, size) if own is None else own


def _token_bytes(works: Sequence[Work], configs: _Backbones) -> float:
    """Bytes of all tokens that the rows are trained on, each block of each auxiliary set once."""
    sizes = {}
    for work in works:
        config = configs.find(work.request)
        for tap in _taps(work):
            size = work.request.image_size or image_size_for(work.row, config)
            tokens = (size // config.vision.patch_size) ** 2 + 1
            sizes[work.request.aux, tap] = SINGLE * tokens * config.vision.width * _images(work.request.aux or "")
    return float(sum(sizes.values()))


def _taps(work: Work) -> Iterator[str]:
    if work.needs_aux:
        card = registry.method_card(work.row.method)
        taps = card.taps(configure(card, work.row.options, (work.row.method,)).options)
        yield from (f"plain {block}" for block in taps.blocks)
        yield from (f"value {block}" for block in taps.value_blocks)


def count_parameters(config: BackboneConfig) -> int:
    """The number of parameters of both towers of a CLIP of these sizes, including the temperature."""
    vision, text, joint = config.vision, config.text, config.embed_dim
    positions = (vision.image_size // vision.patch_size) ** 2 + 1
    stem = vision.width * (3 * vision.patch_size**2 + 1 + positions + 4 + joint)
    words = text.width * (text.vocab_size + text.context_length + 2 + joint)
    blocks = sum(tower.layers * (12 * tower.width**2 + 13 * tower.width) for tower in (vision, text))
    return stem + words + blocks + 1


def _existing(folder: Path) -> Path:
    """`folder`, or the nearest of its parents that exists."""
    return next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())

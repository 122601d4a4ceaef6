"""What a table needs and what of it is missing, said without running anything: data, weights, hours, disk."""

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
from zsadbench.errors import DataError, WeightsError
from zsadbench.reproduce.layout import APART, columns, lay_out, request_for

if TYPE_CHECKING:
    from zsadbench.clip.config import BackboneConfig
    from zsadbench.compare.paper_rows import PaperRow, PaperTable
    from zsadbench.data import Card
    from zsadbench.engine.plan.request import RunRequest
    from zsadbench.reproduce.layout import Place

GB = 1e9
HALF, SINGLE = 2, 4  # bytes a value: of published weights, of remembered tokens
TO_RUN, DONE = "to run", "done"


@dataclass(frozen=True)
class Work:
    """One row on one target: what runs, and how far it is. `state`: `to run`, `done`, or why it is left out."""

    row: PaperRow
    target: str
    request: RunRequest
    state: str

    @property
    def used(self) -> str:
        """The data set in the target's place, or itself."""
        return self.request.targets[0]

    @property
    def trains(self) -> bool:
        """Whether something is learned for it."""
        return self.request.aux != NO_AUX and registry.method_card(self.row.method).recipe is not None

    @property
    def epochs(self) -> int:
        """Epochs of its training; 0 where nothing is learned."""
        recipe = registry.method_card(self.row.method).recipe
        if not self.trains or recipe is None or self.request.aux is None:
            return 0
        return self.request.epochs or recipe.epochs_for(self.request.aux)

    @property
    def runs(self) -> int:
        """Records that the row makes here: one a seed and choice of supports."""
        return (len(self.request.seeds) if self.trains else 1) * (
            len(self.request.support_seeds) if self.row.shots else 1
        )


@dataclass(frozen=True)
class DataNeed:
    """A data set that is needed, its images as its card counts them (None where it does not), and what is missing."""

    name: str
    title: str
    images: int | None
    homepage: str
    missing: str


@dataclass(frozen=True)
class Needs:
    """All that a table needs. `hours` are a rough estimate for this CPU; gigabytes are 10^9 bytes of disk."""

    works: tuple[Work, ...]
    data: tuple[DataNeed, ...]
    backbone: str
    weights_missing: str
    weights_gb: float
    tokens_gb: float
    free_gb: float
    petamacs: float
    hours: float

    @property
    def complete(self) -> bool:
        """Whether nothing is missing."""
        return not self.weights_missing and not any(need.missing for need in self.data)


def needs_of(table: PaperTable, asked: RunRequest) -> Needs:
    """What the table needs, and what of it is here.

    Raises:
        UsageError: something asked for cannot be right.
    """
    works = _works(table, asked)
    running = [work for work in works if work.state == TO_RUN]
    missing, config = _backbone(running[0].request if running else None)
    data = tuple(_data(name, asked) for name in _sets(running))
    layout = lay_out(table, asked) if not missing and not any(need.missing for need in data) else None
    if layout is not None:
        works = [_with_state(work, place) for work, place in zip(works, layout.places, strict=True)]
        running = [work for work in works if work.state == TO_RUN]
    scored, learned = _macs(running, config)
    seconds = estimate_seconds(layout.plan) if layout and layout.plan else seconds_for(scored, learned)
    return Needs(
        works=tuple(works),
        data=data,
        backbone=config.name,
        weights_missing=missing,
        weights_gb=HALF * count_parameters(config) / GB if missing else 0.0,
        tokens_gb=min(_token_bytes(running, config), asked.token_cache) / GB,
        free_gb=shutil.disk_usage(_there(cache_folder())).free / GB,
        petamacs=(scored + learned) / 1e15,
        hours=seconds / 3600,
    )


def _works(table: PaperTable, asked: RunRequest) -> list[Work]:
    found = []
    for row in table.rows:
        why = why_left_out(row)
        if not why:
            configure(registry.method_card(row.method), row.options, (row.method,))
        for target, used in columns(table, asked.targets):
            request = with_backbone(request_for(row, target, used, asked), [used])
            found.append(Work(row, target, request, why or TO_RUN))
    return found


def _with_state(work: Work, place: Place) -> Work:
    """The same, marked where everything of it is done; what is left out stays so."""
    done = bool(place.jobs) and not any(job.todo for job in place.jobs)
    return replace(work, state=DONE) if done else work


def _backbone(request: RunRequest | None) -> tuple[str, BackboneConfig]:
    """Why the weights are not here, if so, and the architecture; without a request nothing is needed."""
    if request is None:
        return "", find_config(DEFAULT_BACKBONE)
    try:
        return "", resolve(request.backbone, request.weights, offline=True).config
    except WeightsError as failure:
        return str(failure), find_config(request.backbone or DEFAULT_BACKBONE)


def _sets(works: Sequence[Work]) -> list[tuple[str, str]]:
    """Every data set and split that is read, once: `(name, split)`."""
    found = [(work.used, "test") for work in works]
    found += [(work.request.aux, "test") for work in works if work.trains and work.request.aux]
    found += [(work.used, "train") for work in works if work.row.shots]
    return list(dict.fromkeys(found))


def _data(wanted: tuple[str, str], asked: RunRequest) -> DataNeed:
    name, split = wanted
    card = find_card(name)
    title = card.title + (", training part" if split == "train" else "")
    try:
        there = load_dataset(name, asked.data_roots or None, asked.allow_partial, (split,))
    except DataError as failure:
        return DataNeed(card.name, title, _count(card, split), card.homepage, str(failure).replace(APART, "; "))
    return DataNeed(card.name, title, len(there.manifest), card.homepage, "")


def _count(card: Card, split: str) -> int | None:
    """How many images a part of a benchmark has, as its card says."""
    expected = card.expected.get(split)
    if expected is None:
        return None
    by_class = sum(sum(pair) for pair in expected.counts.values())
    return by_class or expected.images or (sum(expected.total) if expected.total else None)


def _images(name: str, limit: int | None = None) -> int:
    """Test images of a set, within a limit; 0 where its card does not say."""
    card = find_card(name)
    count = _count(card, "test") or 0
    return count if limit is None else min(count, 2 * limit * len(card.classes))


def _macs(works: Sequence[Work], config: BackboneConfig) -> tuple[float, float]:
    """Multiply-accumulates of the image tower: in scoring, and in training; a training that rows share counts once."""
    scored = learned = 0.0
    trained = set()
    for work in works:
        each = image_macs(config.vision, _size(work, config))
        scored += each * work.runs * _images(work.used, work.request.limit)
        key = (work.row.method, work.row.options, work.request.aux, work.epochs, work.request.seeds)
        if work.trains and work.request.aux and key not in trained:
            trained.add(key)
            learned += each * work.epochs * len(work.request.seeds) * _images(work.request.aux)
    return scored, learned


def _size(work: Work, config: BackboneConfig) -> int:
    depth_of_papers = find_config(work.row.backbone).vision.layers
    own = work.row.image_size if config.vision.layers == depth_of_papers else config.vision.image_size
    return work.request.image_size or own


def _token_bytes(works: Sequence[Work], config: BackboneConfig) -> float:
    """Bytes of all tokens that the rows learn from, every block of every auxiliary set once."""
    sizes = {}
    for work in works:
        for tap in _taps(work):
            tokens = (_size(work, config) // config.vision.patch_size) ** 2 + 1
            sizes[work.request.aux, tap] = SINGLE * tokens * config.vision.width * _images(work.request.aux or "")
    return float(sum(sizes.values()))


def _taps(work: Work) -> Iterator[str]:
    if work.trains:
        card = registry.method_card(work.row.method)
        taps = card.taps(configure(card, work.row.options, (work.row.method,)).options)
        yield from (f"plain {block}" for block in taps.blocks)
        yield from (f"value {block}" for block in taps.value_blocks)


def count_parameters(config: BackboneConfig) -> int:
    """Parameters of both towers of a CLIP of these sizes, its temperature included."""
    vision, text, joint = config.vision, config.text, config.embed_dim
    positions = (vision.image_size // vision.patch_size) ** 2 + 1
    stem = vision.width * (3 * vision.patch_size**2 + 1 + positions + 4 + joint)
    words = text.width * (text.vocab_size + text.context_length + 2 + joint)
    blocks = sum(tower.layers * (12 * tower.width**2 + 13 * tower.width) for tower in (vision, text))
    return stem + words + blocks + 1


def _there(folder: Path) -> Path:
    """The folder, or the nearest one above it that exists."""
    return next(one for one in (folder.absolute(), *folder.absolute().parents) if one.exists())

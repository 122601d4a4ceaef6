"""The zero-shot ledger: how far a detector has seen its target before, as far as that can be known.

Grades, the gravest that holds: `same-images` (an auxiliary image is a near-duplicate of a test image),
`same-set`, `same-source` (both cut from one collection), `category-seen` (a category has the same name in
both), `clean`; `unknown` where nobody says what a checkpoint learned from. The first two are leaks. One and
the same set is `same-set` without a look at its images.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from zsadbench.checkpoints import read_metadata
from zsadbench.data import find_card, limited, load_dataset
from zsadbench.data.images.perceptual_hash import BITS, CLOSE, near_duplicates
from zsadbench.data.loading.perceptual_hashes import hash_images
from zsadbench.engine.plan.checks import aux_for
from zsadbench.errors import DataError, UsageError

if TYPE_CHECKING:
    from zsadbench.data import Card, Dataset
    from zsadbench.engine.plan.jobs import Job
    from zsadbench.engine.plan.request import RunRequest

log = logging.getLogger(__name__)

LEAKS = ("same-images", "same-set")
UNKNOWN = "unknown"
SHOWN = 10  # pairs that a record names; the others are counted
NOT_AUDITED = "the images that CLIP itself was trained on"

EpochChoice = Literal["fixed", "aux-validated", "target-selected", "unknown"]  # how it was chosen when to stop


@dataclass(frozen=True)
class _Learned:
    """What a detector learned from. `name` None: nothing. `data` None: `why` says why there are no images of it."""

    name: str | None
    epoch: EpochChoice | None
    card: Card | None = None
    data: Dataset | None = None
    why: str = ""


def check(job: Job, request: RunRequest) -> dict[str, Any]:
    """The ledger of a record: what was learned from, its grade, and what the grade rests on.

    Looks at every image of both sets, unless their hashes are cached; with a limit, at the target's images
    within it.
    """
    learned, target = _learned(job, request), job.target
    categories = sorted(_categories(learned.card) & _categories(target.card)) if learned.card else []
    sources = sorted({*learned.card.collections} & {*target.card.collections}) if learned.card else []
    same = _same(learned, target)
    images, why = (None, "it is one set") if same else _compare(learned, target, job.setup.limit, request.workers)
    grade = _grade(learned, images, same=same, sources=sources, categories=categories)
    return {
        "aux": learned.name,
        "grade": grade,
        "leak": grade in LEAKS,
        "categories": categories,
        "sources": sources,
        "images": images,
        "images_not_compared_because": why,
        "epoch_choice": learned.epoch,
        "not_audited": NOT_AUDITED,
    }


def leak_of(ledger: dict[str, Any]) -> str:
    """The leak that a ledger shows, in words; empty when it shows none."""
    if ledger["grade"] == "same-set":
        return "trained on the target"
    if ledger["grade"] == "same-images":
        count = ledger["images"]["target_images"]
        return (
            f"{count} of its images {'is' if count == 1 else 'are'} also in '{ledger['aux']}', which was learned from"
        )
    return ""


def _learned(job: Job, request: RunRequest) -> _Learned:
    """The set of a training, or what a checkpoint says, or, where it says nothing, what the user says."""
    if job.aux is not None:
        return _Learned(job.aux.card.name, "fixed", job.aux.card, job.aux)
    if job.setup.checkpoint is None:
        return _Learned(None, None, why="nothing was learned")
    known = read_metadata(job.setup.checkpoint)
    about = known[1] if known else {}
    epoch: EpochChoice = "fixed" if about.get("recipe") else "unknown"
    told, asked = (about.get("aux") or {}).get("name"), request.aux
    if told and asked and aux_for(job.target.card.name, asked) != told:
        log.warning("--aux %s is passed over: the checkpoint says that it learned from '%s'", asked, told)
    name = told or asked
    return _found(name, epoch, request) if name else _Learned(UNKNOWN, epoch, why="nobody says what was learned from")


def _found(name: str, epoch: EpochChoice, request: RunRequest) -> _Learned:
    """The set of that name, as far as it is here."""
    try:
        data = load_dataset(name, request.data_roots or None, allow_partial=True)
    except (DataError, UsageError) as failure:
        try:
            card = find_card(name)
        except (DataError, UsageError):
            return _Learned(name, epoch, why=str(failure))
        return _Learned(card.name, epoch, card, why=f"'{card.name}' is not here")
    return _Learned(data.card.name, epoch, data.card, data)


def _same(learned: _Learned, target: Dataset) -> bool:
    """Whether it is the target itself. Two folders may have one name, and one set two places."""
    if learned.data is not None and learned.data.fingerprint == target.fingerprint:
        return True
    return learned.name == target.card.name and ":" not in target.card.name


def _categories(card: Card) -> set[str]:
    """What the classes are called, by folder and in prompts, whatever the spelling."""
    return {_plain(name) for pair in card.classes.items() for name in pair}


def _plain(name: str) -> str:
    """A name in lower case, its words a space apart.

    >>> _plain("Metal_Nut") == _plain("metal-nut") == "metal nut"
    True
    """
    return " ".join(name.casefold().replace("_", " ").replace("-", " ").split())


def _grade(
    learned: _Learned, images: dict[str, Any] | None, *, same: bool, sources: list[str], categories: list[str]
) -> str:
    holds = {
        "same-images": bool(images and images["pairs"]),
        "same-set": same,
        "same-source": bool(sources),
        "category-seen": bool(categories),
        UNKNOWN: learned.name is not None and learned.card is None,
    }
    return next((grade for grade, holding in holds.items() if holding), "clean")


def _compare(learned: _Learned, target: Dataset, limit: int | None, workers: int) -> tuple[dict[str, Any] | None, str]:
    """Near-duplicates between the images of both sets; or None and why there was nothing to compare."""
    if learned.data is None:
        return None, learned.why
    ours = hash_images(learned.data, workers=workers)
    used = pd.concat([limited(target.manifest, name, limit) for name in target.classes])
    theirs = hash_images(target, used, workers)
    pairs = near_duplicates(ours.hashes, theirs.hashes)
    nearest = pairs[pairs[:, 2].argsort(kind="stable")][:SHOWN]
    return {
        "pairs": len(pairs),
        "aux_images": len(set(pairs[:, 0].tolist())),
        "target_images": len(set(pairs[:, 1].tolist())),
        "examples": [
            {"aux": ours.paths[one], "target": theirs.paths[other], "bits": int(bits)} for one, other, bits in nearest
        ],
        "compared": {"aux": len(ours.paths), "target": len(theirs.paths)},
        "flat": {"aux": ours.flat, "target": theirs.flat},
        "unreadable": {"aux": ours.unreadable, "target": theirs.unreadable},
        "rule": f"at most {CLOSE} of {BITS} bits of a perceptual hash differ",
    }, ""

"""Grade leakage: what a detector may have seen of its target in training. The result is the `ledger` of a record.

A grade is the most severe of those that hold:

same-images    an auxiliary image, or a support image of a few-shot run, is a near-duplicate of a test image (a leak)
same-set       the auxiliary set is the target (a leak); its images are not compared
same-source    both sets are cut from one collection
category-seen  a category has the same name in both sets
unknown        what a checkpoint learned from is not known, or the set that it names has no card
clean          none of these

The entry `option_choice` says how the options were chosen, where a file of `zsadbench tune` says so.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from zsadbench.checkpoints import read_metadata
from zsadbench.data import find_card, limited, load_dataset
from zsadbench.data.copies.image_hashes import hash_images
from zsadbench.data.images.perceptual_hash import BITS, CLOSE, near_duplicates
from zsadbench.engine.plan.checks import aux_for, chosen_on
from zsadbench.engine.plan.sweep_file import as_text
from zsadbench.engine.record.support_images import compare_supports
from zsadbench.errors import DataError, UsageError, in_one_line

if TYPE_CHECKING:
    from zsadbench.data import Card, Dataset
    from zsadbench.engine.plan.jobs import Job
    from zsadbench.engine.plan.request import RunRequest

log = logging.getLogger(__name__)

GRADES = ("same-images", "same-set", "same-source", "category-seen", "unknown", "clean")  # the most severe one first
LEAKS = GRADES[:2]
UNKNOWN = "unknown"
MAX_EXAMPLES = 10  # pairs of images that a record names; the others are only counted
NOT_AUDITED = "the images that CLIP itself was trained on"

EpochChoice = Literal["fixed", "aux-validated", "target-selected", "unknown"]  # how the number of epochs was chosen


@dataclass(frozen=True)
class _TrainingSet:
    """The set that a detector learned from.

    `name` is None where nothing was learned. `data` is None where there are no images of the set to compare; `why`
    then gives the reason. `learned` are the images of a training in this run, which may have a part of the classes.
    """

    name: str | None
    epoch: EpochChoice | None
    card: Card | None = None
    data: Dataset | None = None
    why: str = ""
    learned: Dataset | None = None


def check(job: Job, request: RunRequest) -> dict[str, Any]:
    """Return the ledger of a record: the training set, the grade, and what the grade rests on.

    In a few-shot run, `supports` has the comparison of the support images with the test images. All images of both sets
    are hashed, unless their hashes are cached; with a limit, the target's images within it.
    """
    more = {**_compare_supports(job, request.workers), **_option_choice(job, request)}
    return _ledger(_training_set(job, request), job.target, job.setup.limit, request.workers, more)


def check_declared(aux: Sequence[str], target: Dataset, request: RunRequest, *, shots: int = 0) -> dict[str, Any]:
    """Return the ledger of maps of another program, whose authors declare what was learned from.

    Of several auxiliary sets it has the most severe grade and the images of the set with this grade. Support images are
    not known, so that a few-shot method is never graded clean.

    Args:
        aux: the auxiliary sets, a name with a colon for one without a card; empty for a training-free method.
        target: the data set that is evaluated.
        request: the limit, and where data sets lie.
        shots: support images per class.
    """
    sets = [_declared_set(name, request) for name in aux] or [_TrainingSet(None, None, why="nothing was learned")]
    ledgers = [_ledger(training, target, request.limit, request.workers, {}) for training in sets]
    worst = min(ledgers, key=lambda ledger: GRADES.index(ledger["grade"]))
    named = {name: sorted({text for ledger in ledgers for text in ledger[name]}) for name in ("categories", "sources")}
    grade = UNKNOWN if shots and worst["grade"] == "clean" else worst["grade"]
    return worst | named | {"aux": ", ".join(aux) or None, "grade": grade}


def _declared_set(name: str, request: RunRequest) -> _TrainingSet:
    if ":" in name:
        return _TrainingSet(name, "unknown", why="no card describes it")
    return _load_training_set(name, "unknown", request)


def _ledger(
    training: _TrainingSet, target: Dataset, limit: int | None, workers: int, more: dict[str, Any]
) -> dict[str, Any]:
    """Grade a training set against a target; `more` are `supports` and `option_choice`, where there are any."""
    card = training.card
    categories = sorted(_category_names(card, training.learned) & _category_names(target.card, target)) if card else []
    sources = sorted({*card.collections} & {*target.card.collections}) if card else []
    same = _is_target(training, target)
    images, why = None, "it is one set"
    if not same:
        images, why = _compare_images(training, target, limit, workers)
    seen = [compared for compared in (images, more.get("supports")) if compared]
    on_target = more.get("option_choice", {}).get("on_target", False)
    grade = _grade(training, seen, same=same or on_target, sources=sources, categories=categories)
    return {
        "aux": training.name,
        "grade": grade,
        "leak": grade in LEAKS,
        "categories": categories,
        "sources": sources,
        "images": images,
        "images_not_compared_because": why,
        **more,
        "epoch_choice": training.epoch,
        "not_audited": NOT_AUDITED,
    }


def leak_of(ledger: dict[str, Any]) -> str:
    """Return the leaks that a ledger shows, as text; empty if it shows none."""
    if ledger.get("option_choice", {}).get("on_target"):
        return "its options were chosen on the target"
    if ledger["grade"] == "same-set":
        return "trained on the target"
    images, supports = ledger.get("images"), ledger.get("supports")
    leaks = (
        [f"{_count(images)} also in '{ledger['aux']}', which was learned from"] if images and images["pairs"] else []
    )
    if supports and supports["pairs"]:
        first = supports["examples"][0]
        leaks.append(f"{_count(supports)} among the support images, such as '{first['target']}' ('{first['support']}')")
    return "; ".join(leaks)


def _count(compared: dict[str, Any]) -> str:
    count = compared["target_images"]
    return f"{count} of its images {'is' if count == 1 else 'are'}"


def _training_set(job: Job, request: RunRequest) -> _TrainingSet:
    """Return the set that the detector of a job learned from.

    That of a training in the run; for a checkpoint the set that the file names, else the one of the request.
    """
    if job.aux is not None:
        return _TrainingSet(job.aux.card.name, "fixed", job.aux.card, job.aux, learned=job.aux)
    if job.setup.on_supports:
        return _TrainingSet(None, "fixed", why="the support images are all that was learned from")
    if job.setup.checkpoint is None:
        return _TrainingSet(None, None, why="nothing was learned")
    metadata = read_metadata(job.setup.checkpoint)
    about = metadata[1] if metadata else {}
    epoch: EpochChoice = "fixed" if about.get("recipe") else "unknown"
    if seen := about.get("learned_supports"):  # whose images are not at hand
        return _TrainingSet(f"supports of {seen['name']}", epoch, why="support images of another run were learned from")
    in_file, requested = (about.get("aux") or {}).get("name"), request.aux
    if in_file and requested and aux_for(job.target.card.name, requested) != in_file:
        log.warning("--aux %s is passed over: the checkpoint says that it learned from '%s'", requested, in_file)
    name = in_file or requested
    if not name:
        return _TrainingSet(UNKNOWN, epoch, why="nobody says what was learned from")
    return _load_training_set(name, epoch, request)


def _load_training_set(name: str, epoch: EpochChoice, request: RunRequest) -> _TrainingSet:
    """Return the set of this name, with its card and its data if there are any here."""
    try:
        data = load_dataset(name, request.data_roots or None, allow_partial=True, normal=request.normal)
    except (DataError, UsageError) as failure:
        try:
            card = find_card(name, request.normal)
        except (DataError, UsageError):
            return _TrainingSet(name, epoch, why=in_one_line(failure))
        return _TrainingSet(card.name, epoch, card, why=f"'{card.name}' is not here")
    return _TrainingSet(data.card.name, epoch, data.card, data)


def _is_target(training: _TrainingSet, target: Dataset) -> bool:
    """Return whether the training set is the target.

    Equal fingerprints show it, wherever the copies lie. So does an equal name, unless it is that of a user's folder,
    as two folders may have the same name. Two parts of one set that share no class are two sets.
    """
    if training.data is not None and training.data.fingerprint == target.fingerprint:
        return True
    if training.data is not None and not {*training.data.classes} & {*target.classes}:
        return False
    return training.name == target.card.name and ":" not in target.card.name


def _category_names(card: Card, data: Dataset | None) -> set[str]:
    """Return the names of all classes, of their folders and in prompts, in one spelling.

    Of a set with a part of the classes, these alone.
    """
    names = data.classes if data is not None and data.partial else tuple(card.classes)
    return {_normalise(name) for folder in names for name in (folder, card.classes[folder])}


def _option_choice(job: Job, request: RunRequest) -> dict[str, Any]:
    """Return the entry `option_choice` of the ledger; empty where the options are not those that `tune` chose."""
    method = job.setup.method
    own = as_text(method.changed()), as_text(method.recipe_changes)
    for tuned in request.sweep.tuned if request.sweep else ():
        if tuned.method == job.setup.name and (tuned.options, tuned.recipe) == own:
            about = {key: value for key, value in asdict(tuned).items() if key not in {"method", "options", "recipe"}}
            entry = {**about, "seeds": list(tuned.seeds), "on_target": chosen_on(tuned, job.target)}
            return {"option_choice": {"how": "aux-validated", **entry}}
    return {}


def _normalise(name: str) -> str:
    """Return a name in lower case, with single spaces between its words.

    >>> _normalise("Metal_Nut") == _normalise("metal-nut") == "metal nut"
    True
    """
    return " ".join(name.casefold().replace("_", " ").replace("-", " ").split())


def _grade(
    training: _TrainingSet, compared: Sequence[dict[str, Any]], *, same: bool, sources: list[str], categories: list[str]
) -> str:
    """Return the first grade that holds, from the most severe to the mildest."""
    holds = {
        "same-images": any(images["pairs"] for images in compared),
        "same-set": same,
        "same-source": bool(sources),
        "category-seen": bool(categories),
        UNKNOWN: training.name is not None and training.card is None,
    }
    return next((grade for grade, holding in holds.items() if holding), "clean")


def _evaluated(target: Dataset, limit: int | None) -> pd.DataFrame:
    """Return the rows of the manifest that are evaluated."""
    return pd.concat([limited(target.manifest, name, limit) for name in target.classes])


def _compare_supports(job: Job, workers: int) -> dict[str, Any]:
    """Return the entry `supports` of the ledger; empty for a zero-shot run."""
    if job.supports is None:
        return {}
    evaluated = _evaluated(job.target, job.setup.limit)
    return {"supports": compare_supports(job.supports, job.target, evaluated, workers, MAX_EXAMPLES)}


def _compare_images(
    training: _TrainingSet, target: Dataset, limit: int | None, workers: int
) -> tuple[dict[str, Any] | None, str]:
    """Find near-duplicates between the images of both sets; None and the reason if there is nothing to compare."""
    if training.data is None:
        return None, training.why
    aux_images = hash_images(training.data, workers=workers)
    target_images = hash_images(target, _evaluated(target, limit), workers)
    pairs = near_duplicates(aux_images.hashes, target_images.hashes)
    nearest = pairs[pairs[:, 2].argsort(kind="stable")][:MAX_EXAMPLES]
    return {
        "pairs": len(pairs),
        "aux_images": len(set(pairs[:, 0].tolist())),
        "target_images": len(set(pairs[:, 1].tolist())),
        "examples": [
            {"aux": aux_images.paths[left], "target": target_images.paths[right], "bits": int(bits)}
            for left, right, bits in nearest
        ],
        "compared": {"aux": len(aux_images.paths), "target": len(target_images.paths)},
        "flat": {"aux": aux_images.flat, "target": target_images.flat},
        "unreadable": {"aux": aux_images.unreadable, "target": target_images.unreadable},
        "rule": f"at most {CLOSE} of {BITS} bits of a perceptual hash differ",
    }, ""

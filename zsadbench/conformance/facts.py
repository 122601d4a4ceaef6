"""Check the card of a method: its facts fit each other and the detector. What `card_faults` finds is refused before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, fields, replace
from typing import Any

from zsadbench.card_faults import faults_of
from zsadbench.clip import place_taps
from zsadbench.conformance.finding import FaultError
from zsadbench.conformance.subject import Subject
from zsadbench.errors import UsageError
from zsadbench.types import Augmenting, FewShot, OwnEncoding, Remembering, Staged, Taps, Trainable


def check_card(subject: Subject) -> str:
    """Check that the facts of the card fit each other: options, presets, taps, protocols, recipe."""
    card = subject.card
    if faults := [
        *faults_of(card),
        *_faults_of_options(subject),
        *_faults_of_taps(subject.taps),
        *_faults_of_facts(subject),
    ]:
        raise FaultError("; ".join(faults))
    return f"{len(fields(card.options))} options, {len(card.presets)} presets"


def _faults_of_options(subject: Subject) -> Iterator[str]:
    card = subject.card
    default: Any = card.options()
    if hash(default) != hash(card.options()) or default != card.options(**asdict(default)):
        yield "options do not survive being written down: their fields are no plain values"
    for name, value in asdict(default).items():
        items = value if isinstance(value, tuple) else (value,)
        if not all(isinstance(item, str | int | float | bool | None) for item in items):
            yield f"option '{name}' is {type(value).__name__}, no plain value and no tuple of them"
    known = {field.name for field in fields(card.options)}
    if unknown := sorted(set(card.weight_bound) - known):
        yield f"'weight_bound' names {', '.join(unknown)}, which 'options' lacks"
    for name, preset in card.presets.items():
        if replace(default, **preset) == default:
            yield f"preset '{name}' changes nothing"


def _faults_of_taps(taps: Taps) -> Iterator[str]:
    try:
        placed = place_taps(taps, 24)
    except UsageError as failure:
        yield f"'taps' do not fit an encoder of 24 blocks: {failure}"
        return
    if (placed.blocks, placed.value_blocks) != (tuple(sorted(taps.blocks)), tuple(sorted(taps.value_blocks))):
        yield "'taps' name a block twice"


def _faults_of_facts(subject: Subject) -> Iterator[str]:
    card, step = subject.card, subject.step
    if not card.paper.title or not 2015 < card.paper.year < 2100:
        yield "'paper' needs a title and a year"
    for protocol in card.protocols:
        if not protocol.name.startswith(f"paper:{card.name}"):
            yield f"protocol '{protocol.name}' is not called 'paper:{card.name}'"
    on_supports = card.recipe is not None and card.recipe.on_supports
    if (subject.needs_shots or on_supports) and not card.few_shot:
        yield "'needs_shots' or 'recipe.on_supports' without 'few_shot'"
    if step is not None and not any(protocol.across_images == "transductive" for protocol in card.protocols):
        yield "'transductive' without a protocol that takes the step"
    if step is not None and not step.whole_class and not (step.parts and callable(step.finish)):
        yield "'transductive' names no parts or no 'finish'"


def check_build(subject: Subject) -> str:
    """Check that the detector can be built, and is what the card declares."""
    card, detector = subject.card, subject.make()
    optimised = card.recipe is not None and not card.recipe.one_pass
    declared = {
        "score": (True, callable(getattr(detector, "score", None))),
        "encode": (subject.taps.own_encoding, isinstance(detector, OwnEncoding)),
        "network and loss": (optimised, isinstance(detector, Trainable)),
        "remember_auxiliary": (card.recipe is not None and card.recipe.one_pass, isinstance(detector, Remembering)),
        "remember": (card.few_shot, isinstance(detector, FewShot)),
        "augment": (card.augments, isinstance(detector, Augmenting)),
        "begin_stage": (card.recipe is not None and bool(card.recipe.stage), isinstance(detector, Staged)),
    }
    for part, (wanted, has) in declared.items():
        if wanted and not has:
            raise FaultError(f"the card promises '{part}', which the detector {type(detector).__name__} lacks")
        if has and not wanted:
            raise FaultError(f"the detector {type(detector).__name__} has '{part}', which the card does not declare")
    return type(detector).__name__


def check_options(subject: Subject) -> str:
    """Check that an unknown option is refused."""
    try:
        subject.card.options(no_such_option=1)
    except (TypeError, UsageError):
        return "an unknown option is refused"
    raise FaultError("an unknown option is taken without a word")

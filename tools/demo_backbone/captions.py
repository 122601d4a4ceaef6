"""Captions of regions. A caption asserts facts, and it is true of every region that has these facts."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from demo_backbone.pictures import Facts
from zsadbench_datasets.demo.families import FAMILIES, KIND

TEMPLATES = ("a photo of a {}.", "a photo of the {}.", "{}", "a close-up photo of a {}.", "a picture of a {}.", "{}.")
NORMAL = ("normal {}", "flawless {}", "perfect {}", "intact {}", "{} without defect", "{} without flaw", "undamaged {}")
DAMAGED = ("damaged {}", "broken {}", "defective {}", "{} with defect", "{} with flaw", "{} with damage", "faulty {}")
ANYTHING = ("object", "surface", "thing", "material")
EMPTY = ("background", "empty background", "ground")
WORDS = {family.name: family.words for family in FAMILIES}


class Caption(NamedTuple):
    """A sentence and what it asserts, such as `family:bricks`, `tones:red/beige`, `bad`, `kind:scratch`."""

    text: str
    asserts: frozenset[str]


def attributes(facts: Facts, *, flawed: bool, thing: bool) -> frozenset[str]:
    """All facts about a region."""
    state = {"bad", f"kind:{facts.kind}"} if flawed else {"good"}
    what = {f"family:{facts.family}", f"tones:{'/'.join(facts.tones)}"} if thing else {"empty"}
    return frozenset(state | what)


def caption(facts: Facts, rng: np.random.Generator, *, flawed: bool, thing: bool) -> Caption:
    """Generate a true caption of a region, which may leave out facts."""
    noun, asserts = _noun(facts, rng, thing=thing)
    if flawed:
        noun, more = _damaged(noun, facts, rng)
    else:
        noun, more = _normal(noun, rng)
    return Caption(_choose(TEMPLATES, rng).format(noun), asserts | more)


def _noun(facts: Facts, rng: np.random.Generator, *, thing: bool) -> tuple[str, frozenset[str]]:
    if rng.random() < 0.3:
        return _choose(ANYTHING, rng), frozenset()
    if not thing:
        return _choose(EMPTY, rng), frozenset({"empty"})
    noun, asserts = _choose(WORDS[facts.family], rng), {f"family:{facts.family}"}
    if rng.random() < 0.4:
        noun, asserts = f"{facts.tones[0]} and {facts.tones[1]} {noun}", asserts | {f"tones:{'/'.join(facts.tones)}"}
    return noun, frozenset(asserts)


def _normal(noun: str, rng: np.random.Generator) -> tuple[str, frozenset[str]]:
    if rng.random() < 0.25:
        return noun, frozenset()
    return _choose(NORMAL, rng).format(noun), frozenset({"good"})


def _damaged(noun: str, facts: Facts, rng: np.random.Generator) -> tuple[str, frozenset[str]]:
    chance = rng.random()
    if chance < 0.15:
        return noun, frozenset()
    if chance < 0.6 or facts.kind is None:
        return _choose(DAMAGED, rng).format(noun), frozenset({"bad"})
    named = (f"{noun} with a {facts.kind}", f"{facts.kind} on a {noun}", f"{noun}, {KIND[facts.kind].words[-1]}")
    return _choose(named, rng), frozenset({"bad", f"kind:{facts.kind}"})


def _choose(choices: tuple[str, ...], rng: np.random.Generator) -> str:
    return choices[rng.integers(len(choices))]

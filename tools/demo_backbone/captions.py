"""Captions of images and regions: what is there, in which colours, on which ground, with which defect or mark.

A caption asserts facts, and it is true of every region that has these facts. As in photographs' captions on the web, a
defect is a thing with a name; no caption says that something is normal, good, damaged or broken.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from demo_backbone.pictures import Facts
from demo_backbone.regions import Shows
from zsadbench_datasets.demo.families import FAMILIES
from zsadbench_datasets.demo.kinds import KIND
from zsadbench_datasets.demo.marks import MARK_WORDS

TEMPLATES = ("a photo of a {}.", "a photo of the {}.", "{}", "a close-up photo of a {}.", "a picture of a {}.", "{}.")
ANYTHING = ("object", "surface", "thing", "material")
EMPTY = ("background", "empty background", "ground")
WORDS = {family.name: family.words for family in FAMILIES}
NAMED = 0.7  # fraction of the captions of a defect or mark that name it


class Caption(NamedTuple):
    """A sentence and what it asserts, such as `family:bricks`, `tones:red/beige`, `kind:scratch`."""

    text: str
    asserts: frozenset[str]


def attributes(facts: Facts, shows: Shows) -> frozenset[str]:
    """All facts about a region."""
    found = {f"family:{facts.family}", f"tones:{'/'.join(facts.tones)}"} if shows.thing else {"empty"}
    if facts.ground:
        found |= {f"ground:{facts.ground}"}
    return frozenset(found | {fact for fact, _ in _details(facts, shows)})


def caption(facts: Facts, shows: Shows, rng: np.random.Generator) -> Caption:
    """Generate a true caption of a region, which may leave out facts."""
    text, asserts = _noun(facts, rng, thing=shows.thing)
    for fact, words in _details(facts, shows):
        if rng.random() < NAMED:
            word = _choose(words, rng)
            text = _choose((f"{text} with a {words[0]}", f"{words[0]} on a {text}", f"{text}, {word}"), rng)
            asserts |= {fact}
    if facts.ground and rng.random() < 0.25:
        text, asserts = f"{text} on a {facts.ground} ground", asserts | {f"ground:{facts.ground}"}
    return Caption(_choose(TEMPLATES, rng).format(text), asserts)


def _details(facts: Facts, shows: Shows) -> list[tuple[str, tuple[str, ...]]]:
    """The defect and the mark of a region, each as a fact and the words for it."""
    found = []
    if shows.flawed and facts.kind:
        found.append((f"kind:{facts.kind}", KIND[facts.kind].words))
    if shows.marked and facts.mark:
        found.append((f"mark:{facts.mark}", MARK_WORDS[facts.mark]))
    return found


def _noun(facts: Facts, rng: np.random.Generator, *, thing: bool) -> tuple[str, frozenset[str]]:
    if rng.random() < 0.3:
        return _choose(ANYTHING, rng), frozenset()
    if not thing:
        return _choose(EMPTY, rng), frozenset({"empty"})
    noun, asserts = _choose(WORDS[facts.family], rng), {f"family:{facts.family}"}
    if rng.random() < 0.4:
        noun, asserts = f"{facts.tones[0]} and {facts.tones[1]} {noun}", asserts | {f"tones:{'/'.join(facts.tones)}"}
    return noun, frozenset(asserts)


def _choose(choices: tuple[str, ...], rng: np.random.Generator) -> str:
    return choices[rng.integers(len(choices))]

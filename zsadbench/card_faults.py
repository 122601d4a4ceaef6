"""Check the card of a method: what a third party registered, before anything relies on it. Imports no torch."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, get_args, get_type_hints

from zsadbench.bibtex import KEY, BibtexError, read_entries
from zsadbench.protocol import EvaluationProtocol
from zsadbench.tokens import BackboneKind
from zsadbench.types import MethodCard, Official, Paper, Recipe, StageNote

WEB = re.compile(r"https?://[^\s<>\"'{}\\|^`]+")  # an address that pages may link to
YEARS = 1900, 2200

# What the fields of a card are.
KINDS: dict[str, Any] = {
    **{"paper": Paper, "taps": Callable, "build": Callable, "official": Official, "weight_bound": frozenset},
    **{
        "version": str,
        "few_shot": bool,
        "augments": bool,
        "native_size": bool,
        "macs": Callable,
        "transductive": Callable,
        "needs_shots": Callable,
        "turned_supports": Callable,
    },
}
MAY_BE_NONE = ("official", "macs", "transductive", "turned_supports")
SEVERAL: dict[str, type] = {"protocols": EvaluationProtocol, "notes": StageNote}
CALLED: dict[Any, str] = {Callable: "a function"}


def faults_of(card: Any) -> list[str]:
    """Return all faults of what is registered as a method, each a few words; empty for a card that can be used."""
    if not isinstance(card, MethodCard):
        return [f"it is no MethodCard but {type(card).__name__}"]
    of_paper = faults_of_paper(card.paper) if isinstance(card.paper, Paper) else ()
    return [*_faults_of_values(card), *of_paper, *_faults_of_options(card), *_faults_of_recipe(card.recipe)]


def faults_of_paper(paper: Paper) -> Iterator[str]:
    """Yield the faults of a paper that somebody states, each a few words."""
    for name in ("title", "venue", "key", "url", "code", "bibtex"):
        if not isinstance(getattr(paper, name), str):
            yield f"'paper.{name}' is {getattr(paper, name)!r}, not a text"
            return
    if not paper.title.strip():
        yield "'paper.title' is empty"
    if not KEY.fullmatch(paper.key):
        yield f"'paper.key' is {paper.key!r}; it takes letters, digits and _.:/+-"
    if type(paper.year) is not int or (paper.year and not YEARS[0] <= paper.year <= YEARS[1]):
        yield f"'paper.year' is {paper.year!r}, not a year (0: unknown)"
    if not isinstance(paper.authors, tuple | list) or not all(isinstance(name, str) for name in paper.authors):
        yield "'paper.authors' is no tuple of full names"
    for name in ("url", "code"):
        if getattr(paper, name) and not WEB.fullmatch(getattr(paper, name)):
            yield f"'paper.{name}' is {getattr(paper, name)!r}, no address that begins with https:// or http://"
    yield from _faults_of_bibtex(paper)


def _faults_of_bibtex(paper: Paper) -> Iterator[str]:
    if not paper.bibtex:
        return
    try:
        keys = list(read_entries(paper.bibtex))
    except BibtexError as failure:
        yield from (f"'paper.bibtex', {fault}" for fault in failure.faults)
        return
    if keys != [paper.key]:
        yield f"'paper.bibtex' has the keys {', '.join(keys)}; it is one entry with the key '{paper.key}'"


def _faults_of_values(card: MethodCard) -> Iterator[str]:
    """Yield the faults of all fields but the options and the recipe."""
    if not isinstance(card.name, str) or not card.name.strip():
        yield f"'name' is {card.name!r}, not a text"
    for name, kind in KINDS.items():
        value = getattr(card, name)
        if not isinstance(value, kind) and not (value is None and name in MAY_BE_NONE):
            yield f"'{name}' is {type(value).__name__}, not {CALLED.get(kind, kind.__name__)}"
    for name, kind in SEVERAL.items():
        value = getattr(card, name)
        if not isinstance(value, tuple | list) or not all(isinstance(one, kind) for one in value):
            yield f"'{name}' is no tuple of {kind.__name__}"
    known = get_args(BackboneKind)
    if not isinstance(card.kinds, tuple | list) or not card.kinds or not set(card.kinds) <= set(known):
        yield f"'kinds' is {card.kinds!r}; it takes some of {', '.join(known)}"
    if not _is_number(card.smoothing) or card.smoothing < 0:
        yield f"'smoothing' is {card.smoothing!r}, not a number of at least 0"
    ends = card.map_range
    if not isinstance(ends, tuple | list) or len(ends) != 2 or not all(map(_is_number, ends)) or ends[0] >= ends[1]:
        yield f"'map_range' is {ends!r}, not two rising numbers"


def _faults_of_options(card: MethodCard) -> Iterator[str]:
    """Yield the faults of the options and of the presets."""
    options = card.options
    if not isinstance(options, type) or not is_dataclass(options):
        yield f"'options' is {getattr(options, '__name__', type(options).__name__)}, not a frozen dataclass"
        return
    if not options.__dataclass_params__.frozen:  # type: ignore[attr-defined]
        yield f"'options' is {options.__name__}, a dataclass that is not frozen"
    try:
        get_type_hints(options)
        options()
    except Exception as failure:
        yield f"'options' cannot be made from its defaults: {type(failure).__name__}: {failure}"
    known = {option.name for option in fields(options)}
    if not isinstance(card.presets, Mapping) or not all(isinstance(one, Mapping) for one in card.presets.values()):
        yield "'presets' is no mapping of names to options"
        return
    for name, preset in card.presets.items():
        if unknown := sorted(set(map(str, preset)) - known):
            yield f"preset '{name}' sets {', '.join(unknown)}, which 'options' lacks"


def _faults_of_recipe(recipe: Recipe | None) -> Iterator[str]:
    """Yield the faults of the recipe."""
    if recipe is None:
        return
    if not isinstance(recipe, Recipe):
        yield f"'recipe' is {type(recipe).__name__}, not Recipe"
        return
    for name in ("epochs_else", "batch", "image_size"):
        value = getattr(recipe, name)
        if not isinstance(value, int) or value < 1:
            yield f"'recipe.{name}' is {value!r}, not a whole number of at least 1"
    if not _is_number(recipe.lr) or recipe.lr <= 0:
        yield f"'recipe.lr' is {recipe.lr!r}, not a positive number"
    if not isinstance(recipe.epochs, Mapping) or not isinstance(recipe.on, Mapping):
        yield "'recipe.epochs' and 'recipe.on' are mappings of auxiliary sets"
    if recipe.before is not None and (not recipe.stage or not getattr(recipe.before, "stage", "")):
        yield "'recipe.before' needs a stage name, and so does 'recipe'"
    yield from _faults_of_recipe(recipe.before)
    hints = get_type_hints(Recipe)
    for name in ("optimiser", "mask", "mosaic"):
        if getattr(recipe, name) not in get_args(hints[name]):
            yield f"'recipe.{name}' is {getattr(recipe, name)!r}; it is one of {', '.join(get_args(hints[name]))}"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)

"""List all faults of a data set card at once, each with its line and what to do."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

from zsadbench.conformance.card_lines import line_of
from zsadbench.data import all_cards
from zsadbench.data.cards.card import Card
from zsadbench.data.cards.fields import Fault
from zsadbench.data.cards.layout import FilesLayout, Layout
from zsadbench.data.cards.parse_card import card_and_faults
from zsadbench.data.cards.template import fill, pattern
from zsadbench.data.layouts.detect import probe_paths
from zsadbench.errors import DataError, UsageError
from zsadbench.metrics.names import parse_metric
from zsadbench.references import references

BIBTEX_KEY = re.compile(r"@\w+\s*\{\s*([^,\s]+)\s*,")
UNKNOWN = re.compile(r"field '(.+)' is unknown; known: (.+)")
TOML_LINE = re.compile(r"at line (\d+)")
STAND_INS = {"defect": "any_defect", "folder": "any_folder", "stem": "any_image", "ext": "png"}


class CardFault(NamedTuple):
    """One fault: the line of the file, from 1; what is wrong; what to do."""

    line: int
    message: str
    remedy: str


def check_card_file(path: Path) -> list[CardFault]:
    """Return all faults of a card, in the order of the lines.

    Raises:
        UsageError: there is no such file.
        DataError: it cannot be read.
    """
    if not path.is_file():
        raise UsageError(f"card '{path}' is not a file")
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as failure:
        raise DataError(f"card '{path}' cannot be read: {failure}") from failure
    try:
        table = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as failure:
        found = TOML_LINE.search(str(failure))
        line = int(found[1]) if found else len(text.splitlines())
        return [CardFault(line, f"not TOML: {failure}", "correct the syntax; other faults are found after that")]
    card, faults = card_and_faults(table, path.name)
    found_faults = [_described(text, fault, path.name) for fault in faults]
    faulty = [fault.path for fault in faults]
    for fault, remedy in _faults_of_content(card, table, path):
        if not any(known == fault.path[: len(known)] for known in faulty):
            found_faults.append(CardFault(line_of(text, fault.path), fault.message, remedy))
    return sorted(found_faults)


def _described(text: str, fault: Fault, source: str) -> CardFault:
    """Return a fault that the parser found, without the name of the file, with its line and what to do."""
    message = fault.message.removeprefix(f"{source}: ")
    remedy = "correct the value"
    if unknown := UNKNOWN.search(message):
        near = get_close_matches(unknown[1], unknown[2].split(", "), n=1)
        message = message.partition("; known: ")[0]
        remedy = f"did you mean '{near[0]}'?" if near else f"remove it; known: {unknown[2]}"
    elif message.endswith(("is missing", "is needed")):
        remedy = "add it; 'zsadbench new dataset' writes a card with all needed fields"
    return CardFault(line_of(text, fault.path), message, remedy)


def _faults_of_content(card: Card, table: dict[str, Any], path: Path) -> Iterator[tuple[Fault, str]]:
    """Yield what is wrong although every field has the right type, and what to do."""
    others = [other for other in all_cards() if replace(other, source="") != replace(card, source="")]
    others = [other for other in others if Path(other.source).absolute() != path.absolute()]
    yield from _faults_of_names(card, others)
    yield from _faults_of_references(card)
    own = [layout for layout in card.layouts if layout.name.partition(":")[0] in table.get("layouts", {})]
    for layout in own:
        yield from _faults_of_probe(card, layout, others)
        if isinstance(layout, FilesLayout):
            yield from _faults_of_rules(card, layout)
    yield from _faults_of_facts(card, own)


def _faults_of_names(card: Card, others: list[Card]) -> Iterator[tuple[Fault, str]]:
    for field, names in (("name", (card.name,)), ("aliases", card.aliases)):
        for other in others:
            taken = {name.casefold() for name in (other.name, *other.aliases)}
            for name in names:
                if name.casefold() in taken:
                    yield Fault((field,), f"'{name}' is a name of the card '{other.name}'"), "take another name"


def _faults_of_references(card: Card) -> Iterator[tuple[Fault, str]]:
    known = {*references(), *BIBTEX_KEY.findall(card.bibtex)}
    for key in card.cite:
        if key not in known:
            near = get_close_matches(key, known, n=1)
            hint = f"did you mean '{near[0]}'? " if near else ""
            remedy = f"{hint}references that do not ship need their entry in the field 'bibtex'"
            yield Fault(("cite",), f"'{key}' is no key of a reference"), remedy
    for metric in card.metrics:
        try:
            parse_metric(metric)
        except UsageError as failure:
            yield Fault(("metrics",), str(failure)), "name metrics as records do, such as pixel_segf1"


def _faults_of_probe(card: Card, layout: Layout, others: list[Card]) -> Iterator[tuple[Fault, str]]:
    own = probe_paths(card, layout)
    for other in others:
        if other.name in card.same_layout_as or card.name in other.same_layout_as:
            continue
        if any(own & probe_paths(other, theirs) for theirs in other.layouts):
            where = ("layouts", layout.name.partition(":")[0], "probe")
            message = f"layout '{layout.name}': a copy of '{other.name}' fits its probe as well"
            yield Fault(where, message), "add a path that only this data set has, or state 'same_layout_as'"


def _faults_of_rules(card: Card, layout: FilesLayout) -> Iterator[tuple[Fault, str]]:
    """Yield rules that can match no path, as an earlier one matches first."""
    for number, rule in enumerate(layout.rules):
        paths = {fill(rule.match, {**STAND_INS, "class": name}) for name in card.classes}
        earlier = [(place, pattern(one.match)) for place, one in enumerate(layout.rules[:number])]
        shadows = {path: next((place for place, one in earlier if one.fullmatch(path)), None) for path in paths}
        if None not in shadows.values():
            place = 1 + (next(iter(shadows.values())) or 0)
            where = ("layouts", layout.name.partition(":")[0], "rules", number, "match")
            message = f"layout '{layout.name}': rule {number + 1} matches nothing, rule {place} matches before"
            yield Fault(where, message), "put the narrower rule first"


def _faults_of_facts(card: Card, own: list[Layout]) -> Iterator[tuple[Fault, str]]:
    if "test" not in card.expected:
        yield Fault(("expected",), "no images are expected in the split 'test'"), "add [expected.test.counts], or total"
    files = [layout for layout in own if isinstance(layout, FilesLayout)]
    splits = {rule.split for layout in files for rule in layout.rules}
    for split in card.expected if len(files) == len(own) else ():
        if split not in splits:
            yield Fault(("expected", split), f"no rule gives the split '{split}'"), "add a rule, or remove these counts"
    masked = any(rule.masks for layout in files for rule in layout.rules)
    if card.pixel_level and files and len(files) == len(own) and not masked:
        remedy = "add 'masks' to the rules of anomalous images, or remove \"pixel\""
        yield Fault(("levels",), "the pixel level is stated, and no rule has masks"), remedy

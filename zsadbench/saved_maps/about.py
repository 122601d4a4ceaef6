"""What the authors of saved maps declare of the program that made them: the file of `score --about`.

The file is TOML. `name`, `trained`, `backbone`, `weights` and `image_size` are needed, and `aux` if the method is
trained; `seed`, `shots`, `transductive`, `code`, `commit` and the table `[paper]` are optional. Nothing in it can be
verified: tables mark such rows as external, declared by their authors.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from zsadbench import registry
from zsadbench.bibtex import BibtexError, read_entries
from zsadbench.card_faults import WEB, faults_of_paper
from zsadbench.clip.sizes import DEMO, shipped_folder
from zsadbench.data import find_card
from zsadbench.errors import DataError, UsageError, unknown
from zsadbench.types import Paper

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+ -]{0,63}")
COMMIT = re.compile(r"[0-9a-f]{7,64}")
OTHER = "other:"  # begins the name of an auxiliary set that no card describes
LONGEST = 200  # letters of a text


@dataclass(frozen=True)
class About:
    """The declared facts.

    Attributes:
        name: of the method, not that of a method of this installation.
        trained: whether anything was trained on an auxiliary set; False for a training-free method.
        backbone: as `run --backbone` names it, so that the record stands beside those of built-in methods.
        weights: of the backbone, such as `openai`.
        image_size: side in pixels of the input of the encoder.
        aux: the data sets that were learned from; empty without a training.
        seed: of the training.
        shots: normal images of each class that were used.
        transductive: whether the score of an image uses other test images.
        code: address of the code.
        commit: of the code, hexadecimal.
        paper: where the method was published; None for no paper.
    """

    name: str
    trained: bool
    backbone: str
    weights: str
    image_size: int
    aux: tuple[str, ...] = ()
    seed: int = 0
    shots: int = 0
    transductive: bool = False
    code: str = ""
    commit: str = ""
    paper: Paper | None = None

    @property
    def declared(self) -> dict[str, Any]:
        """The facts that no other key of a cell holds, without empty ones."""
        facts: dict[str, Any] = {"trained": self.trained, "weights": self.weights, "image_size": self.image_size}
        facts |= {"code": self.code, "commit": self.commit, "paper": self.paper.stated() if self.paper else {}}
        return {name: value for name, value in facts.items() if value not in ("", {})}


class _Key(NamedTuple):
    """A key of the file: its type in words and whether a value has it; whether it is needed."""

    kind: str
    fits: Callable[[Any], bool]
    needed: bool = False


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip()) and value.isprintable() and len(value) <= LONGEST


def _is_whole(value: Any) -> bool:
    return type(value) is int and value >= 0


def _names(value: Any) -> list[str]:
    """Return the names of data sets: one text, or a list of texts; none where it is neither."""
    names = value if isinstance(value, list) else [value]
    return names if all(map(_is_text, names)) else []


TEXT = f"a text of one line and at most {LONGEST} letters", _is_text
SWITCH = "true or false", lambda value: isinstance(value, bool)
WHOLE = "a whole number", _is_whole
KEYS: Mapping[str, _Key] = {
    "name": _Key(*TEXT, needed=True),
    "trained": _Key(*SWITCH, needed=True),
    "backbone": _Key(*TEXT, needed=True),
    "weights": _Key(*TEXT, needed=True),
    "image_size": _Key("a whole number of at least 1", lambda value: _is_whole(value) and value > 0, needed=True),
    "aux": _Key("the name of a data set, or a list of names", lambda value: bool(_names(value))),
    "seed": _Key(*WHOLE),
    "shots": _Key(*WHOLE),
    "transductive": _Key(*SWITCH),
    "code": _Key("an address that begins with https://", lambda value: _is_text(value) and bool(WEB.fullmatch(value))),
    "commit": _Key("7 to 64 hexadecimal digits", lambda value: _is_text(value) and bool(COMMIT.fullmatch(value))),
    "paper": _Key("a table, [paper]", lambda value: isinstance(value, dict)),
}
PAPER_KEYS: Mapping[str, _Key] = {
    "title": _Key(*TEXT, needed=True),
    "venue": _Key(*TEXT),
    "year": _Key(*WHOLE),
    "authors": _Key("a list of full names", lambda value: isinstance(value, list) and all(map(_is_text, value))),
    "url": _Key("an address that begins with https://", lambda value: _is_text(value) and bool(WEB.fullmatch(value))),
    "key": _Key(*TEXT),
    "bibtex": _Key("BibTeX", lambda value: isinstance(value, str)),
}


def read_about(path: Path) -> About:
    """Read and check the file of `--about`.

    Raises:
        UsageError: it cannot be read, is no TOML, or has faults; the message has all of them, one per line.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as failure:
        raise UsageError(f"--about: '{path}' cannot be read: {failure.strerror or failure}") from failure
    except (ValueError, RecursionError) as failure:
        raise UsageError(f"--about: '{path}' is no valid TOML: {failure}") from failure
    faults = list(_faults_of_keys(content, KEYS, ""))
    paper: Paper | None = None
    if isinstance(content.get("paper"), dict):
        of_paper = list(_faults_of_keys(content["paper"], PAPER_KEYS, "paper."))
        if not of_paper:
            paper = _paper(content["paper"], str(content.get("name", "")))
            of_paper = list(faults_of_paper(paper))
        faults += of_paper
    right = {name: value for name, value in content.items() if name in KEYS and KEYS[name].fits(value)}
    faults += _faults_of_facts(right)
    if faults:
        raise UsageError("\nerror: ".join(f"--about: '{path}': {fault}" for fault in faults))
    names = [name if name.startswith(OTHER) else find_card(name).name for name in _names(right.get("aux", []))]
    return About(**right | {"paper": paper, "aux": tuple(dict.fromkeys(names))})


def _faults_of_keys(table: Mapping[str, Any], keys: Mapping[str, _Key], prefix: str) -> Iterator[str]:
    """Yield unknown keys, missing ones, and values of another type."""
    for name, value in table.items():
        if name not in keys:
            yield str(unknown("key", prefix + name, (prefix + known for known in keys)))
        elif not keys[name].fits(value):
            yield f"'{prefix}{name}' must be {keys[name].kind}, not {value!r}"
    for name, key in keys.items():
        if key.needed and name not in table:
            yield f"'{prefix}{name}' is missing; it is {key.kind}"


def _faults_of_facts(facts: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with values of the right type, by themselves and together."""
    if "name" in facts:
        yield from _faults_of_name(facts["name"])
    if "backbone" in facts:
        yield from _faults_of_backbone(facts["backbone"])
    if facts.get("trained") is True and "aux" not in facts:
        yield f"'aux' is missing: name the data set that was learned from, or '{OTHER} ' and a description"
    if facts.get("trained") is False and "aux" in facts:
        yield "'aux' is given, but 'trained' is false: a training-free method learns from no data set"
    for name in _names(facts.get("aux", [])):
        try:
            if not name.startswith(OTHER):
                find_card(name)
        except (UsageError, DataError) as failure:
            yield f"'aux': {failure}; for a set without a card, write '{OTHER} ' and a description"
    if "commit" in facts and "code" not in facts:
        yield "'commit' needs 'code', the address of the code"


def _faults_of_name(name: str) -> Iterator[str]:
    taken = next((known for known in registry.names("methods") if known.casefold() == name.strip().casefold()), None)
    if taken:
        yield f"'name' is '{name}', but '{taken}' is a method of this installation; name yours otherwise: my-{taken}"
    elif not NAME.fullmatch(name):
        yield f"'name' is '{name}'; it takes letters, digits, spaces and _.+-, at most 64"


def _faults_of_backbone(name: str) -> Iterator[str]:
    """Yield the fault of another spelling of a known backbone, under which a record would stand apart."""
    known = [DEMO, *sorted(file.stem for file in shipped_folder().glob("*.json"))]
    meant = next((each for each in known if _letters(each) == _letters(name)), name)
    if name not in known and meant != name:
        yield f"'backbone' is '{name}'; write '{meant}', as built-in methods do"


def _letters(name: str) -> str:
    """Letters and digits in lower case, without the unit of the image size.

    >>> _letters("ViT-L/14@336px") == _letters("ViT-L-14-336")
    True
    """
    return re.sub(r"[^a-z0-9]|px$", "", name.lower())


def _paper(table: Mapping[str, Any], name: str) -> Paper:
    """Make the paper of a table whose keys are right; its BibTeX key is its own, that of its entry, or made up."""
    try:
        of_entry = next(iter(read_entries(table.get("bibtex", ""))), "")
    except BibtexError:
        of_entry = ""
    year = table.get("year", 0)
    key = table.get("key") or of_entry or re.sub(r"[^a-z0-9]", "", name.lower()) + str(year or "")
    return Paper(
        table["title"],
        table.get("venue", ""),
        year,
        key,
        url=table.get("url", ""),
        authors=tuple(table.get("authors", ())),
        bibtex=table.get("bibtex", ""),
    )

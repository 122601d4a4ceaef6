"""The verified references of `zsadbench/published/references.csv`, and their BibTeX entries.

Whatever is not verified is left out of the file: a field is then empty, and a source without a verified title has no
row. The entry of a reference is generated from its row; which kind it is follows from the venue: with a volume it is an
article, with the name of a meeting a paper in proceedings, a preprint an article, anything else `@misc`.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import NamedTuple

MEETING = re.compile(r"Proceedings|Conference|Symposium|Congress|Workshops", re.IGNORECASE)
PAGES = re.compile(r", pp\. (\d+)-(\d+)$")
VOLUME = re.compile(r" (\d{1,3})(?:\((\d+)\))?$")
ACRONYM = re.compile(r"\(([A-Z][A-Z ]+)\)|\b(AAAI)\b")
PUBLISHER = re.compile(r", (Springer|IEEE|PMLR)$")
ACCENTS = {"\u0301": "'", "\u0300": "`", "\u0308": '"', "\u0303": "~", "\u0302": "^", "\u030a": "r", "\u030c": "v"}
SIGNS = {"&": r"\&", "%": r"\%", "#": r"\#", "_": r"\_", "—": "---", "–": "--"} | {
    "\\": r"\textbackslash{}",
    "{": r"\textbraceleft{}",
    "}": r"\textbraceright{}",
    "$": r"\$",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
}


class Reference(NamedTuple):
    """One row of the file; a field that is unknown or not verified is empty."""

    key: str
    title: str
    authors: tuple[str, ...]
    venue: str
    year: int
    doi: str
    arxiv: str
    url: str
    code: str

    @classmethod
    def of(cls, row: Mapping[str, str]) -> Reference:
        """Read a row of the file."""
        texts = {name: value for name, value in row.items() if name not in {"authors", "year"}}
        return cls(authors=tuple(row["authors"].split("; ")), year=int(row["year"]), **texts)

    @property
    def bibtex(self) -> str:
        """The BibTeX entry, without a line end."""
        kind, fields = self._where()
        fields = {
            "title": f"{{{latex_text(self.title)}}}",
            "author": " and ".join(map(latex_text, self.authors)),
            **{name: latex_text(value) for name, value in fields.items()},
            "year": str(self.year),
            "doi": self.doi,
            "eprint": self.arxiv,
            "archiveprefix": "arXiv" if self.arxiv else "",
            "url": "" if self.doi or self.arxiv else self.url,
        }
        lines = [f"  {name} = {{{value}}}" for name, value in fields.items() if value]
        return f"@{kind}{{{self.key},\n" + ",\n".join(lines) + "\n}"

    @property
    def text(self) -> str:
        """The reference in one line: authors, title, venue, year."""
        year = "" if re.search(rf"\b{self.year}\b", self.venue) else f", {self.year}"
        return f"{', '.join(self.authors)}: {self.title}. {self.venue}{year}"

    @property
    def short_venue(self) -> str:
        """The venue as tables print it: its acronym, `arXiv` for a preprint, else its name without pages or volume."""
        acronym = ACRONYM.search(self.venue)
        if acronym:
            return (acronym[1] or acronym[2]) + (" Workshops" if "Workshops" in self.venue else "")
        return "arXiv" if self.venue.startswith("arXiv") else _split(VOLUME, _split(PAGES, self.venue)[0])[0]

    def _where(self) -> tuple[str, dict[str, str]]:
        """The kind of the entry and the fields that say where it was published."""
        venue, pages = _split(PAGES, self.venue)
        name, volume = _split(VOLUME, venue)
        numbers = {"pages": "--".join(pages)} if pages else {}
        if volume:
            return "article", {"journal": name, "volume": volume[0], "number": volume[1] or "", **numbers}
        if venue.startswith("arXiv preprint"):
            return "article", {"journal": venue}
        name, publisher = _split(PUBLISHER, venue)
        if MEETING.search(name):
            return "inproceedings", {"booktitle": name, **numbers, "publisher": publisher[0] if publisher else ""}
        return "misc", {"howpublished": venue}


@cache
def references() -> Mapping[str, Reference]:
    """All references by key."""
    text = files("zsadbench").joinpath("published/references.csv").read_text(encoding="utf-8")
    return {row["key"]: Reference.of(row) for row in csv.DictReader(text.splitlines())}


def _split(pattern: re.Pattern[str], text: str) -> tuple[str, tuple[str, ...]]:
    """`text` without what the pattern matches, and the groups of the match; the text and `()` without a match."""
    match = pattern.search(text)
    return (text[: match.start()], match.groups()) if match else (text, ())


def latex_text(text: str) -> str:
    r"""`text` in ASCII, with accents and special characters as LaTeX commands.

    >>> print(latex_text("Schölkopf & Halvorsen"))
    Sch{\"o}lkopf \& Halvorsen
    """
    text = "".join(SIGNS.get(char, char) for char in text)
    return "".join(map(_accented, text))


def _accented(char: str) -> str:
    parts = unicodedata.normalize("NFD", char)
    if len(parts) != 2 or parts[1] not in ACCENTS:
        return char
    letter, accent = parts[0], ACCENTS[parts[1]]
    return f"{{\\{accent}{{{letter}}}}}" if accent.isalpha() else f"{{\\{accent}{letter}}}"

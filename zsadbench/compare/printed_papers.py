"""The papers whose printed numbers are known: those that are shipped, and those of packages in `zsadbench.published`.

An entry point of this group names a package whose folder holds

    papers.toml          per paper: `label`, `title`, `venue`, `year`, `url`, and the titles of its tables
    PAPER.csv            its numbers, with the columns `number_table.NUMBERS`
    references.bib       BibTeX entries; that of a paper is named by `key` in `papers.toml`. Optional
    PAPER/tableN.toml    what ran in each row, for `reproduce` (`compare.paper_rows`). Optional
    PAPER/claims.toml    what its text says of its tables (`compare.claims`). Optional

A package with faults is left out with a warning.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

from zsadbench import registry
from zsadbench.bibtex import BibtexError, read_entries
from zsadbench.card_faults import faults_of_paper
from zsadbench.compare.frame import MEASURED
from zsadbench.compare.number_table import NAME, NUMBERS, Row, read_number_table
from zsadbench.data.cards.fields import Fields
from zsadbench.errors import DataError, ZsadError
from zsadbench.types import Paper

BIBLIOGRAPHY = "references.bib"


@dataclass(frozen=True)
class PrintedPaper:
    """A paper whose numbers are shown.

    Attributes:
        name: its short name, which `source` is in the frame.
        label: how captions name it.
        paper: title, venue, year and BibTeX; of a shipped paper venue and year alone.
        tables: number of a table → its title, which may be empty.
        origin: the package or file that it comes from; empty for a shipped paper.
        numbers: the CSV of its numbers; None where they were read from the user's file.
        descriptions: the folder of `tableN.toml` and `claims.toml`; None for none.
    """

    name: str
    label: str
    paper: Paper
    tables: Mapping[str, str] = field(default_factory=dict)
    origin: str = ""
    numbers: Traversable | None = None
    descriptions: Traversable | None = None

    @property
    def title(self) -> str:
        """Label, venue and year, such as `FB-CLIP (CVPR 2026)`."""
        when = " ".join(filter(None, (self.paper.venue, str(self.paper.year or ""))))
        return f"{self.label} ({when})" if when else self.label

    def caption(self, number: str) -> str:
        """What a caption says of a table: the paper, number and title."""
        printed = self.tables.get(number, "")
        return f"{self.title}, Table {number}" + (f": {printed}" if printed else "")

    @property
    def source(self) -> str:
        """Where the numbers come from, for a note; empty for a shipped paper."""
        if not self.origin:
            return ""
        where = ", ".join(filter(None, (self.paper.venue, str(self.paper.year or ""), self.paper.url)))
        return f"Published numbers of {self.paper.title}" + (f" ({where})" if where else "") + f"; from {self.origin}."

    @property
    def own(self) -> Paper | None:
        """Its reference, if it does not come from a shipped paper, whose method is cited already."""
        return self.paper if self.origin else None


@cache
def papers() -> dict[str, PrintedPaper]:
    """All papers by short name: the shipped ones, then those of packages."""
    found = dict(_shipped())
    for package in registry.names("published"):
        try:
            of_package = read_package(package)
            if taken := sorted(found.keys() & of_package.keys()):
                raise DataError(f"the paper '{taken[0]}' is there already")
            found |= of_package
        except ZsadError as failure:
            faults = str(failure).replace("\nerror: ", "; ")
            registry.warn_once(f"published numbers '{package}' are left out: {faults}")
    return found


def _shipped() -> Iterator[tuple[str, PrintedPaper]]:
    root = files("zsadbench")
    content = tomllib.loads(root.joinpath("published/papers.toml").read_text(encoding="utf-8"))
    for name, about in content.items():
        paper = Paper("", about["venue"], about["year"], name)
        numbers, descriptions = root / "published" / f"{name}.csv", root / "papers" / name
        yield name, PrintedPaper(name, about["label"], paper, about["tables"], "", numbers, descriptions)


def read_package(name: str) -> dict[str, PrintedPaper]:
    """Read the papers of the package that is registered as `name`, and check their numbers.

    Raises:
        UsageError: it cannot be imported.
        DataError: a file is missing or has faults; the message has all of them.
    """
    module = registry.load("published", name)
    try:
        root = files(module)
        content = tomllib.loads((root / "papers.toml").read_text(encoding="utf-8"))
        bibliography = root / BIBLIOGRAPHY
        entries = read_entries(bibliography.read_text(encoding="utf-8")) if bibliography.is_file() else {}
    except BibtexError as failure:
        raise DataError("\nerror: ".join(f"'{bibliography}', {fault}" for fault in failure.faults)) from failure
    except (OSError, TypeError, AttributeError, ValueError, RecursionError) as failure:
        raise DataError(f"it has no folder with a papers.toml that can be read: {failure}") from failure
    found: dict[str, PrintedPaper] = {}
    faults: list[str] = []
    for paper, about in content.items():
        try:
            found[paper] = _of_package(paper, Fields(about, f"papers.toml: {paper}"), root, entries)
            if unlisted := {row["table"] for row in rows_of(found[paper])} - found[paper].tables.keys():
                raise DataError(f"{paper}.csv has Table {min(unlisted)}, which papers.toml does not list")
        except DataError as failure:
            faults.append(str(failure))
    if faults:
        raise DataError("\nerror: ".join(faults))
    return found


def _of_package(name: str, fields: Fields, root: Traversable, entries: Mapping[str, str]) -> PrintedPaper:
    """Make a paper from its table of `papers.toml`."""
    if not NAME.fullmatch(name) or name == MEASURED:
        raise fields.wrong(name, "is no short name of a paper; it takes letters, digits and _.+-")
    title, key = fields.text("title"), fields.text("key", name)
    paper = Paper(
        title,
        fields.text("venue", ""),
        fields.whole("year", 0),
        key,
        url=fields.text("url", ""),
        authors=fields.texts("authors", ()),
        bibtex=entries.get(key, ""),
    )
    label, tables = fields.text("label", label_of(title) or name), fields.take("tables")
    fields.done()
    if faults := list(faults_of_paper(paper)):
        raise DataError(f"{fields.where}: {'; '.join(faults)}")
    if not isinstance(tables, dict) or not all(isinstance(text, str) for text in tables.values()):
        raise fields.wrong("tables", "maps numbers of tables to their titles")
    return PrintedPaper(name, label, paper, tables, f"package {root.name}", root / f"{name}.csv", root / name)


def rows_of(paper: PrintedPaper) -> list[Row]:
    """Read and check the rows of the CSV of a paper.

    Raises:
        DataError: it cannot be read or has faults.
    """
    assert paper.numbers is not None  # noqa: S101 - only called for papers with a CSV of their own
    try:
        content = paper.numbers.read_bytes()
    except OSError as failure:
        raise DataError(f"'{paper.numbers.name}' cannot be read: {failure.strerror or failure}") from failure
    if paper.origin:
        return read_number_table(content, paper.numbers.name, NUMBERS)
    columns = {**NUMBERS, "aux": "", "image_size": ""}  # of which shipped files do not say anything
    return read_number_table(content, paper.numbers.name, columns, look_up=False)  # tests look their names up


def label_of(title: str) -> str:
    """How captions name a paper: the part of its title before the colon.

    >>> label_of("FB-CLIP: Fine-Grained Zero-Shot Anomaly Detection")
    'FB-CLIP'
    """
    return title.partition(":")[0].strip()

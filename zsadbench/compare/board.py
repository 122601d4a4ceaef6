"""The input of a report: all measured and published numbers, and the titles and domains of the data sets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd

from zsadbench.compare.deduplicate import drop_contradictions
from zsadbench.compare.frame import MEASURED, set_of
from zsadbench.compare.measured import measured, stated_paper, target_names
from zsadbench.compare.printed_papers import PrintedPaper, papers
from zsadbench.compare.published import Published, published_with
from zsadbench.data import all_cards
from zsadbench.records import Profile, Record, find_profiles, find_records
from zsadbench.selection import EVERYTHING, Selection

if TYPE_CHECKING:
    from zsadbench.compare.tables.layout import Table
    from zsadbench.types import Paper

OWN = "own images"  # the domain of a target that no card describes


class DataSet(NamedTuple):
    """How a target is shown: title, domain (`industrial`, `medical` or `own images`) and URL of its home page."""

    title: str
    domain: str
    homepage: str = ""


@dataclass(frozen=True, eq=False)
class Board:
    """All numbers of a report.

    Attributes:
        frame: one row per number, with the columns of `compare.frame.COLUMNS`; `source` is `measured` or the paper.
        records: path and content of every record that `frame` was made from.
        datasets: title, domain and home page by target.
        data_roots: folders in which a report that shows images looks for them; None for those of the environment.
        pictures: images chosen by hand for the qualitative grid, each `TARGET:PATH` with the path in the data set.
        selection: which rows were chosen, and how numbers are printed; `compare.choice.choose` applies it.
        left_out: what the selection left out: `methods`, `data sets` and `metrics`, each with its names.
        whole: the board before the selection, whose references are cited; None for a board without a selection.
        profiles: costs of methods alone, from `zsadbench profile --into`.
        papers: the papers of the published numbers by short name.
    """

    frame: pd.DataFrame
    records: Sequence[tuple[Path, Record]] = ()
    datasets: Mapping[str, DataSet] = field(default_factory=dict)
    data_roots: Sequence[Path] | None = None
    pictures: Sequence[str] = ()
    selection: Selection = EVERYTHING
    left_out: Mapping[str, Sequence[str]] = field(default_factory=dict)
    whole: Board | None = None
    profiles: Sequence[Profile] = ()
    papers: Mapping[str, PrintedPaper] = field(default_factory=papers)

    @property
    def measured(self) -> pd.DataFrame:
        """The rows of `frame` that come from records."""
        return self.frame[self.frame["source"] == MEASURED]

    @property
    def published(self) -> pd.DataFrame:
        """The rows of `frame` that come from papers."""
        return self.frame[self.frame["source"] != MEASURED]

    @cached_property
    def copies(self) -> Mapping[str, str]:
        """The name of the data set of every measured target that is one of several copies: `visa (3f9a)` → `visa`."""
        cells = [record.cell for _, record in self.records]
        names = dict(zip(target_names(cells), (str(cell["target"]["name"]) for cell in cells), strict=True))
        if not self.frame.empty:
            targets = self.measured[["target", "fingerprint"]].drop_duplicates().itertuples(index=False)
            names |= {str(target): set_of(str(target), str(fingerprint)) for target, fingerprint in targets}
        return {target: name for target, name in names.items() if target != name}

    @cached_property
    def own_papers(self) -> Mapping[str, Paper]:
        """Papers by method that records state, or that print numbers of their own method."""
        rows = self.published[self.published["computed_by"] == "original"][["method", "source"]].drop_duplicates()
        printed = {str(method): self.papers.get(str(source)) for method, source in rows.itertuples(index=False)}
        of_numbers = {method: about.own for method, about in printed.items() if about is not None and about.own}
        stated = {record.cell["method"]: stated_paper(record) for _, record in self.records}
        return of_numbers | {method: paper for method, paper in stated.items() if paper is not None}

    def set_of(self, target: str) -> str:
        """The name of the data set of a target, by which cards and papers know it."""
        return self.copies.get(target, target)

    def dataset(self, target: str) -> DataSet:
        """Title and domain of a target; its name as the title where no card describes it.

        The title of one of several copies ends like its name, with digits of the fingerprint.
        """
        name = self.set_of(target)
        found = self.datasets.get(name, DataSet(name, OWN))
        return found._replace(title=found.title + target.removeprefix(name))

    def ordered(self, targets: Sequence[str]) -> list[str]:
        """`targets` without repetitions: industrial sets, then medical ones, then others; else in the given order."""
        rank = {"industrial": 0, "medical": 1, OWN: 2}
        return sorted(dict.fromkeys(targets), key=lambda target: rank.get(self.dataset(target).domain, len(rank)))


class Report:
    """A report format, registered in the entry-point group `zsadbench.reports`.

    `write(board, out, templates)` returns the paths that it wrote. `out` is an existing folder; `templates` is a folder
    whose templates replace the report's own ones of the same name, or None. `write_tables(tables, title, path)` writes
    single tables as one file with the suffix of the format and returns its path; None for a format that cannot.
    """

    def __init__(
        self,
        write: Callable[[Board, Path, Path | None], Sequence[Path]],
        write_tables: Callable[[Sequence[Table], str, Path], Path] | None = None,
    ) -> None:
        self.write = write
        self.write_tables = write_tables


def board_of(
    results: Path | None, data_roots: Sequence[Path] | None = None, published: Published | None = None
) -> Board:
    """Collect published numbers (by default all of `papers()`) and the records below `results`.

    `data_roots` are those of `Board`. Records that cannot be read, or that contradict each other, are logged and left
    out.
    """
    published = published or published_with()
    records = drop_contradictions(find_records(results)) if results is not None else []
    ours = measured(records)
    frame = pd.concat([ours, published.frame], ignore_index=True) if len(ours) else published.frame
    datasets = {card.name: DataSet(card.title, card.domain, card.homepage) for card in all_cards()}
    profiles = list(find_profiles(results)) if results is not None else []
    return Board(frame, records, datasets, data_roots, profiles=profiles, papers=published.papers)

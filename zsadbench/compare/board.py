"""The input of a report: all measured and published numbers, and the titles and domains of the data sets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from zsadbench.compare.deduplicate import drop_contradictions
from zsadbench.compare.frame import MEASURED
from zsadbench.compare.measured import measured
from zsadbench.compare.published import read_published
from zsadbench.data import all_cards
from zsadbench.records import Record, find_records

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
    """

    frame: pd.DataFrame
    records: Sequence[tuple[Path, Record]] = ()
    datasets: Mapping[str, DataSet] = field(default_factory=dict)
    data_roots: Sequence[Path] | None = None

    @property
    def measured(self) -> pd.DataFrame:
        """The rows of `frame` that come from records."""
        return self.frame[self.frame["source"] == MEASURED]

    @property
    def published(self) -> pd.DataFrame:
        """The rows of `frame` that come from papers."""
        return self.frame[self.frame["source"] != MEASURED]

    def dataset(self, target: str) -> DataSet:
        """Title and domain of a target; its name as the title where no card describes it."""
        return self.datasets.get(target, DataSet(target, OWN))

    def ordered(self, targets: Sequence[str]) -> list[str]:
        """`targets` without repetitions: industrial sets, then medical ones, then others; else in the given order."""
        rank = {"industrial": 0, "medical": 1, OWN: 2}
        return sorted(dict.fromkeys(targets), key=lambda target: rank.get(self.dataset(target).domain, len(rank)))


class Report:
    """A report format, registered in the entry-point group `zsadbench.reports`.

    `write(board, out, templates)` returns the paths that it wrote. `out` is an existing folder; `templates` is a folder
    whose templates replace the report's own ones of the same name, or None.
    """

    def __init__(self, write: Callable[[Board, Path, Path | None], Sequence[Path]]) -> None:
        self.write = write


def board_of(results: Path | None, data_roots: Sequence[Path] | None = None) -> Board:
    """Collect all published numbers and the records below `results`; `data_roots` as in `Board`.

    Records that cannot be read, or that contradict each other, are logged and left out.
    """
    records = drop_contradictions(find_records(results)) if results is not None else []
    ours, published = measured(records), read_published()
    frame = pd.concat([ours, published], ignore_index=True) if len(ours) else published
    datasets = {card.name: DataSet(card.title, card.domain, card.homepage) for card in all_cards()}
    return Board(frame, records, datasets, data_roots)

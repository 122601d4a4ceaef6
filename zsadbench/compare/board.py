"""What a report gets: all measured and published numbers, and the titles and domains of the data sets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from zsadbench.compare.deduplicate import sound
from zsadbench.compare.frame import MEASURED
from zsadbench.compare.measured import measured
from zsadbench.compare.published import read_published
from zsadbench.data import all_cards
from zsadbench.records import Record, find_records

OWN = "own images"


class DataSet(NamedTuple):
    """How a target is shown: its title, `industrial`, `medical` or one's own images, and where it is at home."""

    title: str
    domain: str
    homepage: str = ""


@dataclass(frozen=True, eq=False)
class Board:
    """`frame` has the columns of `compare.frame.COLUMNS`; measured and published rows differ in `source`.

    `data_roots` is where a report that shows images looks for them; None leaves it to the environment.
    """

    frame: pd.DataFrame
    records: Sequence[tuple[Path, Record]] = ()
    datasets: Mapping[str, DataSet] = field(default_factory=dict)
    data_roots: Sequence[Path] | None = None

    @property
    def measured(self) -> pd.DataFrame:
        """The rows that records gave."""
        return self.frame[self.frame["source"] == MEASURED]

    @property
    def published(self) -> pd.DataFrame:
        """The rows that papers gave."""
        return self.frame[self.frame["source"] != MEASURED]

    def dataset(self, target: str) -> DataSet:
        """Title and domain of a target; its own name where no card knows it."""
        return self.datasets.get(target, DataSet(target, OWN))

    def ordered(self, targets: Sequence[str]) -> list[str]:
        """Industrial sets first, then medical ones, then one's own; within a domain as they came."""
        domains = ["industrial", "medical", OWN]
        return sorted(dict.fromkeys(targets), key=lambda name: _place(self.dataset(name).domain, domains))


class Report:
    """What the entry-point group `zsadbench.reports` holds: `write(board, out, templates)` → the paths it wrote.

    `out` is an existing folder; `templates` a folder whose templates stand before the report's own, or None.
    """

    def __init__(self, write: Callable[[Board, Path, Path | None], Sequence[Path]]) -> None:
        self.write = write


def board_of(results: Path | None, data_roots: Sequence[Path] | None = None) -> Board:
    """All published numbers, and the records below `results`; `data_roots` as in `Board`.

    Records that cannot be read, or contradict each other, are logged and left out.
    """
    records = sound(find_records(results)) if results is not None else []
    ours, theirs = measured(records), read_published()
    frame = pd.concat([ours, theirs], ignore_index=True) if len(ours) else theirs
    datasets = {card.name: DataSet(card.title, card.domain, card.homepage) for card in all_cards()}
    return Board(frame, records, datasets, data_roots)


def _place(domain: str, domains: Sequence[str]) -> int:
    return domains.index(domain) if domain in domains else len(domains)

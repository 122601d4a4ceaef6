"""Numbers printed in papers: shipped ones, those of packages in `zsadbench.published`, and those of the user's files.

Every number has the protocol, AUPRO variant, split, smoothing and backbone that it was computed with, and who computed
it: `original` (the authors of the method), `copied from PAPER` or `re-run by PAPER`. Each field is `unknown` where the
paper does not say. The split `card` is the one that the data set's card evaluates: the official test part, or all
images where there is none. Smoothing is the sigma of a Gaussian in pixels of the evaluated map.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from zsadbench.bibtex import BibtexError, read_entries
from zsadbench.card_faults import faults_of_paper
from zsadbench.compare.frame import COLUMNS, METRIC_OF_AUPRO, is_cost
from zsadbench.compare.number_table import NUMBERS, SOURCE, Row, read_number_table
from zsadbench.compare.printed_papers import PrintedPaper, label_of, papers, rows_of
from zsadbench.errors import DataError, UsageError
from zsadbench.types import Paper

log = logging.getLogger(__name__)

PRECISION = 10  # decimals of a fraction, more than any paper prints, without the last bits of a division


class Published(NamedTuple):
    """Published numbers and the papers that they come from, by short name."""

    frame: pd.DataFrame
    papers: Mapping[str, PrintedPaper]


def read_published() -> pd.DataFrame:
    """All numbers of `papers()`, with the columns of `frame.COLUMNS`: accuracies as fractions, costs as printed."""
    return pd.concat([frame_of(rows_of(paper), name) for name, paper in papers().items()], ignore_index=True)


def published_with(tables: Sequence[Path] = (), bibliographies: Sequence[Path] = ()) -> Published:
    """All numbers of `papers()`, then those of the user's files.

    Args:
        tables: CSV files with the columns `number_table.NUMBERS` and `SOURCE`.
        bibliographies: BibTeX files; an entry belongs to the paper whose name is its key.

    Raises:
        UsageError: a file cannot be read, or there are bibliographies without tables.
        DataError: files have faults; the message has all of them.
    """
    if bibliographies and not tables:
        raise UsageError("--bibtex has the references of --published; pass such a file, too")
    entries = _entries(bibliographies)
    found, frames = dict(papers()), [read_published()]
    faults: list[str] = []
    for path in tables:
        try:
            rows = read_number_table(_content(path), str(path), {**SOURCE, **NUMBERS})
            of_file = _papers_of(rows, path, entries)
            if taken := sorted(found.keys() & of_file.keys()):
                of = found[taken[0]].origin or "zsadbench"
                raise DataError(f"'{path}': the paper '{taken[0]}' is taken by {of}; give yours another name")
        except DataError as failure:
            faults.append(str(failure))
            continue
        if bibliographies and (lacking := sorted(of_file.keys() - entries.keys())):
            log.warning("no BibTeX entry has the key %s: one is made from the columns", ", ".join(lacking))
        found |= of_file
        frames += [frame_of([row for row in rows if row["paper"] == name], name) for name in of_file]
    if faults:
        raise DataError("\nerror: ".join(faults))
    return Published(pd.concat(frames, ignore_index=True), found)


def frame_of(rows: Sequence[Row], source: str) -> pd.DataFrame:
    """The rows of one paper, which were checked, with the columns of `frame.COLUMNS`."""
    frame = pd.DataFrame(rows, dtype=str)
    scale = frame["metric"].map(is_cost).map({True: 1.0, False: 100.0})
    frame["printed"] = frame["value"]
    frame["value"] = (frame["value"].astype("float64") / scale).round(PRECISION)
    frame["spread"] = (pd.to_numeric(frame["spread"]) / scale).round(PRECISION)
    frame["metric"] = [
        METRIC_OF_AUPRO[aupro] if metric == "pixel_aupro" else metric
        for metric, aupro in zip(frame["metric"], frame["aupro"], strict=True)
    ]
    frame = frame.rename(columns={"label": "entry"})
    frame["source"] = source
    frame[["digest", "seed", "reason", "signature", "fingerprint", "classes"]] = ""
    frame[["comparable", "official"]] = [True, False]
    return frame[COLUMNS]


def _papers_of(rows: Sequence[Row], path: Path, entries: Mapping[str, str]) -> dict[str, PrintedPaper]:
    """The papers that the rows of a file name.

    Raises:
        DataError: the facts of a paper are wrong.
    """
    found = {}
    for row in {row["paper"]: row for row in rows}.values():
        name = row["paper"]
        paper = Paper(
            row["paper_title"],
            row["paper_venue"],
            int(row["paper_year"] or 0),
            name,
            url=row["paper_url"],
            bibtex=entries.get(name, ""),
        )
        if faults := list(faults_of_paper(paper)):
            raise DataError(f"'{path}', paper '{name}': {'; '.join(faults)}")
        tables = {each["table"]: each["table_title"] for each in rows if each["paper"] == name}
        found[name] = PrintedPaper(name, label_of(paper.title) or name, paper, tables, path.name)
    return found


def _entries(paths: Sequence[Path]) -> dict[str, str]:
    """The BibTeX entries of all files by key.

    Raises:
        DataError: a file has faults, or a key of another one.
    """
    entries: dict[str, str] = {}
    faults: list[str] = []
    for path in paths:
        try:
            of_file = read_entries(_content(path).decode("utf-8-sig"))
            faults += [f"'{path}': the key '{key}' is in another file, too" for key in of_file if key in entries]
            entries |= of_file
        except BibtexError as failure:
            faults += [f"'{path}', {fault}" for fault in failure.faults]
        except UnicodeDecodeError:
            faults.append(f"'{path}' is no UTF-8")
    if faults:
        raise DataError("\nerror: ".join(faults))
    return entries


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as failure:
        raise UsageError(f"'{path}' cannot be read: {failure.strerror or failure}") from failure

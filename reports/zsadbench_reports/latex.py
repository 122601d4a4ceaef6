r"""Tables as LaTeX: files for `\input`, and `report.tex`, which contains all of them and compiles by itself.

`\zsbest`, `\zssecond`, `\zsapart` (not comparable) and `\zsspread` print the numbers, `\zscite` the references, whose
entries are in `references.bib`; a paper that defines these macros before `\input` changes how they print. The templates
are Jinja's, with the delimiters `((*`, `(((` and `((=`; values in them are escaped unless they are LaTeX already.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from itertools import count
from pathlib import Path

from jinja2 import ChoiceLoader, Environment, FileSystemLoader, PackageLoader, StrictUndefined

from zsadbench.compare import Board, Cell, Judged, Number, Report, Table, bibliography, blocks, contents_of, panels
from zsadbench.printing import one_line
from zsadbench.records import safe_name
from zsadbench_reports.files import write
from zsadbench_reports.sandbox import Sandbox, faults_named
from zsadbench_reports.tex import Tex, escape, letters_remark

MACROS = {"best": "zsbest", "second": "zssecond", "apart": "zsapart"}
VERDICTS = {"agrees": "zsagrees", "drifts": "zsdrifts"}  # others are printed plain
PAIRS, SPREADS, SINGLES = 8, 4, 9  # columns that fit across a page: pairs, with spreads, single numbers
TALL, FEWEST = 45, 5  # lines of a table that fit on a page; the least number of rows of a cut table
ACROSS, SENTENCE = 115, 30  # characters across a page; characters above which a column is set wide
LABEL, WIDE = 1.5, 3.0  # widths of the first column, and of one with sentences, relative to one of numbers


def write_latex(board: Board, out: Path, templates: Path | None) -> Sequence[Path]:
    """Write `main.tex`, `gaps.tex`, `per_class_TARGET.tex`, `breakdown.tex`, `cost.tex`, `ablation.tex`, `report.tex`,
    which contains all of them, and `references.bib` below `out`.

    Raises:
        UsageError: a template of `templates` is wrong.
    """
    contents = contents_of(board)
    files: dict[str, Sequence[Table]] = {"main": contents.main, "gaps": contents.gaps}
    files |= {f"per_class_{target}": tables for target, tables in contents.by_class.items()}
    files |= {"breakdown": contents.breakdown, "cost": contents.cost, "ablation": contents.ablation}
    environment = _environment(templates)
    with faults_named(templates):
        labels = Labels()
        written = [
            write(out, f"{name}.tex", _tables(environment, tables, labels))
            for name, tables in zip(distinct(map(safe_name, files)), files.values(), strict=True)
        ]
        names = [Tex(path.name) for path in written]
        whole = environment.get_template("report.tex.jinja").render(names=names)
    return [*written, write(out, "report.tex", whole), write(out, "references.bib", bibliography(board))]


def write_tables(tables: Sequence[Table], title: str, path: Path) -> Path:
    r"""Write single tables as `path` with the suffix `.tex`, for `\input`; the title is a comment."""
    source = _tables(_environment(None), tables, Labels())
    return write(path.parent, f"{path.name}.tex", f"% {one_line(title)}\n{source}")


def _environment(templates: Path | None) -> Environment:
    own = PackageLoader("zsadbench_reports")
    return Sandbox(
        loader=ChoiceLoader([FileSystemLoader(templates), own]) if templates else own,
        block_start_string="((*",
        block_end_string="*))",
        variable_start_string="(((",
        variable_end_string=")))",
        comment_start_string="((=",
        comment_end_string="=))",
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
        finalize=escape,
        autoescape=False,  # the output is LaTeX, and `finalize` escapes values
    )


def _tables(environment: Environment, tables: Sequence[Table], labels: Labels) -> str:
    """The content of one file: `tables`, cut to the size of a page."""
    template = environment.get_template("tables.tex.jinja")
    cut = [panel for table in tables for panel in panels(table, _columns(table), _lines(table))]
    source = template.render(
        tables=cut, blocks=blocks, cell=cell_text, label=labels.of, words=_words, widths=widths, cite=cite
    )
    return letters_remark(source) + source


def _columns(table: Table) -> int:
    """How many columns of `table` fit across a page."""
    cells = [cell for row in table.rows for cell in row.cells if not isinstance(cell, str)]
    if any(number.spread_text for cell in cells for number in cell):
        return SPREADS
    return PAIRS if any(len(cell) > 1 for cell in cells) else SINGLES


def _lines(table: Table) -> int:
    """How many rows of `table` fit on a page: fewer where labels or sentences take several lines."""
    shown = table if len(table.columns) <= _columns(table) else panels(table, _columns(table), len(table.rows))[0]
    room = [ACROSS * share / len(widths(shown)) for share in widths(shown)]  # characters per line of each column
    rows = [(row.label, *(cell if isinstance(cell, str) else "" for cell in row.cells)) for row in shown.rows]
    lines = [math.ceil(len(text) / width) for row in rows for text, width in zip(row, room, strict=True)]
    return max(FEWEST, TALL // max([1, *lines]))


def widths(table: Table) -> list[float]:
    """The widths of the first column and of all others, as multiples of their mean."""
    columns = zip(*(row.cells for row in table.rows), strict=True) if table.rows else ([] for _ in table.columns)
    longest = [max((len(cell) for cell in column if isinstance(cell, str)), default=0) for column in columns]
    shares = [LABEL, *(WIDE if length > SENTENCE else 1.0 for length in longest)]
    return [share * len(shares) / sum(shares) for share in shares]


def _words(table: Table, column: int) -> bool:
    """Whether a column has text, which is set ragged right instead of centred."""
    return any(isinstance(row.cells[column], str) for row in table.rows)


def cell_text(cell: Cell) -> Tex:
    """A cell as LaTeX: escaped text, one number, or several numbers in brackets."""
    if isinstance(cell, Judged) and cell.verdict in VERDICTS:
        return Tex(rf"\{VERDICTS[cell.verdict]}{{{escape(cell)}}}")
    if isinstance(cell, str):
        return escape(cell)
    if all(number.value is None for number in cell):
        return Tex("--")
    numbers = [_number(number) for number in cell]
    return Tex(numbers[0] if len(numbers) == 1 else f"({', '.join(numbers)})")


def _number(number: Number) -> str:
    text = number.text if number.value is not None else "--"
    marked = rf"\{MACROS[number.mark]}{{{text}}}" if number.mark else text
    return marked + (rf"\zsspread{{{number.spread_text}}}" if number.spread_text else "")


class Labels:
    r"""Unique names of tables for `\label`, of letters, digits and hyphens only."""

    def __init__(self) -> None:
        self._labels: dict[str, str] = {}

    def of(self, table: Table) -> Tex:
        """The label of a table; the same in every call."""
        if table.key not in self._labels:
            plain = "tab:zsadbench-" + re.sub(r"[^A-Za-z0-9]+", "-", table.key).strip("-")
            self._labels[table.key] = distinct([*self._labels.values(), plain])[-1]
        return Tex(self._labels[table.key])


def distinct(names: Iterable[str]) -> list[str]:
    """`names` with a number added to repeated ones.

    >>> distinct(["a", "b", "a"])
    ['a', 'b', 'a-2']
    """
    unique: list[str] = []
    for name in names:
        numbered = (f"{name}-{number}" if number > 1 else name for number in count(1))
        unique.append(next(candidate for candidate in numbered if candidate not in unique))
    return unique


def cite(key: str) -> Tex:
    r"""A `\zscite` of `key`, without characters that LaTeX could interpret."""
    return Tex(rf"\zscite{{{re.sub(r'[^A-Za-z0-9:._-]', '', key)}}}")


REPORT = Report(write_latex, write_tables)

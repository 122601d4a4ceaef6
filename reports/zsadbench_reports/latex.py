r"""Tables as LaTeX: files for `\input`, and `report.tex`, which contains all of them and compiles by itself.

`\zsbest`, `\zssecond`, `\zsapart` (not comparable) and `\zsspread` print the numbers, `\zscite` the references, whose
entries are in `references.bib`; a paper that defines these macros before `\input` changes how they print. The templates
are Jinja's, with the delimiters `((*`, `(((` and `((=`; values in them are escaped unless they are LaTeX already.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import count
from pathlib import Path

from jinja2 import ChoiceLoader, Environment, FileSystemLoader, PackageLoader, StrictUndefined

from zsadbench.compare import Board, Cell, Difference, Judged, Number, Report, Table, bibliography, blocks, contents_of
from zsadbench.compare.tables.layout import without_spreads
from zsadbench.printing import one_line
from zsadbench.records import safe_name
from zsadbench_reports.files import SINGLES, write
from zsadbench_reports.sandbox import Sandbox, faults_named
from zsadbench_reports.tex import Tex, escape, letters_remark
from zsadbench_reports.tex_widths import fits, layouts

MACROS = {"best": "zsbest", "second": "zssecond", "apart": "zsapart"}
VERDICTS = {"agrees": "zsagrees", "drifts": "zsdrifts"}  # others are printed plain


def write_latex(board: Board, out: Path, templates: Path | None) -> Sequence[Path]:
    """Write `main.tex`, `gaps.tex`, `per_class_TARGET.tex`, `breakdown.tex`, `cost.tex`, `ablation.tex`, `spreads.tex`
    with standard deviations that do not fit into the other tables, `report.tex`,
    which contains all of them, `references.bib`, and every table alone, `tables/KEY.tex`, below `out`.

    Raises:
        UsageError: a template of `templates` is wrong.
    """
    contents = contents_of(board)
    files: dict[str, Sequence[Table]] = {"main": contents.main, "gaps": contents.gaps}
    files |= {f"per_class_{target}": tables for target, tables in contents.by_class.items()}
    files |= {"breakdown": contents.breakdown, "cost": contents.cost, "ablation": contents.ablation}
    spreads = [table for whole in contents.all() for table in _without_spreads(whole)[1:]]
    files = {name: [_without_spreads(table)[0] for table in tables] for name, tables in files.items()}
    files |= {"spreads": spreads} if spreads else {}
    environment = _environment(templates)
    with faults_named(templates):
        labels = Labels()
        written = [
            write(out, f"{name}.tex", _tables(environment, tables, labels))
            for name, tables in zip(distinct(map(safe_name, files)), files.values(), strict=True)
        ]
        names = [Tex(path.name) for path in written]
        whole = environment.get_template("report.tex.jinja").render(names=names)
    return [
        *written,
        write(out, "report.tex", whole),
        write(out, "references.bib", bibliography(board)),
        *write_alone(contents.all(), out, templates),
    ]


def write_alone(tables: Sequence[Table], out: Path, templates: Path | None) -> list[Path]:
    r"""Write `tables/KEY.tex` below `out` for each of the tables, in one column of a page of two where it fits.

    The labels differ from those of the other files, as a paper may `\input` both.

    Raises:
        UsageError: a template of `templates` is wrong.
    """
    folder, labels = out / SINGLES, Labels("tab:zsadbench-alone-")
    folder.mkdir(exist_ok=True)
    names, environment = distinct(safe_name(table.key) for table in tables), _environment(templates)
    with faults_named(templates):
        return [
            write(folder, f"{name}.tex", _tables(environment, _without_spreads(table), labels, narrow=True))
            for name, table in zip(names, tables, strict=True)
        ]


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


def _tables(environment: Environment, tables: Sequence[Table], labels: Labels, *, narrow: bool = False) -> str:
    """The content of one file: `tables`, cut to the size of a page; with `narrow` in one column where they fit."""
    template = environment.get_template("tables.tex.jinja")
    parts = [part for table in tables for part in layouts(table, narrow=narrow)]
    cut = [part.table for part in parts]
    source = template.render(
        layouts=parts, tables=cut, blocks=blocks, cell=cell_text, label=labels.of, words=_words, cite=cite
    )
    return letters_remark(source) + source


def _without_spreads(table: Table) -> list[Table]:
    """The table; where it does not fit across a page with its standard deviations, without, and a second of these."""
    if fits(table) or not any(number.spread_text for number in table.numbers):
        return [table]
    return without_spreads(table)


def _words(table: Table, column: int) -> bool:
    """Whether a column has text, which is set ragged right instead of centred."""
    return any(isinstance(row.cells[column], str) for row in table.rows)


def cell_text(cell: Cell) -> Tex:
    """A cell as LaTeX: escaped text, one number, or several numbers in brackets."""
    if isinstance(cell, Judged) and cell.verdict in VERDICTS:
        return Tex(rf"\{VERDICTS[cell.verdict]}{{{escape(cell)}}}")
    if isinstance(cell, Difference):  # no line ends between a sign and its number
        return Tex(" ".join(rf"\mbox{{{escape(word)}}}" for word in cell.split()))
    if isinstance(cell, str):
        return escape(cell)
    if all(number.value is None and not number.remark for number in cell):
        return Tex("--")
    numbers = [_number(number) for number in cell]
    remark = next((rf"\zspart{{{escape(number.remark)}}}" for number in cell if number.remark), "")
    return Tex((numbers[0] if len(numbers) == 1 else f"({', '.join(numbers)})") + remark)


def _number(number: Number) -> str:
    text = number.text if number.value is not None else "--"
    marked = rf"\{MACROS[number.mark]}{{{text}}}" if number.mark else text
    return marked + (rf"\zsspread{{{number.spread_text}}}" if number.spread_text else "")


class Labels:
    r"""Unique names of tables for `\label`, of letters, digits and hyphens only."""

    def __init__(self, prefix: str = "tab:zsadbench-") -> None:
        self._prefix = prefix
        self._labels: dict[str, str] = {}

    def of(self, table: Table) -> Tex:
        """The label of a table; the same in every call."""
        if table.key not in self._labels:
            plain = self._prefix + re.sub(r"[^A-Za-z0-9]+", "-", table.key).strip("-")
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

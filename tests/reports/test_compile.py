"""Every `.tex` compiles without a warning about its width, hostile names included.

`ZSADBENCH_NEEDS_TEX` (as `make check-tex` sets it) turns a missing pdflatex from a skip into a failure.
"""

import gzip
import json
import os
import re
import shutil
import subprocess

import pytest

from zsadbench.compare import Board, Selection, bibliography, choose
from zsadbench.compare.tables.beside_published import beside_published_tables
from zsadbench.compare.tables.measured import class_tables, main_tables
from zsadbench.records import identity
from zsadbench_reports.latex import write_alone, write_latex

HOSTILE = [
    "<script>alert(1)</script>",
    r"\input{/etc/passwd}",
    "{{ 7*7 }}",
    "((( 7*7 )))",
    "a_b%c&d#e$f^g~h",
    "naïve Ångström 中文 ☃",
    "x" * 60,
]


@pytest.fixture(scope="module", autouse=True)
def tex():
    if shutil.which("pdflatex") is None:
        where = "no pdflatex on PATH; Debian has it in texlive-latex-recommended and texlive-latex-extra"
        (pytest.fail if os.environ.get("ZSADBENCH_NEEDS_TEX") else pytest.skip)(where)


def compile_tex(folder, engine="pdflatex"):
    """The last log of an engine on `report.tex` in `folder`, and that of BibTeX."""
    latex = [engine, "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "report.tex"]
    for command in (latex, ["bibtex", "report"], latex, latex):
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, errors="replace", timeout=300, check=False
        )
        assert done.returncode == 0, done.stdout[-2000:]
    return (folder / "report.log").read_text(errors="replace") + (folder / "report.blg").read_text()


def complaints(log):
    """Warnings about width, height, undefined references, and incomplete BibTeX entries."""
    return re.findall(
        r"Overfull[^\n]*|Float too large[^\n]*|LaTeX Warning: [^\n]*|undefined[^\n]*|Missing character[^\n]*"
        r"|Warning--[^\n]*",
        log,
    )


def test_the_published_tables_compile(make_board, tmp_path):
    write_latex(make_board([]), tmp_path, None)
    assert complaints(compile_tex(tmp_path)) == []


def test_many_measured_numbers_compile(make_board, make_record, tmp_path):
    methods = ("fbclip", "anomalyclip", "afclip", "clip", "winclip")
    targets = ("visa", "btad", "mpdd", "dagm", "dtd", "mvtec", "colondb")
    records = [
        make_record(name, target, {"metal_nut": 0.9 - place / 50 + seed / 100}, seed=seed)
        for place, name in enumerate(methods)
        for target in targets
        for seed in (0, 1)
    ]
    records += [make_record("fbclip", target, {"metal_nut": 0.8}, options={"views": "id+sem"}) for target in targets]
    write_latex(make_board(records), tmp_path, None)
    assert complaints(compile_tex(tmp_path)) == []


def test_breakdowns_compile(make_board, make_record, tmp_path):
    """Records with details, of more methods than fit across a page."""
    part = {"images": 20, "prevalence": 0.0123, "undefined": {}}
    part["metrics"] = dict.fromkeys(("image_auroc", "image_ap", "pixel_auroc", "pixel_aupro", "pixel_ap"), 0.9)
    names = ["class", "area=1", "regions=3-5", "regions=6+", "border=touching", "view=C1"]
    parts = dict.fromkeys([*names, *(f"defect=scratch_{number} & 10%" for number in range(50))], part)
    settings = {"level": 0.95, "resamples": 10, "unit": "image", "seed": 0}
    side = {"parts": parts, "curves": {}, "intervals": {}, "interval_settings": settings}
    records = []
    for name in ("fbclip", "anomalyclip", "afclip", "clip", "winclip", "adaclip", "faprompt"):
        record = make_record(name, "visa", {"pipe_fryum": 0.9})
        path = tmp_path / f"{identity(record.cell)[:16]}.json"
        content = {"schema": 1, "identity": identity(record.cell), "area_edges": None, "classes": {"pipe_fryum": side}}
        path.with_suffix(".details.json.gz").write_bytes(gzip.compress(json.dumps(content).encode()))
        records.append((path, record))
    board = make_board([record for _, record in records])
    (tmp_path / "out").mkdir()
    write_latex(Board(board.frame, records, board.datasets), tmp_path / "out", None)
    assert complaints(compile_tex(tmp_path / "out")) == []
    text = (tmp_path / "out" / "breakdown.tex").read_text()
    rows = text.count(r"pipe\_\allowbreak{}fryum:\allowbreak{} scratch")
    assert rows == 50 * 3  # two pairs of metrics and one metric, each of them unsplit


def test_hostile_names_compile_and_are_printed_as_they_are(make_board, make_record, tmp_path):
    records = [
        make_record(name, "demo", {"a_b": 0.9, HOSTILE[0]: 0.8}, seed=seed) for name in HOSTILE for seed in (0, 1)
    ]
    records += [make_record("clip", "folder:" + HOSTILE[1], {HOSTILE[2]: 0.5}, because=[HOSTILE[4]])]
    write_latex(make_board(records), tmp_path, None)
    assert [line for line in complaints(compile_tex(tmp_path)) if "Overfull" not in line] == []
    text = (tmp_path / "main.tex").read_text()
    assert r"\input" not in text.replace(r"before \input", "")
    assert "49" not in re.sub(r"\d+\.\d", "", text.partition("FB-")[0])


def test_ablations_of_the_papers_compile_beside_ours(make_board, make_record, tmp_path):
    paper = {"protocol": {"name": "paper:fbclip", "digest": "d" * 12}}
    base = {"poolings": ["eot"], "views": ["id"], "fb_attention": False, "bs": False, "scr": False}
    records = [
        make_record("fbclip", target, {"x": 0.9 - seed / 50}, options=options, seed=seed, **paper)
        for target in ("mvtec", "visa")
        for options in (base, {})
        for seed in (0, 1)
    ]
    write_latex(make_board(records), tmp_path, None)
    assert complaints(compile_tex(tmp_path)) == []
    assert "fbclip-table2-measured-1" in (tmp_path / "ablation.tex").read_text()


LETTERS = (
    "µ-solder",
    "Ω coil, 5 °C, m²",
    "дверь",
    "瓶盖",
    "Łódź č ő ş ğ ż",
    "“quoted” – ‘so’ …",
    "αβγδεζηθικλμνξοπρςστυφχψω ΓΔΘ",
    "ð Þ ą",
)


@pytest.mark.parametrize("engine", ["pdflatex", "xelatex", "lualatex"])
def test_letters_of_many_scripts_compile_with_every_engine(make_board, make_record, tmp_path, engine):
    if shutil.which(engine) is None:
        pytest.skip(f"no {engine} on PATH; Debian has it in texlive-xetex or texlive-luatex")
    write_latex(make_board([make_record("clip", "folder:many", dict.fromkeys(LETTERS, 0.9))]), tmp_path, None)
    source = (tmp_path / "per_class_folder-many.tex").read_text()
    assert "% pdfLaTeX prints the codes of these letters" in source.splitlines()[0]
    assert "д (U+0434)" in source.splitlines()[0]
    log = compile_tex(tmp_path, engine)
    assert [line for line in complaints(log) if "Overfull" not in line] == []


TWO_COLUMNS = r"""\documentclass[10pt,twocolumn]{article}
\usepackage[utf8]{inputenc}
\usepackage{booktabs,tabularx}
\usepackage[textwidth=6.875in,textheight=9in,columnsep=0.3125in]{geometry}
\extrafloats{500}
\begin{document}
"""
END = "\n\\bibliographystyle{plain}\n\\bibliography{references}\n\\end{document}\n"


def compile_alone(board, tables, folder):
    """The log of a two-column paper that contains each of the tables by `\\input` of its own file."""
    written = write_alone(tables, folder, None)
    inputs = "\n".join(rf"\input{{tables/{path.name}}} Some words of the paper." for path in written)
    (folder / "report.tex").write_text(TWO_COLUMNS + inputs + END)
    (folder / "references.bib").write_text(bibliography(board))
    return compile_tex(folder)


def test_every_published_table_fits_a_two_column_paper_alone(make_board, tmp_path):
    from zsadbench.compare import contents_of

    board = make_board([])
    assert complaints(compile_alone(board, contents_of(board).all(), tmp_path)) == []
    narrow = [path.name for path in (tmp_path / "tables").iterdir() if r"\begin{table}" in path.read_text()]
    assert {"fbclip-table10.tex", "fbclip-table12.tex", "fbclip-table13-cost.tex"} <= set(narrow)
    assert "fbclip-table1.tex" not in narrow


METHODS = (
    *("winclip", "clip", "aprilgan", "anomalyclip", "adaclip", "aaclip", "afclip", "faprompt", "mfpclip", "fbclip"),
)
SETS = (
    *("mvtec", "visa", "mpdd", "btad", "dagm", "dtd", "realiad", "headct", "brainmri", "br35h", "isic", "clinicdb"),
    *("colondb", "kvasir", "endo", "tn3k"),
)


def test_ten_methods_on_sixteen_data_sets_are_one_table_on_one_page(make_board, make_record, tmp_path):
    records = [
        make_record(
            name,
            target,
            {"x": 0.5 + ((7 * place + 13 * row + seed) % 49) / 100},
            seed=seed,
            signature=f"{name}|ViT-L-14-336:openai|aux:mvtec|size:518|strict|fp32|seed:{seed}|{place}{row}{seed}",
        )
        for place, name in enumerate(METHODS)
        for row, target in enumerate(SETS)
        for seed in range(3)
    ]
    board = make_board(records)
    log = compile_alone(board, main_tables(board), tmp_path)
    assert complaints(log) == []
    text = (tmp_path / "tables" / "measured-1.tex").read_text()
    numbers, spreads = text.split(r"\end{table*}")[:2]
    assert "part 1 of" not in text
    assert numbers.count(" & (") == 10 * (16 * 2 + 2 * 4)
    assert spreads.count(" & (") == 10 * 16 * 2
    assert all(rf"\hspace{{0pt}}{name}" in numbers for name in METHODS)
    assert r"CVPR 2026\zscite{hu2026fbclip}" in numbers
    assert r"\zsspread{" not in numbers.partition(r"\begin{table*}")[2]


def test_ones_own_columns_beside_a_paper_and_by_class_fit_a_two_column_paper(make_board, make_record, tmp_path):
    records = [
        make_record(name, target, {"metal_nut": 0.9 + seed / 50, "cable": 0.8}, seed=seed)
        for name in ("own", "clip")
        for target in ("mvtec", "visa", "brainmri", "colondb")
        for seed in (0, 1)
    ]
    part = ["the target or auxiliary data are incomplete or too large"]
    records.append(make_record("half", "mvtec", {"metal_nut": 0.9, "cable": 0.8}, partial=True, because=part))
    board = choose(make_board(records), Selection(paper="fbclip:table1"))
    by_class = [table for tables in class_tables(board).values() for table in tables]
    tables = [*beside_published_tables(board), *main_tables(board), *by_class]
    assert complaints(compile_alone(board, tables, tmp_path)) == []
    assert r"\zspart{2 of 15 classes}" in (tmp_path / "tables" / "measured-1.tex").read_text()

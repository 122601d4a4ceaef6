"""Published numbers of one's own: marked with their source, cited, and never mixed with measured ones."""

import sys
from importlib.metadata import EntryPoint

import pandas as pd
import pytest

from zsadbench import registry
from zsadbench.compare import Board, bibliography, board_of, choose, contents_of
from zsadbench.compare.gap import gaps
from zsadbench.compare.groups import groups
from zsadbench.compare.measured import measured
from zsadbench.compare.paper_rows import find_table, table_names
from zsadbench.compare.printed_papers import papers, read_package
from zsadbench.compare.published import published_with
from zsadbench.errors import DataError, UsageError
from zsadbench.selection import Selection
from zsadbench_reports.html import write_html
from zsadbench_reports.latex import write_latex
from zsadbench_reports.markdown import write_markdown

HEADER = "paper,paper_title,paper_venue,paper_year,paper_url,table,method,label,target,class,metric,value,backbone,note"
FACTS = 'doe2027,"Glow<b>: 100% of Light_& $x$",ICXX,2027,https://example.org/glow,2'
TABLE = f"""{HEADER},computed_by
{FACTS},glow,Glow<i>,mvtec,,image_auroc,93.15,ViT-L-14-336,<script>alert(1)</script>,original
{FACTS},glow,Glow<i>,mvtec,bottle,image_auroc,99.1,,,original
{FACTS},glow,Glow<i>,mvtec,,pixel_pro,1,,,original
{FACTS},fbclip,FB-CLIP,mvtec,,image_auroc,92.0,,,re-run by doe2027
""".replace("pixel_pro,1", "pixel_f1max,41.2")
ENTRY = "@article{doe2027, title = {Glow}, author = {Doe, Jane}, year = {2027}}"


@pytest.fixture
def files(tmp_path):
    (tmp_path / "mine.csv").write_text(TABLE)
    (tmp_path / "mine.bib").write_text(ENTRY)
    return tmp_path / "mine.csv", tmp_path / "mine.bib"


@pytest.fixture
def board(files):
    return board_of(None, published=published_with(files[:1], files[1:]))


def printed(board):
    return {table.key: table for table in contents_of(board).all() if table.key.startswith("doe2027")}


def test_own_numbers_are_tables_of_their_own_with_source_and_conditions(board):
    tables = printed(board)
    assert list(tables) == ["doe2027-table2", "doe2027-table2-Glow-i-on-mvtec"]
    main = tables["doe2027-table2"]
    assert main.caption == "Glow<b> (ICXX 2027), Table 2. As published."
    assert main.columns == ("Glow<i>", "FB-CLIP")
    assert main.notes[0] == (
        "Published numbers of Glow<b>: 100% of Light_& $x$ (ICXX, 2027, https://example.org/glow); from mine.csv."
    )
    assert main.notes[1].startswith("Conditions: backbone ViT-L-14-336, unknown; unknown: protocol, split")
    assert [number.text for number in main.rows[0].cells[0]] == ["93.15"]
    assert "P-F1" in main.rows[1].block
    assert (board.measured.empty, set(board.published["source"]) - set(papers())) == (True, {"doe2027"})


def test_they_are_cited_with_their_own_entry(board, files):
    assert "doe2027" in [key for _, key in printed(board)["doe2027-table2"].cites]
    assert bibliography(board).count(ENTRY) == 1
    made_up = bibliography(board_of(None, published=published_with(files[:1])))
    assert "title = {{Glow\\textless{}b\\textgreater{}: 100\\% of Light\\_\\& \\$x\\$}}" in made_up
    assert printed(board)["doe2027-table2"].venues[0] == ("ICXX 2027", "doe2027")


def test_a_table_of_ones_own_stands_beside_measured_numbers(files, make_record, tmp_path):
    published = published_with(files[:1])
    records = [(tmp_path / "a.json", make_record("clip", "mvtec", {"bottle": 0.9}))]
    plain = board_of(None, published=published)
    frame = pd.concat([measured(records), published.frame], ignore_index=True)
    board = choose(type(plain)(frame, records, plain.datasets, papers=plain.papers), Selection(paper="doe2027:table2"))
    (table,) = [table for table in contents_of(board).main if "beside measured" in table.caption]
    assert table.columns == ("Glow<i>", "FB-CLIP", "clip")
    assert set(board.published["source"]) == {"doe2027"}
    assert not set(board.measured["source"]) & {"doe2027"}


def test_measured_maps_of_a_method_are_judged_by_the_numbers_of_its_authors(tmp_path, make_record):
    header = "paper,paper_title,method,target,metric,value,protocol,split,backbone,computed_by"
    row = "glow2027,Glow,glow,visa,image_auroc,{},strict,card,ViT-L-14-336,original"
    (tmp_path / "k.csv").write_text(
        "\n".join([header, row.format("91.2"), row.format("80.0").replace("visa", "mvtec")])
    )
    published = published_with([tmp_path / "k.csv"])
    facts = {"trained": False, "weights": "openai", "image_size": 518}
    maps = {"maps": {"digest": "c" * 64, "image_score": "scores.csv"}, "external": True, "declared": facts}
    records = [("a", make_record("glow", "visa", {"x": 0.91}, **maps)), ("b", make_record("glow", "mvtec", {"x": 0.9}))]
    records[1][1].cell.update(maps)
    frame = pd.concat([measured(records), published.frame], ignore_index=True)
    found = {gap.target: (gap.entry, gap.paper, gap.verdict, gap.because) for gap in gaps(frame)}
    assert found == {
        "visa": ("glow [external]", "glow2027", "agrees", ""),
        "mvtec": ("glow [external]", "glow2027", "drifts", ""),
    }
    board = Board(frame, records, {}, papers=published.papers)
    assert board.own_papers["glow"].title == "Glow"  # its authors print the numbers
    (note,) = [note for note in groups(board)[0].notes if note.startswith("glow [external]: declared")]
    assert note == (
        "glow [external]: declared by its authors: training-free; weights openai; input 518 px; no paper declared; "
        "no code declared."
    )


def test_costs_ablations_and_classes_of_several_rows_need_no_description(tmp_path):
    header = "paper,paper_title,table,method,variant,label,target,class,shots,metric,value"
    rows = [
        *("k,One,1,m,,M,,,0,inference_time_ms,12.5", "k,One,1,m,,M,mvtec,,0,image_auroc,93.1"),
        *("k,One,A.3,m,no text,M-,mvtec,,0,image_auroc,90.1", "k,One,A.3,m,,M,mvtec,,0,image_auroc,93.1"),
        *("k,One,5,m,,M,visa,candle,0,image_auroc,93.1", "k,One,5,m,,M,visa,pcb1,full,pixel_f1max,93.1"),
        "k,One,6,m,,M,folder:cups,,4,pixel_aupro,81.5",
    ]
    (tmp_path / "k.csv").write_text("\n".join([header, *rows]))
    board = board_of(None, published=published_with([tmp_path / "k.csv"]))
    contents = contents_of(board)
    assert [table.key for table in contents.cost if table.key.startswith("k-")] == ["k-table1-cost"]
    assert [table.key for table in contents.ablation if table.key.startswith("k-")] == ["k-tableA.3"]
    assert [table.key for table in contents.by_class["visa"] if table.key.startswith("k-")] == ["k-table5"]
    assert [table.key for table in contents.main if table.key.startswith("k-")] == ["k-table1", "k-table6"]
    main = next(table for table in contents.main if table.key == "k-table1")
    assert [(row.label, [number.text for number in row.cells[0]]) for row in main.rows] == [("MVTec AD", ["93.1"])]
    write_html(board, tmp_path, None)


def test_every_format_escapes_what_a_file_says(board, tmp_path):
    for write in (write_html, write_latex, write_markdown):
        write(board, tmp_path, None)
    html = (tmp_path / "index.html").read_text()
    assert "<script>alert(1)" not in html
    assert "Glow<b>" not in html
    assert r"Glow\textless{}b\textgreater{}" in (tmp_path / "main.tex").read_text()
    assert "Glow<b>" not in (tmp_path / "table.md").read_text()


def test_a_name_is_that_of_one_paper(files, tmp_path):
    (tmp_path / "other.csv").write_text(TABLE)
    (tmp_path / "theirs.csv").write_text(TABLE.replace("doe2027", "fbclip"))
    with pytest.raises(DataError) as raised:
        published_with((files[0], tmp_path / "other.csv", tmp_path / "theirs.csv"))
    first, second = str(raised.value).split("\nerror: ")
    assert "other.csv': the paper 'doe2027' is taken by mine.csv" in first
    assert "theirs.csv': the paper 'fbclip' is taken by zsadbench" in second


def test_bibliographies_are_checked(files, tmp_path):
    (tmp_path / "bad.bib").write_text("@misc{a, title = {x}\n@misc{b year = 1}")
    with pytest.raises(DataError, match=r"bad\.bib', line 2: 'a' lacks(.|\n)*'b' lacks"):
        published_with(files[:1], (tmp_path / "bad.bib",))
    with pytest.raises(DataError, match="the key 'doe2027' is in another file"):
        published_with(files[:1], (files[1], files[1]))
    with pytest.raises(UsageError, match="pass such a file, too"):
        published_with((), files[1:])
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        published_with((tmp_path / "none.csv",))


PAPERS = """
[glow]
title = "GlowCLIP: Light"
venue = "ICXX"
year = 2027
key = "doe2027"

[glow.tables]
1 = "main results"
2 = "cost"
"""
NUMBERS = """table,method,target,metric,value,computed_by
1,glow,visa,image_auroc,92.4,original
2,glow,,gflops,12.5,original
"""
DESCRIBED = """
targets = ["visa"]

[[rows]]
label = "glow"
method = "clip"
protocol = "strict"
aupro = "exact"
seeds = [0]
backbone = "ViT-L-14-336"
weights = "openai"
"""


@pytest.fixture
def package(tmp_path, monkeypatch):
    """`package(**files)`: a package in the group `zsadbench.published`; a file that is None is left out."""
    real = registry._points
    monkeypatch.setattr(registry, "_said", set())
    monkeypatch.syspath_prepend(tmp_path)

    def install(**changes):
        root = tmp_path / "their_numbers"
        content = {"__init__.py": "", "papers.toml": PAPERS, "glow.csv": NUMBERS, "references.bib": ENTRY}
        for name, text in (content | {"glow/table1.toml": DESCRIBED} | changes).items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            if text is not None:
                (root / name).write_text(text)
        theirs = {"theirs": EntryPoint("theirs", "their_numbers", "zsadbench.published")}
        monkeypatch.setattr(registry, "_points", lambda group: theirs if group == "published" else real(group))
        sys.modules.pop("their_numbers", None)
        clear()

    def clear():
        from zsadbench.compare import paper_rows

        papers.cache_clear()
        paper_rows._published.cache_clear()

    yield install
    monkeypatch.undo()
    clear()


def test_a_package_brings_numbers_references_and_tables_to_reproduce(package):
    package()
    paper = read_package("theirs")["glow"]
    assert (paper.title, paper.origin, paper.paper.bibtex) == ("GlowCLIP (ICXX 2027)", "package their_numbers", ENTRY)
    board = board_of(None)
    assert board.frame[board.frame["source"] == "glow"]["value"].tolist() == [0.924, 12.5]
    assert ENTRY in bibliography(board)
    assert [name for name in table_names() if name.startswith("glow")] == ["glow:table1"]  # table 2 is not described
    table = find_table("glow:table1")
    assert table.title == "GlowCLIP (ICXX 2027), Table 1: main results"
    assert table.published()["printed"].tolist() == ["92.4"]


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"papers.toml": None}, "no folder with a papers.toml that can be read"),
        ({"papers.toml": "["}, "no folder with a papers.toml that can be read"),
        ({"papers.toml": PAPERS.replace('title = "GlowCLIP: Light"', "")}, "field 'title' is missing"),
        ({"papers.toml": PAPERS + '\n[glow.more]\nx = "y"'}, "field 'more' is unknown"),
        ({"papers.toml": PAPERS.replace("[glow", "[fbclip")}, "'fbclip.csv' cannot be read"),
        ({"papers.toml": PAPERS.replace("2027", "27")}, "'paper.year' is 27"),
        ({"glow.csv": None}, "'glow.csv' cannot be read"),
        ({"glow.csv": NUMBERS.replace("visa", "vsia")}, "'glow.csv', line 2: no data set named 'vsia'"),
        ({"glow.csv": NUMBERS.replace("\n2,", "\n3,")}, "glow.csv has Table 3, which papers.toml does not list"),
        ({"references.bib": "@misc{x"}, "references.bib', line 1"),
    ],
)
def test_a_package_with_faults_is_left_out_alone_and_named(package, caplog, changes, fault):
    package(**changes)
    assert "glow" not in papers()
    assert {"fbclip", "afclip", "mfpclip"} <= papers().keys()
    (said,) = [record.getMessage() for record in caplog.records]
    assert said.startswith("published numbers 'theirs' are left out: ")
    assert fault in said


def test_a_package_cannot_take_the_name_of_a_shipped_paper(package, caplog):
    package(**{"papers.toml": PAPERS.replace("[glow", "[fbclip"), "fbclip.csv": NUMBERS})
    assert papers()["fbclip"].origin == ""
    assert "the paper 'fbclip' is there already" in caplog.text


def test_a_package_that_cannot_be_imported_is_left_out(package, caplog):
    package(**{"__init__.py": "import nothing_of_this_name"})
    assert "glow" not in papers()
    assert "cannot be loaded" in caplog.text

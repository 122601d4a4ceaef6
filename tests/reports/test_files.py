"""The files of `zsadbench report`: names, escaping, and messages when something is wrong."""

import json
import re
import subprocess
import sys

import pandas as pd
import pytest

from zsadbench.cli import app
from zsadbench.compare import Number, Report, Row, Table
from zsadbench.errors import UsageError, ZsadError
from zsadbench.records import find_records, record_path, write_record
from zsadbench_reports.latex import write_latex
from zsadbench_reports.markdown import cell_text, escape, table_text, write_markdown
from zsadbench_reports.tex import escape as escape_tex
from zsadbench_reports.tidy import write_tidy


def report(*arguments):
    return subprocess.run(
        [sys.executable, "-c", "from zsadbench.cli import main; main()", "report", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )


def write_to(folder, record):
    path = record_path(folder, record.cell)
    path.parent.mkdir(parents=True)
    images = {"path": "x", "class": "candle", "label": 0, "defect": "", "score": 0.5, "seconds": 0.1}
    write_record(path, record, pd.DataFrame([images]))
    return path


def test_the_verb_writes_all_formats_and_prints_their_paths(make_record, tmp_path):
    write_to(tmp_path / "results", make_record("fbclip", "visa", {"candle": 0.9}))
    done = report("--results", tmp_path / "results", "--out", tmp_path / "out", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    names = {json.loads(line)["path"].rpartition("/")[2] for line in done.stdout.splitlines()}
    assert names == {path.name for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert names >= {
        "main.tex",
        "per_class_visa.tex",
        "cost.tex",
        "ablation.tex",
        "table.md",
        "results.csv",
        "results.parquet",
    }
    frame = pd.read_parquet(tmp_path / "out" / "results.parquet")
    assert set(frame["source"]) == {"measured", "fbclip", "afclip", "mfpclip"}
    assert len(pd.read_csv(tmp_path / "out" / "results.csv")) == len(frame)


def test_no_records_and_unreadable_ones_are_said_and_the_rest_is_made(make_record, tmp_path):
    path = write_to(tmp_path / "results", make_record("fbclip", "visa", {"candle": 0.9}))
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"schema": 99}))
    done = report("--results", tmp_path / "results", "--out", tmp_path / "out", "--format", "csv")
    assert done.returncode == 0
    assert str(path) in done.stderr
    assert "published numbers only" in done.stderr
    assert len(done.stdout.splitlines()) == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["--format", "latx"], "did you mean 'latex'?"), (["--templates", "nowhere"], "'nowhere' is no folder")],
)
def test_usage_errors_are_one_line_and_exit_2(tmp_path, arguments, said):
    done = report("--out", tmp_path / "out", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("below", ["", "sub"])
def test_a_file_in_the_place_of_the_report_is_a_usage_error(tmp_path, below):
    (tmp_path / "taken").write_text("mine")
    arguments = ["report", "--results", str(tmp_path), "--format", "csv", "--out", str(tmp_path / "taken" / below)]
    with pytest.raises(UsageError, match=r"--out '.*' cannot be written: '.*' is no folder"):
        app(arguments, standalone_mode=False)
    assert (tmp_path / "taken").read_text() == "mine"


def test_a_file_in_the_place_of_the_results_is_a_usage_error(tmp_path):
    (tmp_path / "one.json").write_text("{}")
    with pytest.raises(UsageError, match=r"--results: .* is a file; name the folder"):
        app(["report", "--results", str(tmp_path / "one.json"), "--format", "csv"], standalone_mode=False)


def test_records_nested_too_deep_or_with_words_for_costs_are_named_and_skipped(make_record, tmp_path, caplog):
    deep = write_to(tmp_path, make_record("deep", "visa", {"candle": 0.9}))
    deep.write_text("[" * 200_000)
    words = write_to(tmp_path, make_record("words", "visa", {"candle": 0.9}))
    words.write_text(json.dumps(json.loads(words.read_text()) | {"cost": {"peak_host_mib": "much"}}))
    good = write_to(tmp_path, make_record("good", "visa", {"candle": 0.9}))
    assert [path for path, _ in find_records(tmp_path)] == [good]
    assert str(deep) in caplog.text
    assert f"{words}: no valid record: at cost/peak_host_mib" in caplog.text


def test_templates_may_be_replaced(make_board, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "tables.tex.jinja").write_text("((( tables|length ))) tables\n")
    write_latex(make_board([]), tmp_path, tmp_path / "mine")
    assert (tmp_path / "gaps.tex").read_text() == "1 tables\n"


def test_a_wrong_template_is_one_error(make_board, tmp_path):
    (tmp_path / "tables.tex.jinja").write_text("((* if *))")
    with pytest.raises(UsageError, match="cannot be used"):
        write_latex(make_board([]), tmp_path, tmp_path)


def test_markdown_prints_marks_and_escapes():
    cells = ((Number(92.44, mark="best"), Number()), (Number(90.0, 0.26, "second"), Number(1.0, mark="apart")), "a|b")
    text = table_text(Table("t", "<b>", "h_h", ("x", "y", "z"), (Row("r", cells, "block"),), ("*n*",)))
    assert text.splitlines() == [
        *("### &lt;b&gt;", "", r"| h\_h | x | y | z |", "| --- | --- | --- | --- |", "| *block* |  |  |  |"),
        r"| r | (**92.4**, -) | (<ins>90.0 ± 0.3</ins>, 1.0†) | a\|b |",
        *("", r"- \*n\*"),
    ]


def test_an_empty_pair_is_one_dash():
    assert cell_text((Number(), Number())) == "-"


@pytest.mark.parametrize("name", ["<script>", "[x](y)", "a\n# b", "`c`"])
def test_markdown_leaves_nothing_to_interpret(name):
    assert not {"<", ">", "\n"} & set(escape(name))
    assert all(escape(name)[place - 1] == "\\" for place, one in enumerate(escape(name)) if one in "[]`#")


def test_classes_of_hostile_names_leave_every_table_whole(make_board, make_record, tmp_path):
    name, shown = "metal\nnut\r\x1b|", r"metal\nnut\r\x1b|"
    board = make_board([make_record("fbclip", "folder:mine", {name: 0.9, "b": 0.8})])
    (markdown,) = write_markdown(board, tmp_path, None)
    assert [line for line in markdown.read_text().split("\n") if line.startswith(r"| metal\\nnut\\r\\x1b\| | ")]
    tex = next(path for path in write_latex(board, tmp_path, None) if "mine" in path.name)
    assert [line for line in tex.read_text().split("\n") if line.startswith(rf"\hspace{{0pt}}{escape_tex(shown)} & ")]
    assert all(line.isprintable() for path in (markdown, tex) for line in path.read_text().split("\n"))


def test_the_csv_has_a_line_a_number_and_the_parquet_the_names_as_they_are(make_board, make_record, tmp_path):
    name = "metal\nnut\r\x1b"
    board = make_board([make_record("fbclip", "folder:mine", {name: 0.9})])
    table, exact = write_tidy(board, tmp_path, None)
    assert len(table.read_bytes().splitlines()) == 1 + len(board.frame)
    read = pd.read_csv(table, dtype=str, keep_default_na=False)
    assert {r"metal\nnut\r\x1b", "mean"} == set(read[read["target"] == "folder:mine"]["class"])
    frame = pd.read_parquet(exact)
    assert {name, "mean"} == set(frame[frame["target"] == "folder:mine"]["class"])


def test_markdown_has_every_table(make_board, make_record, tmp_path):
    (path,) = write_markdown(make_board([make_record("fbclip", "visa", {"candle": 0.9})]), tmp_path, None)
    captions = [line for line in path.read_text().splitlines() if line.startswith("### ")]
    assert sum("Measured:" in line for line in captions) == 3
    assert sum("As published" in line for line in captions) == 24


def test_tex_escapes_what_latex_would_run():
    assert escape_tex(r"\input{a}") == r"\textbackslash{}input\{a\}"
    assert escape_tex("中") == r"\zsaletter{4E2D}{中}{[U+4E2D]}"
    assert escape_tex("ﬁ ņ ü i\u0306 Ａ") == r"fi \c{n} ü \u{\i} A"
    mathematics = [r"\mu", r"\Omega", "^2", r"\alpha"]
    assert escape_tex("µΩ²α") == "".join(rf"\ensuremath{{{command}}}" for command in mathematics)
    assert escape_tex("a\n\x1b") == r"a\textbackslash{}n\textbackslash{}x1b"


def test_names_that_are_written_alike_keep_files_and_labels_of_their_own(make_board, make_record, tmp_path):
    records = [make_record("m", f"folder:a{odd}b", {"x": 0.5}) for odd in ("+", "?")]
    records += [make_record(f"m{odd}", "visa", {"x": 0.5}) for odd in ("+", "?")]
    written = write_latex(make_board(records), tmp_path, None)
    assert len({path.name for path in written}) == len(written)
    assert {"per_class_folder-a-b.tex", "per_class_folder-a-b-2.tex"} <= {path.name for path in written}
    text = "".join(path.read_text() for path in written)
    labels = re.findall(r"\\label\{([^}]*)\}", text)
    assert len(set(labels)) == len(labels)


class _Points:
    """An entry point whose object is given, or whose import fails."""

    def __init__(self, found):
        self.found, self.value = found, "somewhere:REPORT"

    def load(self):
        if isinstance(self.found, Exception):
            raise self.found
        return self.found


@pytest.fixture
def formats(monkeypatch):
    """`formats(name=object)` registers these reports alone."""

    def register(**points):
        found = {name: _Points(one) for name, one in points.items()}
        monkeypatch.setattr("zsadbench.registry._points", lambda group: found if group == "reports" else {})

    return register


def good(board, out, templates):
    (out / "good.txt").write_text(str(len(board.frame) > 0))
    return [out / "good.txt"]


def bad(board, out, templates):
    raise ZsadError("nothing to show")


def test_formats_that_cannot_be_loaded_are_left_out_unless_they_are_asked_for(formats, tmp_path, capsys):
    formats(good=Report(good), gone=ImportError("no module"), odd=3)
    app(["report", "--results", str(tmp_path), "--out", str(tmp_path / "out")], standalone_mode=False)
    assert (tmp_path / "out" / "good.txt").is_file()
    said = capsys.readouterr().err
    assert "warning: format 'gone' is left out" in said
    assert "'odd' is no Report but int" in said
    with pytest.raises(UsageError, match="'gone'"):
        app(["report", "--format", "gone", "--out", str(tmp_path / "no")], standalone_mode=False)
    assert not (tmp_path / "no").exists()


def test_a_format_with_nothing_to_write_says_so_when_it_was_asked_for(formats, tmp_path, capsys):
    formats(empty=Report(lambda board, out, templates: []))
    common = ["report", "--results", str(tmp_path), "--out", str(tmp_path / "out")]
    app(common, standalone_mode=False)
    assert "nothing is written" not in capsys.readouterr().err
    app([*common, "--format", "empty"], standalone_mode=False)
    assert "warning: --format empty: nothing is written" in capsys.readouterr().err


def test_where_one_format_fails_the_others_are_made_and_it_is_told(formats, tmp_path):
    formats(bad=Report(bad), good=Report(good))
    with pytest.raises(ZsadError, match="nothing to show"):
        app(["report", "--results", str(tmp_path), "--out", str(tmp_path / "out")], standalone_mode=False)
    assert (tmp_path / "out" / "good.txt").is_file()


def test_records_that_contradict_each_other_are_named_and_the_rest_is_made(make_record, tmp_path, capsys):
    path = write_to(tmp_path / "results", make_record("fbclip", "visa", {"candle": 0.9}))
    other = make_record("fbclip", "visa", {"candle": 0.7})
    write_record(path.with_name("fedcba9876543210.json"), other, pd.DataFrame({"path": ["x"]}))
    write_to(tmp_path / "results", make_record("afclip", "visa", {"candle": 0.8}))
    out = str(tmp_path / "out")
    app(["report", "--results", str(tmp_path / "results"), "--out", out, "--format", "csv"], standalone_mode=False)
    said = capsys.readouterr().err
    assert f"{path.name}' and" in said
    assert "one run with different numbers (candle, image_auroc: 0.9 and 0.7)" in said
    frame = pd.read_csv(tmp_path / "out" / "results.csv", dtype=str)
    assert set(frame[frame["source"] == "measured"]["method"]) == {"afclip"}

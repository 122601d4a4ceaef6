"""No name becomes a formula in a spreadsheet, and no control character reaches a report; numbers stay numbers."""

import csv
import json
import re

import pytest
from PIL import Image

from zsadbench.printing import spreadsheet_text, without_controls

NAMES = ("=cmd|' /C calc'!A1", "+1", "-x\x1b[31m", "@sum", "＝1", "bolt")
FORMULA = tuple("=+-@＝＋－＠")


@pytest.fixture
def odd_set(tmp_path):
    """A set whose classes have the names above."""
    for name in NAMES:
        for label in ("good", "bad"):
            path = tmp_path / "set" / name.replace("/", "_") / "test" / label / "=0.png"
            path.parent.mkdir(parents=True)
            Image.new("RGB", (20, 20), (90 if label == "bad" else 10, 5, 9)).save(path)
    return f"folder:{tmp_path / 'set'}"


@pytest.mark.parametrize("start", FORMULA)
def test_a_text_that_begins_like_a_formula_gets_an_apostrophe(start):
    assert spreadsheet_text(f"{start}1+1") == f"'{start}1+1"
    assert spreadsheet_text(f"  {start}1+1") == f"'  {start}1+1"
    assert spreadsheet_text(f"a{start}1") == f"a{start}1"


def _is_number(cell):
    return re.fullmatch(r"-?\d+(\.\d+)?(e-?\d+)?", cell) is not None


def test_reports_compute_nothing_and_hold_no_control_characters(cli, quick, odd_set, tmp_path):
    told = cli("run", *quick, "-t", odd_set, "--json", "-q")
    assert told.code == 0, told.err
    assert set(json.loads(told.out.splitlines()[0])["classes"]) == {name.replace("/", "_") for name in NAMES}
    assert cli("report").code == 0
    rows = list(csv.DictReader((tmp_path / "report" / "results.csv").read_text().splitlines()))
    measured = [row for row in rows if row["source"] == "measured"]
    assert {row["class"] for row in measured} >= {"'@sum", "'+1", "'＝1", r"'-x\x1b[31m", "bolt"}
    for row in rows:
        assert not any(cell.startswith(FORMULA) and not _is_number(cell) for cell in row.values())
    assert all(_is_number(row["value"]) for row in measured if row["value"])
    for path in (tmp_path / "report").rglob("*"):
        if path.suffix in {".html", ".tex", ".md", ".csv", ".svg", ".js"}:
            assert not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]", path.read_text()), path


def test_scores_of_predict_compute_nothing(cli, quick, tmp_path):
    for name in ("=a.png", "-b.png", "plain.png"):
        Image.new("RGB", (20, 20), (90, 5, 9)).save(tmp_path / name)
    told = cli("predict", *quick, "=a.png", "./-b.png", "plain.png", "--out", "+out")
    assert told.code == 0, told.err
    rows = list(csv.DictReader((tmp_path / "+out" / "scores.csv").read_text().splitlines()))
    assert sorted(row["path"] for row in rows) == ["'-b.png", "'=a.png", "plain.png"]
    assert all(row["heat_map"].startswith("'+out/") for row in rows)
    assert all(0 <= float(row["score"]) <= 1 for row in rows)


def test_nul_and_escape_are_written_out():
    assert without_controls("<b>\x00\x1b[0m\x9b</b>\n\t\udcff") == "<b>\\x00\\x1b[0m\\x9b</b>\n\t\\udcff"


def test_no_file_of_a_report_holds_them(tmp_path):
    from zsadbench_reports.files import write

    assert write(tmp_path, "a.html", "<b>\x00\x1b[0m</b>\n").read_text() == "<b>\\x00\\x1b[0m</b>\n"


def test_a_name_that_is_no_text_is_refused(cli, quick, tmp_path, odd_set):
    told = cli("run", *quick, "-t", "folder:no\udcff")
    assert (told.code, len(told.err.splitlines())) == (2, 1)
    assert "is no valid text" in told.error


def test_a_record_with_a_name_that_is_no_text_is_left_out(cli, quick, tmp_path):
    told = cli("run", *quick, "-t", "colondb", "--json", "-q")
    path = tmp_path / json.loads(told.out.splitlines()[0])["path"]
    path.write_text(path.read_text().replace('"method": "fbclip"', '"method": "fb\\udcff"'))
    told = cli("report", "--format", "csv")
    assert told.code == 0, told.err
    assert "skipped: " in told.err
    assert "a name in it is no valid text" in told.err

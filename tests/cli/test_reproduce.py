"""`zsadbench reproduce`: it runs what is missing once, prints ours beside, and says what is missing beforehand."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from zsadbench.clip import build, resolve
from zsadbench.compare.paper_rows import find_table
from zsadbench.engine.results import Results
from zsadbench.reproduce import layout as laying
from zsadbench.reproduce.layout import Layout, RowRun
from zsadbench.reproduce.needs import count_parameters

TABLE = "fbclip:table5"


@pytest.fixture
def quick(mini, small, monkeypatch):
    """The flags of a reproduction that takes seconds: BrainMRI for all data sets, random weights, two images."""
    monkeypatch.setenv("ZSADBENCH_DATA", str(mini))
    return ("-t", "brainmri", "--aux", "colondb", "--backbone", small, "--weights", "random", "--limit", 1, "--seed", 0)


def events(told, kind):
    return [one for one in map(json.loads, told.out.splitlines()) if one["event"] == kind]


def test_it_runs_each_row_once_and_marks_what_is_substituted(cli, quick, tmp_path):
    told = cli("reproduce", TABLE, *quick, "--epochs", 1, "--json", "--quiet")
    assert told.code == 0, told.err
    cells, (done,) = events(told, "cell"), events(told, "done")
    assert len(cells) == 16  # two rows, two data sets, four metrics
    assert {cell["verdict"] for cell in cells} == {"not comparable"}
    for part in ("data set brainmri in place of", "weights random in place of openai", "epochs 1 in place of"):
        assert all(any(one.startswith(part) for one in cell["substituted"]) for cell in cells)
    assert all(any("first 1 images" in one for one in cell["substituted"]) for cell in cells)
    assert {(cell["target"], cell["used"]) for cell in cells} == {("mvtec", "brainmri"), ("visa", "brainmri")}
    measured = {cell["row"]: cell["measured"] for cell in cells if cell["metric"] == "image_auroc"}
    assert all(value is not None for value in measured.values())
    assert (done["finished"], done["failed"], done["not_comparable"]) == (2, 0, 16)  # one record a row, not a column
    records = [json.loads(path.read_text()) for path in (tmp_path / "results").rglob("*.json")]
    assert sorted(record["cell"]["options"].get("bs_fraction", 0.5) for record in records) == [0.5, 1.0]
    assert {record["cell"]["protocol"]["name"] for record in records} == {"paper:fbclip"}
    again = cli("reproduce", TABLE, *quick, "--epochs", 1, "--quiet")
    assert again.code == 0
    assert len(list((tmp_path / "results").rglob("*.json"))) == 2
    assert "MVTec AD (brainmri in its place)" in again.out
    assert "[1] data set brainmri in place of mvtec" in again.out
    assert "0 agrees; 0 drifts; 16 not comparable; 0 not run" in again.out
    assert all(record["signature"] in again.out for record in records)
    plan = cli("reproduce", TABLE, *quick, "--epochs", 1, "--dry-run", "--json")
    assert {one["state"] for one in events(plan, "plan")} == {"done"}


def test_run_finds_what_a_reproduction_left(cli, quick):
    one = ("--epochs", 1, "--json", "--quiet")
    assert cli("reproduce", "fbclip:table11", *quick, *one).code == 0
    told = cli("run", "-m", "fbclip", *quick, *one, "--protocol", "paper:fbclip")
    assert events(told, "done") == [{"event": "done", "finished": 0, "skipped": 1, "failed": 0}]


@pytest.fixture
def unbuilt(monkeypatch):
    """All rows of all tables are left out."""

    def find(name):
        table = find_table(name)
        return replace(table, rows=tuple(replace(row, left_out="not built yet: its switches") for row in table.rows))

    monkeypatch.setattr("zsadbench.compare.paper_rows.find_table", find)


def test_rows_that_are_not_built_say_so(cli, unbuilt, tmp_path):
    told = cli("reproduce", "mfpclip:table3")
    assert told.code == 0
    assert "91.5 → - [1]" in told.out
    assert "[1] not built yet: its switches" in told.out
    assert "0 agrees; 0 drifts; 0 not comparable; 6 not run" in told.out
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(("value", "code", "shown"), [(0.895, 0, "+0.0) agrees"), (0.855, 6, "-4.0) drifts")])
def test_a_number_that_drifts_is_exit_code_six(cli, monkeypatch, make_record, value, code, shown):
    values = {"image_auroc": value, "image_ap": 0.907, "pixel_auroc": 0.963, "pixel_aupro_200": 0.914}
    record = make_record("fbclip", "visa", {"candle": values}, protocol={"name": "paper:fbclip", "digest": "d"})
    table, path = find_table("fbclip:table2"), Path("0.json")
    run = RowRun(table.rows[-1], "visa", "visa", (SimpleNamespace(path=path, cell=record.cell),))
    monkeypatch.setattr(laying, "lay_out", lambda *_: Layout(replace(table), (run,), SimpleNamespace()))
    results = Results(records=[(path, record)], failures=["one failed"] if code else [], failed=1 if code else 0)
    monkeypatch.setattr("zsadbench.cli.shared.progress.run_with_progress", lambda *_, **__: results)
    told = cli("reproduce", "fbclip:table2", "--target", "visa")
    assert told.code == code
    assert "AUPRO of ours is the variant 200_minmax in: Base+MSTFF+MVFBE+BS+SCR (full)" in told.out
    assert shown in told.out
    results.failures = ["one failed"]
    assert cli("reproduce", "fbclip:table2", "--target", "visa").code == (code or 5)


def test_a_dry_run_says_what_is_missing(cli, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    told = cli("reproduce", "fbclip:table1", "--dry-run", "--json")
    assert told.code == 0, told.err
    (needs,) = events(told, "needs")
    assert {one["name"]: one["images"] for one in needs["data"]}["mvtec"] == 1725
    assert len(needs["data"]) == 16
    assert all(one["missing"] for one in needs["data"])
    assert needs["weights"]["backbone"] == "ViT-B-16-plus-240, ViT-L-14-336"
    assert "ViT-L-14-336px.pt" in needs["weights"]["missing"]
    assert "no weights 'laion400m_e31' for backbone 'ViT-B-16-plus-240'" in needs["weights"]["missing"]
    assert needs["weights"]["gigabytes"] == pytest.approx(0.856 + 0.417, abs=0.001)
    assert needs["hours"] > 1
    assert needs["tokens_gb"] > 4
    assert not needs["complete"]
    states = {one["label"]: one["state"] for one in events(told, "plan")}
    assert states["FB-CLIP"] == "to run"
    monkeypatch.setenv("COLUMNS", "200")
    shown = cli("reproduce", "fbclip:table1", "--dry-run").out
    assert "weights of ViT-L-14-336: missing: " in shown
    assert "visa, mpdd, btad and 12 more" in shown
    assert not (tmp_path / "results").exists()


def test_a_dry_run_of_what_cannot_run_needs_nothing(cli, unbuilt):
    told = cli("reproduce", "mfpclip:table2", "--dry-run", "--json")
    (needs,) = events(told, "needs")
    assert (needs["data"], needs["hours"], needs["weights"]["missing"]) == ([], 0, None)
    assert {one["state"] for one in events(told, "plan")} == {"not built yet: its switches"}


def test_a_dry_run_says_when_nothing_is_missing(cli, quick):
    told = cli("reproduce", TABLE, *quick, "--dry-run")
    assert told.code == 0, told.err
    assert "nothing is missing" in told.out
    assert told.out.count("images: here") == 2


def test_without_data_or_weights_it_says_so_for_all_at_once(cli, monkeypatch, mini, small, tmp_path):
    flags = ("--backbone", small, "--weights", "random")
    told = cli("reproduce", "fbclip:table3", *flags)
    assert told.code == 3
    assert "error: mvtec: " in told.err
    assert "error: visa: " in told.err
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("ZSADBENCH_DATA", str(mini))
    told = cli("reproduce", "fbclip:table3", "--offline")
    assert told.code == 4
    assert "ViT-L-14-336px.pt" in told.err
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("fbclip:table33",), "no table named 'fbclip:table33'; did you mean 'fbclip:table3'?"),
        (("fbclip",), "'fbclip' names no table; give one such as 'fbclip:table1', or nothing for a list"),
        (("fbklip:claims",), "no paper with claims named 'fbklip'; did you mean 'fbclip'?"),
        (("fbclip:table3", "-t", "visa,demo"), "--target: fbclip:table3 ran on mvtec, visa"),
        (("fbclip:table3", "-t", "nosuch"), "no data set named 'nosuch'"),
        (("fbclip:table3", "--seed", "x"), "--seed takes whole numbers"),
        (("fbclip:table3", "--epochs", "0"), "--epochs is 0; it must be at least 1"),
        (("fbclip:table3", "--device", "tpu"), "tpu"),
        (("fbclip:table3", "--aux", "nosuch"), "no data set named 'nosuch'"),
    ],
)
def test_what_cannot_be_right_is_one_line(cli, arguments, told):
    answer = cli("reproduce", *arguments)
    assert answer.code == 2, answer.err
    assert told in answer.error


def test_everything_that_can_be_asked_for_is_listed(cli):
    rows = [json.loads(line) for line in cli("reproduce", "--list", "--json").out.splitlines()]
    names = [row["name"] for row in rows]
    assert len(names) == 26
    assert {"fbclip:table1", "afclip:table6", "mfpclip:table4", "fbclip:claims"} <= set(names)
    assert "fbclip:table13" in cli("reproduce").out


@pytest.mark.parametrize(("paper", "code"), [("fbclip", 0), ("mfpclip", 1)])
def test_claims_are_recomputed(cli, paper, code):
    told = cli("reproduce", f"{paper}:claims")
    assert told.code == code
    assert ("DOES NOT HOLD" in told.out) == bool(code)
    found = [json.loads(line) for line in cli("reproduce", f"{paper}:claims", "--json").out.splitlines()]
    assert all(one["event"] == "claim" for one in found)
    assert sum(one["holds"] for one in found) == len(found) - code


def test_parameters_are_counted_from_the_sizes(small):
    spec = resolve(str(small), "random")
    built = build(spec)
    towers = {id(one): one.numel() for tower in (built.vision, built.text) for one in tower.parameters()}
    assert count_parameters(spec.config) == sum(towers.values()) + 1  # the temperature belongs to neither tower


def test_the_table_is_written_as_latex_markdown_and_html(cli, unbuilt, tmp_path):
    told = cli("reproduce", "mfpclip:table3", "--tables", "paper")
    assert told.code == 0, told.err
    files = {path.suffix: path.read_text() for path in (tmp_path / "paper").iterdir()}
    assert set(files) == {".tex", ".md", ".html"}
    assert told.out.count("written: paper/mfpclip_table3.") == 3
    for text in files.values():
        assert "91.5" in text
        assert (
            text.count("not built yet: its switches".replace(":", r":\allowbreak{}"))
            + text.count("not built yet: its switches")
            == 1
        ), "a reason is said once"
    assert r"\begin{table*}" in files[".tex"]
    assert "<script" not in files[".html"]
    assert "default-src 'none'" in files[".html"]
    (tmp_path / "file").write_text("")
    assert cli("reproduce", "mfpclip:table3", "--tables", "file").code == 2

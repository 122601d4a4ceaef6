"""`report` with a selection: what is left out is named, wrong names are one line, `init` writes what can be chosen."""

import json
import tomllib

import pandas as pd
import pytest

from zsadbench.records import record_path, write_record


@pytest.fixture
def results(make_record, tmp_path):
    for name, mean in (("clip", 0.6), ("fbclip", 0.9)):
        for target in ("visa", "mvtec"):
            record = make_record(name, target, {"x": mean})
            write_record(record_path(tmp_path / "results", record.cell), record, pd.DataFrame({"path": ["x"]}))
    return tmp_path / "results"


def test_rows_are_chosen_and_the_others_named(cli, results, tmp_path):
    flags = ("--methods", "fbclip", "--targets", "visa", "--metrics", "image_auroc,aupro", "--decimals", "2")
    told = cli("report", "--format", "csv,markdown,html", *flags)
    assert told.code == 0
    assert "methods left out by the selection: clip" in told.err
    assert "data sets left out by the selection: mvtec" in told.err
    frame = pd.read_csv(tmp_path / "report" / "results.csv", dtype=str, keep_default_na=False)
    ours = frame[(frame["source"] == "measured") & (frame["class"] == "mean")]
    assert list(zip(ours["method"], ours["target"], ours["metric"], ours["printed"], strict=True)) == [
        ("fbclip", "visa", "image_auroc", "90.00"),
        ("fbclip", "visa", "pixel_aupro", "90.00"),
    ]
    assert "| VisA | 90.00 |" in (tmp_path / "report" / "table.md").read_text()
    page = (tmp_path / "report" / "index.html").read_text()
    assert "left out by the selection: 1 method, 1 data set, 7 metrics" in page


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--methods", "fbclop"), "--methods: no measured method named 'fbclop'; did you mean 'fbclip'?"),
        (("--order", "yeer"), "--order: no order named 'yeer'; did you mean 'year'?"),
        (("--paper", "fbclip:table99"), "--paper: no table named"),
        (("--decimals", "9"), "--decimals is 9"),
        (("--selection", "no.toml"), "--selection: 'no.toml' cannot be read"),
        (("--results", "nosuch"), "--results: 'nosuch' is not there; name the folder that 'run --out' wrote into"),
        (("ini",), "no action of report named 'ini'; did you mean 'init'?"),
    ],
)
def test_wrong_values_are_one_line_and_exit_2(cli, results, tmp_path, flags, said):
    told = cli("report", *flags)
    assert (told.code, told.out) == (2, "")
    assert said in told.err
    assert len(told.err.splitlines()) == 1
    assert not (tmp_path / "report").exists()


def test_init_writes_what_can_be_chosen_and_keeps_a_file_that_is_there(cli, results, tmp_path):
    told = cli("report", "init", "--out", "mine", "--decimals", "2", "--json")
    assert (told.code, json.loads(told.out)["path"]) == (0, "mine/report.toml")
    content = tomllib.loads((tmp_path / "mine" / "report.toml").read_text())
    assert set(content["methods"]) == {"clip", "fbclip"}
    assert set(content["targets"]) == {"visa", "mvtec"}
    assert content["metrics"] == ["image_auroc", "image_ap", "pixel_auroc", "aupro"]
    assert (content["decimals"], content["no-spread"], content["paper"]) == (2, False, "")
    assert "is there already" in cli("report", "init", "--out", "mine").err
    told = cli("report", "--selection", "mine/report.toml", "--methods", "clip", "--format", "csv")
    assert "methods left out by the selection: fbclip" in told.err

"""Every format tells copies of one data set apart and ranks none against another."""

import json

import pytest

from zsadbench_reports import latex, markdown, pwc, tidy
from zsadbench_reports.html import REPORT as html

FORMATS = {"csv": tidy.REPORT, "markdown": markdown.REPORT, "latex": latex.REPORT, "pwc": pwc.REPORT, "html": html}


@pytest.fixture
def board(make_board, make_record):
    records = [make_record("mine", "visa", {"x": 0.9}), make_record("theirs", "visa", {"x": 0.8})]
    records[1].cell["target"] = records[1].cell["target"] | {"fingerprint": "c001" * 16}
    return make_board(records)


@pytest.mark.parametrize("name", FORMATS)
def test_both_copies_are_named(board, tmp_path, name):
    paths = FORMATS[name].write(board, tmp_path, None)
    text = "".join(path.read_text(encoding="utf-8") for path in paths if path.suffix != ".parquet")
    assert "(bbbb)" in text
    assert "(c001)" in text


def test_a_leaderboard_ranks_one_copy(board, tmp_path):
    (path,) = pwc.REPORT.write(board, tmp_path, None)
    for task in json.loads(path.read_text()):
        assert [each["dataset"] for each in task["datasets"]] == ["VisA (bbbb)", "VisA (c001)"]
        assert [len(group["sota"]["rows"]) for each in task["datasets"] for group in each["subdatasets"]] == [1, 1]


def test_rows_of_the_table_file_have_the_fingerprint(board, tmp_path):
    import pandas as pd

    FORMATS["csv"].write(board, tmp_path, None)
    rows = pd.read_csv(tmp_path / "results.csv", dtype=str, keep_default_na=False)
    ours = rows[rows["source"] == "measured"][["target", "fingerprint"]].drop_duplicates()
    assert ours.to_numpy().tolist() == [["visa (bbbb)", "b" * 64], ["visa (c001)", "c001" * 16]]

"""`leaderboard.json`: measured and comparable numbers only, one list per protocol."""

import json

from zsadbench_reports.pwc import write_leaderboard


def lists_of(board, out):
    (path,) = write_leaderboard(board, out, None)
    found = {}
    for task in json.loads(path.read_text()):
        for dataset in task["datasets"]:
            for part in dataset["subdatasets"]:
                found[task["task"], dataset["dataset"], part["dataset"]] = part["sota"]
    return found


STRICT = "protocol strict (197ba7590730), backbone ViT-L-14-336"


def test_rows_carry_numbers_links_seeds_and_signatures(make_board, make_record, tmp_path):
    values = {"candle": {"image_auroc": 0.9, "pixel_ap": None}}
    aux = {"name": "mvtec"}
    records = [make_record("fbclip", "visa", values, seed=seed, signature=f"s{seed}", aux=aux) for seed in (0, 1)]
    found = lists_of(make_board(records), tmp_path)
    sota = found["Zero-Shot Anomaly Detection", "VisA", STRICT]
    (row,) = sota["rows"]
    assert sota["metrics"] == ["Detection AUROC", "Detection AP", "Detection F1-max"]
    assert row["metrics"] == {"Detection AUROC": "90.0", "Detection AP": "50.0", "Detection F1-max": "50.0"}
    assert (row["model_name"], row["seeds"], row["signatures"]) == ("fbclip", ["0", "1"], ["s0", "s1"])
    assert row["code_links"][0]["url"].startswith("https://")
    assert (row["uses_additional_data"], row["additional_data"]) == (True, ["mvtec"])
    (row,) = found["Zero-Shot Anomaly Segmentation", "VisA", STRICT]["rows"]
    assert "Segmentation AP" not in row["metrics"]  # undefined is left out, never 0
    assert row["metrics"]["Segmentation AUPRO"] == "50.0"


def test_protocols_and_shots_are_lists_of_their_own(make_board, make_record, tmp_path):
    records = [
        make_record("a", "visa", {"x": 0.9}),
        make_record("b", "visa", {"x": 0.8}, protocol={"name": "strict-raw", "digest": "d"}),
        make_record("c", "visa", {"x": 0.8}, shots=4),
    ]
    found = lists_of(make_board(records), tmp_path)
    assert {(task.partition(" ")[0], group, len(sota["rows"])) for (task, _, group), sota in found.items()} == {
        ("Zero-Shot", STRICT, 1),
        ("Zero-Shot", "protocol strict-raw (d), backbone ViT-L-14-336", 1),
        ("Few-Shot", STRICT + ", 4 support images per class", 1),
    }


def test_published_and_not_comparable_numbers_stay_out_and_it_is_said(make_board, make_record, tmp_path, caplog):
    board = make_board([make_record("clip", "demo", {"x": 0.9}, because=["drawn for trials"])])
    with caplog.at_level("INFO"):
        assert write_leaderboard(board, tmp_path, None) == []
    assert "no record is comparable" in caplog.text
    assert list(tmp_path.iterdir()) == []


def test_hostile_names_stay_text(make_board, make_record, tmp_path):
    found = lists_of(make_board([make_record('<script>"', "folder:/a", {"x": 0.9})]), tmp_path)
    assert {row["model_name"] for sota in found.values() for row in sota["rows"]} == {'<script>"'}
    assert {dataset for _, dataset, _ in found} == {"folder:/a"}

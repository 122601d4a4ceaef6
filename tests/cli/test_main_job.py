"""`zsadbench run --method fbclip --target visa`, literally, on miniatures in the official layouts."""

import json
from pathlib import Path

import pandas as pd
import pytest

from zsadbench.cli.shared.output import table
from zsadbench.cli.tables.results import table_rows
from zsadbench.files import file_sha256
from zsadbench.records import Record, validate


@pytest.fixture
def surroundings(monkeypatch, mini, archive):
    monkeypatch.setenv("ZSADBENCH_DATA", str(mini))
    monkeypatch.setenv("ZSADBENCH_WEIGHTS", str(archive))


def test_it_works_with_only_data_and_weights_set(cli, surroundings, tmp_path):
    told = cli("run", "--method", "fbclip", "--target", "visa")
    assert told.code == 0, told.err
    (path,) = (tmp_path / "results" / "visa" / "fbclip").glob("*.json")
    record = json.loads(path.read_text())
    validate(record)
    assert len(record["classes"]) == 12
    assert record["mean"]["pixel_aupro"] is not None
    assert record["cell"]["aux"]["name"] == "mvtec"
    assert record["cell"]["recipe"]["epochs"] == 2
    assert record["cell"]["tap_rule"] == {
        "rule": "ceil(block * depth / 24)",
        "blocks": [1, 6, 12, 18, 24],
        "mapped": [1, 3, 6, 9, 12],
        "activation": "quick_gelu",
        "position": "bilinear",
    }
    assert record["cell"]["synthetic"]
    assert not record["comparable"]
    assert "pipe_fryum" in told.out
    assert "mean of 12/12" in told.out  # the number of classes in a mean
    assert record["signature"] in told.out
    assert len(pd.read_parquet(path.with_suffix(".parquet"))) == 24
    assert "training fbclip, seed 0: step 1 of" in told.err
    again = cli("run", "--method", "fbclip", "--target", "visa", "--json")
    assert again.code == 0
    events = [json.loads(line) for line in again.out.splitlines()]
    assert [event["event"] for event in events] == ["record", "done"]
    assert set(events[0]) == {"event", "path", "method", "target", "seed", "mean", "classes", "cost", "signature"}
    assert events[0]["classes"] == record["classes"]
    assert events[1] == {"event": "done", "finished": 0, "skipped": 1, "failed": 0}


def test_without_data_it_says_how_to_get_it(cli, surroundings, monkeypatch):
    monkeypatch.delenv("ZSADBENCH_DATA")
    told = cli("run", "--method", "fbclip", "--target", "visa")
    assert told.code == 3
    assert "visa" in told.error
    assert "ZSADBENCH_DATA_VISA" in told.err
    assert "amazon-science/spot-diff" in told.err
    assert "error: mvtec: " in told.err  # the auxiliary set is missing as well


def test_without_weights_it_says_how_to_get_them(cli, surroundings, monkeypatch, tmp_path):
    monkeypatch.delenv("ZSADBENCH_WEIGHTS")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("ZSADBENCH_OFFLINE", "1")
    told = cli("run", "--method", "fbclip", "--target", "visa")
    assert told.code == 4
    assert "ViT-L-14-336px.pt" in told.err
    assert "ZSADBENCH_WEIGHTS" in told.err
    assert str(tmp_path / ".cache" / "clip") in told.err
    assert not (tmp_path / "results").exists()


def test_a_dry_run_prints_the_plan_and_runs_nothing(cli, surroundings, tmp_path):
    told = cli("run", "-m", "fbclip", "-m", "clip", "-t", "visa", "-t", "mvtec", "--seed", "0,1", "--dry-run", "--json")
    rows = [json.loads(line) for line in told.out.splitlines()]
    assert told.code == 0
    assert [(row["method"], row["target"], row["seed"], row["aux"]) for row in rows] == [
        ("fbclip", "visa", 0, "mvtec"),
        ("fbclip", "visa", 1, "mvtec"),
        ("fbclip", "mvtec", 0, "visa"),
        ("fbclip", "mvtec", 1, "visa"),
        ("clip", "visa", 0, None),
        ("clip", "mvtec", 0, None),
    ]
    assert all(len(row["todo"]) in {12, 15} and not row["done"] for row in rows)
    assert not (tmp_path / "results").exists()


def test_a_dry_run_without_weights_shows_the_plan(cli, surroundings, monkeypatch, tmp_path):
    monkeypatch.delenv("ZSADBENCH_WEIGHTS")
    monkeypatch.setenv("HOME", str(tmp_path))
    told = cli("run", "-m", "fbclip,clip", "-t", "visa", "--class", "candle", "--seed", "0,1", "--dry-run", "--json")
    assert told.code == 0, told.err
    rows = [json.loads(line) for line in told.out.splitlines()]
    assert [(row["method"], row["seed"], row["aux"]) for row in rows] == [
        ("fbclip", 0, "mvtec"),
        ("fbclip", 1, "mvtec"),
        ("clip", 0, None),
    ]
    for row in rows:
        assert (row["target"], row["todo"], row["done"], row["path"]) == ("visa", ["candle"], None, None)
        assert row["missing"] == ["weights"]
    assert "ViT-L-14-336px.pt" in told.err
    assert not (tmp_path / "results").exists()


def test_a_dry_run_without_data_plans_the_targets_that_are_here(cli, surroundings, tmp_path):
    told = cli("run", "-m", "fbclip,clip", "-t", "visa,mpdd", "--class", "candle,tubes", "--dry-run", "--json")
    assert told.code == 0, told.err
    rows = [json.loads(line) for line in told.out.splitlines()]
    assert [(row["method"], row["target"], row["todo"], row["missing"]) for row in rows] == [
        ("fbclip", "visa", ["candle"], []),
        ("clip", "visa", ["candle"], []),
        ("fbclip", "mpdd", ["tubes"], ["images of mpdd"]),
        ("clip", "mpdd", ["tubes"], ["images of mpdd"]),
    ]
    assert [row["path"] is None for row in rows] == [False, False, True, True]
    assert "missing: images of mpdd: " in told.err
    shown = cli("run", "-m", "fbclip,clip", "-t", "visa,mpdd", "--dry-run")
    assert "images of mpdd" in shown.out
    assert cli("run", "-m", "fbclip", "-t", "mpdd").code == 3


def test_flag_beats_environment_beats_file(cli, surroundings, tmp_path, small, monkeypatch):
    (tmp_path / "zsadbench.toml").write_text(f'method = ["clip"]\n[run]\nout = "{tmp_path}/from-file"\nlimit = 1\n')
    told = cli("run", "-t", "brainmri", "--quiet")
    assert told.code == 0, told.err
    (record,) = (tmp_path / "from-file").rglob("*.json")
    assert json.loads(record.read_text())["cell"]["limit"] == 1
    monkeypatch.setenv("ZSADBENCH_OUT", str(tmp_path / "from-environment"))
    assert cli("run", "-t", "brainmri", "--quiet").code == 0
    assert list((tmp_path / "from-environment").rglob("*.json"))
    assert cli("run", "-t", "brainmri", "--quiet", "--out", tmp_path / "from-flag").code == 0
    assert list((tmp_path / "from-flag").rglob("*.json"))


def test_training_alone_writes_a_checkpoint_that_run_takes(cli, surroundings, tmp_path):
    told = cli("train", "-m", "fbclip", "--aux", "colondb", "--epochs", 1, "--out", tmp_path / "made", "--json", "-q")
    event = json.loads(told.out)
    assert told.code == 0, told.err
    assert event["method"] == "fbclip"
    assert event["first_loss"] > 0
    told = cli("run", "-m", "fbclip", "-t", "brainmri", "--checkpoint", event["path"], "--json")
    assert told.code == 0, told.err
    record = json.loads(told.out.splitlines()[0])
    cell = json.loads((tmp_path / record["path"]).read_text())["cell"]
    assert cell["checkpoint_sha256"] == file_sha256(Path(event["path"]))
    assert f"checkpoint:{cell['checkpoint_sha256'][:8]}" in record["signature"]


def test_a_mean_over_fewer_classes_says_over_how_many():
    rows = {"a": 0.25, "b": None, "c": 0.75}
    record = Record(cell={"method": "m", "seed": 1, "shots": 0, "target": {"name": "t"}}, expected=["a", "b", "c"])
    record.classes = {name: {"pixel_ap": value, "image_ap": 0.5} for name, value in rows.items()}
    (*_, mean) = table_rows([record], ["pixel_ap", "image_ap", "pixel_auroc"])
    assert mean == ("m (1)", "mean of 3/3", "50.0 (2)", "50.0", "-")


def test_a_narrow_terminal_cuts_no_number(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "20")
    table("", ["class", *("AUROC" for _ in range(9))], [("a long name of a class", *("100.0" for _ in range(9)))])
    out = capsys.readouterr().out
    assert "…" not in out
    assert out.count("100.0") == 9

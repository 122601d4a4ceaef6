"""PromptAD on the command line: it needs shots, and a dry run and `train` know its trainings."""

import json

import pytest
from PIL import Image


@pytest.fixture
def small_run(mini, small):
    """Flags of a short run on two classes of a miniature."""
    flags = ["-m", "promptad", "--class", "bottle,cable", "--epochs", "1", "--data-root", mini]
    return [*flags, "--backbone", small, "--weights", "random"]


def test_without_shots_one_line_says_what_is_missing(cli, small_run, small, tmp_path):
    told = cli("run", *small_run, "-t", "mvtec")
    assert told.code == 2
    (line,) = told.err.strip().splitlines()
    assert line == "error: 'promptad' learns from a few normal images of every class; pass --shots, such as 1,2,4"
    assert cli("train", *small_run, "--aux", "mvtec").code == 2
    Image.new("RGB", (40, 40)).save(tmp_path / "image.png")
    told = cli("predict", "-m", "promptad", "image.png", "--backbone", small, "--weights", "random")
    assert told.code == 2
    assert "--checkpoint" in told.err


def test_a_dry_run_lists_the_trainings_and_train_makes_them(cli, small_run):
    (row,) = map(
        json.loads, cli("run", *small_run, "-t", "mvtec", "--shots", "1", "--dry-run", "--json").out.split("\n")[:-1]
    )
    listed = [(one["class"], one["stage"], one["steps"], one["cached"]) for one in row["trainings"]]
    assert listed == [(name, stage, 1, False) for name in ("bottle", "cable") for stage in ("cls", "seg")]
    made = cli("train", *small_run, "--aux", "mvtec", "--shots", "1", "--json")
    assert made.code == 0
    events = [json.loads(line) for line in made.out.splitlines()]
    assert [event["class"] for event in events] == ["bottle", "cable"]
    shown = cli("run", *small_run, "-t", "mvtec", "--shots", "1", "--dry-run").out
    assert shown.count("(cached)") == 4
    told = cli("run", *small_run, "-t", "mvtec", "--shots", "1")
    assert told.code == 0
    assert "training promptad" not in told.err, "every training comes from the cache"
    assert "aux:supports" in told.out

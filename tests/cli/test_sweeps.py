"""Sweeps and `tune` on the command line, from options with several values to records of the chosen ones."""

import json

import pytest

GRID = "temperature=0.01|0.5"


@pytest.fixture
def clip(quick):
    """The flags of a run of `clip` on one class of a miniature."""
    return ("-m", "clip", *quick[2:])


def _records(folder):
    return [json.loads(path.read_text()) for path in sorted(folder.rglob("*.json"))]


def test_a_sweep_makes_one_record_per_setting_and_a_table_of_the_options(cli, clip, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    told = cli("run", *clip, "-t", "colondb", "-O", GRID)
    assert told.code == 0, told.err
    assert "colondb: settings of clip" in told.out
    rows = [line.split() for line in told.out.splitlines()]
    assert [row[:2] for row in rows if row and row[0] in {"0.01", "0.5"}] == [["0.01", "1/1"], ["0.5", "1/1"]]
    assert [record["cell"]["options"] for record in _records(tmp_path / "results")].count({"temperature": 0.5}) == 1
    again = cli("run", *clip, "-t", "colondb", "-O", GRID, "--json")
    assert json.loads(again.out.splitlines()[-1])["skipped"] == 2


def test_a_plan_lists_the_settings(cli, clip, tmp_path):
    told = cli("run", *clip, "-t", "colondb", "-O", GRID, "--dry-run", "--json")
    assert [json.loads(line)["setting"] for line in told.out.splitlines()] == ["temperature=0.01", "temperature=0.5"]
    assert not (tmp_path / "results").exists()
    (tmp_path / "sweep.toml").write_text("baseline = true\n[clip]\ntemperature = [0.5]\n")
    told = cli("run", *clip, "-t", "colondb", "--sweep", "sweep.toml", "--dry-run")
    assert "temperature=0.01" in told.out
    assert "temperature=0.5" in told.out


def test_a_plan_without_data_lists_the_settings_too(cli, clip, monkeypatch):
    monkeypatch.setenv("ZSADBENCH_DATA", "")
    told = cli("run", *clip, "-t", "visa", "-O", GRID, "--dry-run", "--json")
    rows = [json.loads(line) for line in told.out.splitlines()]
    assert [(row["setting"], row["missing"]) for row in rows] == [
        ("temperature=0.01", ["images of visa"]),
        ("temperature=0.5", ["images of visa"]),
    ]


@pytest.mark.parametrize(
    ("words", "faults"),
    [
        (("-O", "temperature=a|b", "-O", "layr=1"), ["'a'; it takes a number", "'b'; it takes", "named 'layr'"]),
        (("-O", "fbclip.views=id"), ["'fbclip' is not among the methods: clip"]),
        (("--sweep", "none.toml"), ["--sweep: 'none.toml' cannot be read"]),
    ],
)
def test_faults_of_a_sweep_are_one_line_each(cli, clip, words, faults):
    told = cli("run", *clip, "-t", "colondb", *words)
    assert told.code == 2
    lines = [line for line in told.err.splitlines() if line.startswith("error: ")]
    assert len(lines) == len(faults)
    assert all(fault in line for fault, line in zip(faults, lines, strict=True))


def test_a_command_with_one_method_alone_refuses_several_values(cli, clip, mini):
    told = cli("predict", *clip, "-O", GRID, mini / "CVC-ColonDB" / "images")
    assert told.code == 2
    assert "option 'temperature' has 2 values; run, train and tune take several" in told.error


def test_train_keeps_the_checkpoints_of_settings_apart(cli, quick, tmp_path):
    train = ("train", *quick[:2], *quick[4:], "--aux", "colondb", "--epochs", 1)
    told = cli(*train, "-O", "recipe.lr=1e-4|1e-3", "--out", tmp_path / "kept", "--json")
    assert told.code == 0, told.err
    events = [json.loads(line) for line in told.out.splitlines()]
    assert [event["setting"] for event in events] == ["recipe.lr=0.0001", "recipe.lr=0.001"]
    assert len({event["path"] for event in events}) == 2
    assert len(list((tmp_path / "kept").glob("*.safetensors"))) == 2


@pytest.fixture
def tuned(cli, clip, tmp_path):
    flags = [flag for flag in clip if flag not in {"--aux", "none"}]
    return lambda *more: cli("tune", *flags, "--aux", "mvtec", "-O", GRID, "--folds", 2, "--limit", 1, *more)


def test_tune_writes_a_file_that_run_takes_and_the_ledger_states(cli, clip, tuned, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    told = tuned()
    assert told.code == 0, told.err
    assert "fold 2 of 2, held out: " in told.err
    assert told.out.count("chosen") == 1
    assert "written: tuned.toml; use it with zsadbench run --sweep tuned.toml" in told.out
    ran = cli("run", *clip, "-t", "colondb", "--sweep", "tuned.toml")
    assert ran.code == 0, ran.err
    (record,) = _records(tmp_path / "results")
    assert record["ledger"]["option_choice"]["how"] == "aux-validated"
    refused = cli("run", *clip, "-t", "mvtec", "--sweep", "tuned.toml")
    assert refused.code == 2
    assert "the options of 'clip' were chosen on 'mvtec', which is the target 'mvtec'" in refused.error


def test_tune_goes_on_with_what_is_kept(tuned):
    first = [json.loads(line) for line in tuned("--json").out.splitlines()]
    settings = [event for event in first if event["event"] == "setting"]
    assert [event["setting"] for event in settings] == [{"temperature": 0.01}, {"temperature": 0.5}]
    assert [event["chosen"] for event in settings].count(True) == 1
    again = tuned("--json", "--verbose")
    assert [json.loads(line) for line in again.out.splitlines()][-3:] == first[-3:]
    assert again.err.count("classes to do: 0") == 2


def test_tune_without_a_choice_is_refused(cli, clip):
    told = cli("tune", *clip[:2], *clip[4:], "--aux", "mvtec")
    assert told.code == 2
    assert "'clip' has one setting, so there is nothing to choose" in told.error

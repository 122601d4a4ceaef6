"""The settings file: flag > environment > zsadbench.toml > default."""

import json
import shutil

import pytest

from zsadbench.engine.record import writer


@pytest.fixture
def settings(tmp_path):
    """Write zsadbench.toml into the folder in which commands run."""
    return (tmp_path / "zsadbench.toml").write_text


def _signature(told):
    assert told.code == 0, told.err
    return json.loads(told.out.splitlines()[0])["signature"]


def test_a_flag_named_like_a_verb_may_stand_at_the_top(cli, quick, settings):
    settings('protocol = "strict-raw"\n')
    assert "protocol:strict-raw" in _signature(cli("run", *quick, "-t", "brainmri", "--json"))
    assert cli("protocol", "show", "strict").code == 0


def test_one_value_serves_a_repeatable_flag(cli, quick, settings):
    settings('method = "clip"\n[run]\ntarget = "colondb"\nclass = "colon"\nlimit = 1\njson = true\n')
    assert _signature(cli("run", *quick[2:])).startswith("clip|")


def test_a_table_reaches_the_verbs_of_a_group(cli, mini, settings):
    settings(f'[datasets]\ndata-root = "{mini}"\n')
    assert cli("datasets", "fingerprint", "colondb").code == 0


def test_the_environment_stands_above_the_file_and_below_flags(cli, quick, settings, monkeypatch):
    settings("limit = 3\nseed = 7\n")
    monkeypatch.setenv("ZSADBENCH_LIMIT", "2")
    run = ("run", "-m", "clip", *quick[2:], "-t", "colondb", "--json")
    assert "limit:2|" in _signature(cli(*run))
    assert "limit:1|" in _signature(cli(*run, "--limit", 1))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("nosuch = 1\n", "sets 'nosuch', which no command has"),
        ("[runn]\nlimit = 1\n", "has a table [runn]: no command named 'runn'; did you mean 'run'?"),
        ("[run]\nlimit = [1, 2]\n", "gives 'limit' several values; it takes one"),
        ("[protocol]\nlimit = 1\n", "sets 'limit', which no command has"),
    ],
)
def test_what_cannot_be_right_is_refused(cli, quick, settings, text, told):
    settings(text)
    answer = cli("run", *quick, "-t", "colondb")
    assert answer.code == 2
    assert told in answer.error


def test_a_variable_may_hold_a_path_with_spaces(cli, quick, mini, tmp_path, monkeypatch):
    shutil.copytree(mini / "CVC-ColonDB" / "images", tmp_path / "my images" / "good")
    shutil.copytree(mini / "CVC-ColonDB" / "images", tmp_path / "my images" / "worn out")
    monkeypatch.setenv("ZSADBENCH_TARGET", f"folder:{tmp_path}/my images")
    told = cli("run", *quick, "--json")
    assert told.code == 0, told.err
    assert json.loads(told.out.splitlines()[0])["target"] == "folder:my images"


def test_a_variable_takes_a_comma_list(cli, quick, monkeypatch):
    monkeypatch.setenv("ZSADBENCH_TARGET", "colondb,brainmri")
    told = cli("run", *quick, "--json")
    assert [json.loads(line).get("target") for line in told.out.splitlines()] == ["colondb", "brainmri", None]


def test_a_class_filters_the_targets_that_have_it(cli, quick):
    told = cli("run", *quick, "-t", "visa,mvtec", "--class", "candle,bottle,cable", "--json")
    events = [json.loads(line) for line in told.out.splitlines()]
    assert [list(event["classes"]) for event in events[:-1]] == [["candle"], ["bottle", "cable"]]
    told = cli("run", *quick, "-t", "visa,mvtec", "--class", "candle", "--json")
    assert [json.loads(line).get("target") for line in told.out.splitlines()] == ["visa", None]


def test_a_folder_that_cannot_be_written_is_said_beforehand(cli, quick, tmp_path):
    (tmp_path / "taken").write_text("")
    told = cli("run", *quick, "-t", "colondb", "--out", tmp_path / "taken")
    assert told.code == 2
    assert "cannot be written" in told.error


def test_a_record_that_cannot_be_written_costs_its_class(cli, quick, monkeypatch, tmp_path):
    def full(*_):
        raise OSError(28, "No space left on device", "record.json")

    monkeypatch.setattr(writer, "write_record", full)
    told = cli("run", *quick, "-t", "colondb", "--json")
    assert told.code == 5
    assert "No space left on device" in told.error
    assert json.loads(told.out.splitlines()[-1])["failed"] == 1


MINE = """
from pathlib import Path
Path("ran").touch()
"""
CODE = [
    ('plugin = "mine.py"\n', "plugin"),
    ('plugin = ["mine.py"]\n', "plugin"),
    ('[run]\nplugin = "mine.py"\n', "plugin"),
    ('[methods]\nplugin = "mine.py"\n', "plugin"),
    ('[methods.list]\nplugin = "mine.py"\n', "plugin"),
    ('[predict]\nplugin = "mine.py"\n', "plugin"),
    ('[tune]\nplugin = "mine.py"\n', "plugin"),
    ('[report]\nplugin = "mine.py"\n', "plugin"),
    ('[threshold.fit]\nplugin = "mine.py"\n', "plugin"),
    ('templates = "own"\n', "templates"),
    ('[report]\ntemplates = "own"\n', "templates"),
]


@pytest.mark.parametrize(("text", "flag"), CODE)
@pytest.mark.parametrize("verb", ["run", "methods", "report"])
def test_no_code_is_run_for_the_settings_file(cli, quick, settings, tmp_path, text, flag, verb):
    (tmp_path / "mine.py").write_text(MINE)
    settings(text)
    rest = {"run": (*quick, "-t", "colondb"), "methods": ("list",), "report": ()}[verb]
    told = cli(verb, *rest)
    assert told.code == 2
    assert told.error == (
        f"error: zsadbench.toml sets '{flag}', which would run code from the working folder; "
        f"pass --{flag} on the command line"
    )
    assert not (tmp_path / "ran").exists()


def test_no_code_is_run_for_a_variable(cli, quick, tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(MINE)
    for variable in ("ZSADBENCH_PLUGIN", "ZSADBENCH_PLUGINS", "ZSADBENCH_TEMPLATES"):
        monkeypatch.setenv(variable, str(tmp_path / "mine.py"))
    assert cli("run", *quick, "-t", "colondb", "--dry-run").code == 0
    assert cli("report", "--format", "csv").code == 0
    assert not (tmp_path / "ran").exists()

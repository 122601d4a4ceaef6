"""Protocols, methods, data sets, checkpoints, plugins, help."""

import json
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from zsadbench import registry
from zsadbench.checkpoints import read_metadata

HEAVY = ("torch", "pandas", "numba", "open_clip")


def _imported(*arguments):
    code = "import sys\nfrom zsadbench.cli import main\nsys.argv = ['zsadbench', *sys.argv[1:]]\n"
    code += "try:\n    main()\nexcept SystemExit as left:\n    assert not left.code, left.code\n"
    code += f"print('IMPORTED', [name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[-1]


@pytest.mark.parametrize("arguments", [("--help",), ("run", "--help"), ("--version",), ("methods", "list")])
def test_light_verbs_import_nothing_heavy(arguments):
    assert _imported(*arguments) == "IMPORTED []"


def test_listing_data_sets_imports_no_model():
    assert _imported("datasets", "list") == "IMPORTED []"


def test_a_dry_run_does_not_import_open_clip(mini, archive, monkeypatch):
    monkeypatch.setenv("ZSADBENCH_DATA", str(mini))
    monkeypatch.setenv("ZSADBENCH_WEIGHTS", str(archive))
    assert "open_clip" not in _imported("run", "-m", "fbclip", "-t", "visa", "--dry-run")


def test_version(cli):
    told = cli("--version")
    assert told.code == 0
    assert told.out.strip() == __import__("zsadbench").__version__


def test_protocols(cli):
    shown = json.loads(cli("protocol", "show", "strict", "--json").out)
    assert shown["digest"] == registry.protocol("strict").digest
    assert shown["fpr_limit"] == 0.3
    assert "paper:fbclip" in cli("protocol", "list").out
    raw = json.loads(cli("protocol", "diff", "strict", "strict-raw", "--json").out)
    assert raw == {"smoothing": ["published", "none"]}
    native = json.loads(cli("protocol", "diff", "strict", "strict-native", "--json").out)
    assert set(native) == {"map_size", "mask_resize"}
    paper = json.loads(cli("protocol", "diff", "strict", "paper:fbclip", "--json").out)
    assert paper["aupro"] == ["exact", "200_minmax"]
    assert cli("protocol", "show", "paper:fbclp").error.endswith("did you mean 'paper:fbclip'?")


def test_methods(cli):
    assert "fbclip" in cli("methods", "list").out
    shown = json.loads(cli("methods", "show", "fbclip", "--json").out)
    assert shown["recipe"]["lr"] == 5e-5
    assert shown["options"]["views"] == ["id", "sem", "spa"]


PUBLISHED = {
    "fbclip": ("fbclip/checkpoint.pth",),
    "anomalyclip": ("anomalyclip/checkpoint.pth",),
    "afclip": ("afclip/mvtec_prompt.pt", "afclip/mvtec_adaptor.pt"),
    "faprompt": ("faprompt/checkpoint.pth",),
}


@pytest.mark.parametrize("method", PUBLISHED)
def test_an_official_checkpoint_becomes_ours_and_scores_the_same(cli, fixtures_root, mini, tmp_path, method):
    files = [fixtures_root / name for name in PUBLISHED[method]]
    official = files[-1]
    told = cli("checkpoints", "import", *files, "--method", method, "--out", tmp_path / "ours.safetensors")
    assert told.code == 0, told.err
    found, about = read_metadata(tmp_path / "ours.safetensors")
    assert found == method
    assert [one["name"] for one in about["imported"]] == [path.name for path in files]
    settings = ("--backbone", fixtures_root / "backbone.json", "--weights", fixtures_root / "backbone.safetensors")
    run = ("run", "-m", method, "-t", "brainmri", "--data-root", mini, "--image-size", 70, *settings, "--json")
    scores = [
        json.loads(cli(*run, "--checkpoint", path).out.splitlines()[0])["classes"]
        for path in (official, tmp_path / "ours.safetensors")
    ]
    assert scores[0] == scores[1]
    assert cli("checkpoints", "import", official, "-m", method, "--out", tmp_path / "ours.safetensors").code == 2
    assert cli("checkpoints", "import", official, "-m", "clip").code == 2
    assert cli("checkpoints", "import", "nowhere.pth", "-m", method).code == 4


def test_one_of_two_published_files_is_enough_to_import_both(cli, fixtures_root, tmp_path):
    prompt, adapter = (fixtures_root / name for name in PUBLISHED["afclip"])
    for given in (prompt, adapter):
        told = cli("checkpoints", "import", given, "-m", "afclip", "--out", tmp_path / f"{given.stem}.safetensors")
        assert told.code == 0, told.err
        names = [one["name"] for one in read_metadata(tmp_path / f"{given.stem}.safetensors")[1]["imported"]]
        assert sorted(names) == sorted([prompt.name, adapter.name])
    assert cli("checkpoints", "import", fixtures_root / "fbclip" / "checkpoint.pth", "-m", "afclip").code == 4


PLUGIN = """
from zsadbench_methods.clip import CARD as PLAIN
from dataclasses import replace

CARD = replace(PLAIN, name="mine", smoothing=0.0)
"""


def test_a_plugin_file_runs_like_any_method(cli, quick, tmp_path):
    (tmp_path / "mine.py").write_text(PLUGIN)
    told = cli("run", *quick[2:], "-m", "mine", "-t", "brainmri", "--plugin", tmp_path / "mine.py", "--json")
    registry._points.cache_clear()
    assert told.code == 0, told.err
    assert json.loads(told.out.splitlines()[0])["method"] == "mine"


WITH_METHODS = [
    ("methods", "list"),
    ("methods", "show", "mine"),
    ("checkpoints", "import", "nowhere.pth", "-m", "mine"),
    ("parity", "nowhere"),
    ("reproduce", "--list"),
    ("train", "-m", "mine"),
    ("profile", "-m", "mine", "--batch-size", "0"),
    ("explain", "-m", "mine", "nowhere.png"),
    ("predict", "-m", "mine", "nowhere.png"),
    ("run", "-m", "mine", "-t", "nowhere"),
]


@pytest.mark.parametrize("command", WITH_METHODS, ids=lambda command: command[0] + command[1])
def test_every_verb_with_methods_takes_a_plugin(cli, tmp_path, command):
    (tmp_path / "mine.py").write_text(PLUGIN + "\nfrom pathlib import Path\nPath('ran').touch()\n")
    told = cli(*command, "--plugin", tmp_path / "mine.py")
    registry._points.cache_clear()
    assert (tmp_path / "ran").exists(), told.err
    assert "no method named" not in told.err
    assert "--plugin" not in told.err


def test_a_faulty_plugin_of_others_costs_no_verb(cli, quick, monkeypatch):
    theirs = {"theirs": EntryPoint("theirs", "no_such_package_at_all", "zsadbench.methods")}
    known = registry._points
    groups = {"methods": known("methods") | theirs, "datasets": known("datasets") | theirs}
    monkeypatch.setattr(registry, "_points", lambda group: groups.get(group) or known(group))
    monkeypatch.setattr(registry, "_said", set())
    for command, what in (
        (("methods", "list"), "method"),
        (("datasets", "list"), "data set package"),
        (("run", *quick, "-t", "brainmri"), "method"),
    ):
        registry._said.clear()
        told = cli(*command)
        assert told.code == 0, told.err
        warnings = [
            line for line in told.err.splitlines() if line.startswith(f"warning: {what} 'theirs' is left out: ")
        ]
        assert len(warnings) == 1, told.err
    told = cli("methods", "show", "theirs")
    assert told.code == 2
    assert "plugin 'theirs' (no_such_package_at_all) cannot be loaded" in told.error


def test_the_fingerprint_is_that_of_the_record(cli, quick, mini):
    record = json.loads(cli("run", *quick, "-t", "brainmri", "--json").out.splitlines()[0])
    told = cli("datasets", "fingerprint", "brainmri", "--data-root", mini)
    cell = json.loads(Path(record["path"]).read_text())["cell"]
    assert told.out.split()[0] == cell["target"]["fingerprint"]

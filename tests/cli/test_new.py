"""`new`, `methods check` and `datasets check-card` at the command line."""

import json
import sys

import pytest

from zsadbench import registry
from zsadbench.conformance.battery import CHECKS


@pytest.fixture(autouse=True)
def no_lasting_plugins(monkeypatch):
    points = {group: dict(registry._points(group)) for group in ("methods", "datasets", "reports")}
    monkeypatch.setattr(registry, "_points", points.__getitem__)
    monkeypatch.setattr(sys, "path", [*sys.path])


MIXING = """
from dataclasses import dataclass

from zsadbench.types import MethodCard, Paper, Scores, Taps


@dataclass(frozen=True)
class Options:
    mixed: bool = True


class Centred:
    def __init__(self, backbone, options):
        self.mixed = options.mixed

    def score(self, tokens, class_names):
        patches = tokens.layers[0][:, 1:]
        distance = (patches - patches.mean(dim=(0, 1) if self.mixed else 1, keepdim=True)).norm(dim=-1)
        return Scores(distance.amax(dim=1), distance.reshape(-1, tokens.grid, tokens.grid))


CARD = MethodCard(
    name="centred",
    paper=Paper("A test", "-", 2026, "test"),
    options=Options,
    taps=lambda options: Taps((24,)),
    build=Centred,
    smoothing=0.0,
    map_range=(0.0, 4.0),
)
"""


def test_a_plugin_with_a_dash_in_its_name_that_mixes_images_is_caught(cli, tmp_path):
    plugin = tmp_path / "my-own.method.py"
    plugin.write_text(MIXING)
    found = cli("methods", "check", "centred", "--plugin", plugin)
    assert (found.code, found.err) == (1, "")
    assert "what to do about 'batch': reduce over patches, never over the batch axis" in found.out
    assert found.out.rstrip().endswith("checks passed, 1 failed")
    assert max(map(len, found.out.splitlines())) <= 80


def test_options_and_json(cli, tmp_path):
    plugin = tmp_path / "plugin.py"
    plugin.write_text(MIXING)
    found = cli("methods", "check", "centred", "--plugin", plugin, "-O", "mixed=false", "--json")
    lines = [json.loads(line) for line in found.out.splitlines()]
    assert (found.code, found.err) == (0, "")
    assert [line["check"] for line in lines] == [check.name for check in CHECKS]
    assert {line["result"] for line in lines} <= {"passed", "not applicable", "not declared", "informative"}
    assert next(line for line in lines if line["check"] == "cost") == {
        **{"method": "centred", "check": "cost", "result": "not declared"},
        **{"found": "the card states no 'macs'", "remedy": ""},
    }


def test_what_cannot_be_checked_is_said_in_one_line(cli, tmp_path):
    assert "no method named 'fbclipp'; did you mean 'fbclip'?" in cli("methods", "check", "fbclipp").error
    assert "no option of clip named 'nonsense'" in cli("methods", "check", "clip", "-O", "nonsense=1").error
    assert cli("methods", "check", "x", "--plugin", tmp_path / "none.py").code == 2


def test_two_plugin_files_of_one_name_are_two_methods(cli, tmp_path):
    for folder, name in (("one", "first"), ("two", "second")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "plugin.py").write_text(MIXING.replace('name="centred"', f'name="{name}"'))
    plugins = ("--plugin", tmp_path / "one" / "plugin.py", "--plugin", tmp_path / "two" / "plugin.py")
    shown = [
        json.loads(cli("methods", "show", name, *plugins, "--json").out)["name"] for name in ("first", "second")[:1]
    ]
    assert shown == ["first"]
    assert registry.method_card("second").name == "second"


def test_a_new_method_says_what_comes_next_and_runs(cli, tmp_path, mini, small):
    made = cli("new", "method", "some-method", "--out", "new")
    assert made.code == 0
    lines = made.out.splitlines()
    assert lines[0] == "new/src/some_method.py"
    assert "  zsadbench methods check some-method" in lines
    assert "  zsadbench run -m some-method -t demo" in lines
    assert "  pip install -e new" in lines
    plugin = ("--plugin", tmp_path / "new" / "src" / "some_method.py")
    model = ("--backbone", small, "--weights", "random", "--data-root", mini)
    ran = cli("run", "-m", "some-method", "-t", "brainmri", "--limit", "1", *model, *plugin, "--json", "--quiet")
    assert (ran.code, json.loads(ran.out.splitlines()[-1])["finished"]) == (0, 1)


@pytest.mark.slow
def test_a_new_method_runs_on_the_demo(cli, tmp_path):
    assert cli("new", "method", "some-trained", "--kind", "trained", "--out", "new").code == 0
    plugin = ("--plugin", tmp_path / "new" / "src" / "some_trained.py")
    ran = cli("run", "-m", "some-trained", "-t", "demo", "--limit", "2", "--epochs", "1", *plugin, "--json", "--quiet")
    assert (ran.code, json.loads(ran.out.splitlines()[-1])["finished"]) == (0, 1)


def test_new_refuses_in_one_line(cli, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")
    for arguments, words in (
        (("method", "some-method", "--out", "full"), "--out 'full' is not empty"),
        (("method", "fbclip", "--out", "new"), "is registered already"),
        (("dataset", "../x", "--out", "new"), "is no name for a dataset"),
        (("method", "some-method", "--out", "new", "--kind", "magic"), "--kind is 'magic'"),
    ):
        found = cli("new", *arguments)
        assert found.code == 2
        assert words in found.error


def test_a_new_card_has_no_fault_and_a_changed_one_several(cli, tmp_path):
    assert cli("new", "dataset", "some-parts", "--out", "new").code == 0
    card = tmp_path / "new" / "src" / "some_parts" / "cards" / "some-parts.toml"
    found = cli("datasets", "check-card", card)
    assert (found.code, found.out) == (0, f"{card}: 0 faults\n")
    card.write_text(card.read_text().replace("licence =", "license =").replace("label = 0", "label = 7"))
    found = cli("datasets", "check-card", card)
    assert found.code == 1
    assert "line 7: field 'license' is unknown; did you mean 'licence'?" in found.out
    assert "field 'label' must be 0, 1, " in found.out
    assert found.out.endswith("3 faults\n")
    lines = [json.loads(line) for line in cli("datasets", "check-card", card, "--json").out.splitlines()]
    assert [sorted(line) for line in lines] == 3 * [["line", "message", "remedy"]]


def test_a_card_that_cannot_be_read(cli, tmp_path):
    assert cli("datasets", "check-card", tmp_path / "none.toml").code == 2
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    assert cli("datasets", "check-card", tmp_path / "binary.toml").code == 3


def test_what_a_plugin_raises_is_named_with_its_line(cli, tmp_path):
    leaving = MIXING.replace("        patches =", "        raise SystemExit(0)\n        patches =")
    (tmp_path / "leaving.py").write_text(leaving)
    found = cli("methods", "check", "centred", "--plugin", "leaving.py", "--json")
    lines = [json.loads(line) for line in found.out.splitlines()]
    assert (found.code, found.err, len(lines)) == (1, "", len(CHECKS))
    where = leaving.splitlines().index("        raise SystemExit(0)") + 1
    assert next(line for line in lines if line["check"] == "shapes")["found"] == f"SystemExit: 0 (leaving.py:{where})"
    (tmp_path / "broken.py").write_text(MIXING + "nothing_there\n")
    told = cli("methods", "check", "centred", "--plugin", "broken.py")
    assert (told.code, told.out) == (2, "")
    where = len(MIXING.splitlines()) + 1
    assert told.error.endswith(f"'broken.py' fails: NameError: name 'nothing_there' is not defined (broken.py:{where})")


def test_options_that_cannot_be_are_refused_before_the_checks(cli, tmp_path):
    text = MIXING.replace("mixed: bool = True", "mixed: bool = False\n    layer: int = 24")
    text = text.replace("Taps((24,))", "Taps((options.layer,))")
    (tmp_path / "plugin.py").write_text(text)
    told = cli("methods", "check", "centred", "--plugin", "plugin.py", "-O", "layer=99")
    assert (told.code, told.out, len(told.err.splitlines())) == (2, "", 1)
    assert "99" in told.error


def test_an_interrupted_check_keeps_nothing_and_says_so(cli, tmp_path):
    text = MIXING.replace("        patches =", "        raise KeyboardInterrupt\n        patches =")
    (tmp_path / "plugin.py").write_text(text)
    told = cli("methods", "check", "centred", "--plugin", "plugin.py")
    assert (told.code, told.error) == (130, "error: interrupted")


def test_words_for_newcomers(cli, monkeypatch):
    monkeypatch.setattr(registry, "_plugin_files", [])
    assert cli("methods", "check", "mine").error.endswith("; a method of your own file needs --plugin FILE.py")
    assert cli("run", "--results", "here").error == "error: no option --results: 'run' writes records into --out"

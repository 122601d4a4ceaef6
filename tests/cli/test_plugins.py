"""`--plugin`: every command that takes a method, its options or its protocol also takes the file of one more method."""

import pytest
import typer.main

from zsadbench import registry
from zsadbench.cli import app

NAME_METHODS = {"--method", "--methods", "--method-name", "--option", "--protocol"}
LIST_METHODS = {"methods list", "protocol list", "protocol show", "protocol diff", "weights list", "reproduce"}

PLUGIN = """
from dataclasses import dataclass

from zsadbench.protocol import EvaluationProtocol
from zsadbench.types import MethodCard, Paper, Taps


@dataclass(frozen=True)
class Options:
    temperature: float = 0.07


CARD = MethodCard(
    name="ours",
    paper=Paper(title="A method of one file", venue="-", year=2026, key="ours"),
    options=Options,
    taps=lambda options: Taps((24,)),
    build=lambda backbone, options: None,
    smoothing=4.0,
    protocols=(EvaluationProtocol("paper:ours"),),
)
"""


def _verbs(group, before=""):
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _verbs(command, f"{before}{name} ")
        else:
            yield before + name, command


VERBS = dict(_verbs(typer.main.get_command(app)))


def _names_a_method(verb, command):
    flags = {flag for option in command.params for flag in option.opts}
    arguments = [parameter for parameter in command.params if parameter.param_type_name == "argument"]
    named = any("method" in (argument.help or "").lower() for argument in arguments)
    return not verb.startswith("new ") and (verb in LIST_METHODS or bool(flags & NAME_METHODS) or named)


TAKING = [verb for verb, command in VERBS.items() if _names_a_method(verb, command)]


def test_these_commands_take_a_method():
    assert {"run", "train", "predict", "threshold fit", "threshold check", "report", "compare", "score"} <= {*TAKING}
    assert {"audit", "submission", "explain", "profile", "parity", "methods show", "checkpoints import"} <= {*TAKING}
    assert "cache list" not in TAKING


@pytest.mark.parametrize("verb", TAKING)
def test_a_command_that_takes_a_method_takes_a_plugin(verb):
    assert "--plugin" in {flag for option in VERBS[verb].params for flag in option.opts}


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    points = {group: dict(registry._points(group)) for group in ("methods", "datasets", "reports")}
    monkeypatch.setattr(registry, "_points", points.__getitem__)
    monkeypatch.setattr(registry, "_plugins", {})
    path = tmp_path / "ours.py"
    path.write_text(PLUGIN)
    return path


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("protocol", "show", "paper:ours"), "paper:ours"),
        (("protocol", "list"), "paper:ours"),
        (("protocol", "diff", "paper:ours", "strict-raw"), "strict-raw"),
        (("methods", "show", "ours"), "A method of one file"),
        (("weights", "list"), "ViT-L-14-336"),
    ],
)
def test_a_command_knows_the_method_of_the_plugin(cli, plugin, words, told):
    answer = cli(*words, "--plugin", plugin)
    assert answer.code == 0, answer.err
    assert told in answer.out


@pytest.mark.parametrize("verb", ["report", "compare ours clip", "score maps -t demo", "audit maps -t demo"])
def test_a_plugin_that_is_no_file_is_refused(cli, verb):
    answer = cli(*verb.split(), "--plugin", "nowhere.py")
    assert answer.code == 2
    assert answer.error == "error: plugin 'nowhere.py' is not a file"


def test_maps_may_not_have_the_name_of_the_plugin(cli, plugin, tmp_path):
    (tmp_path / "maps").mkdir()
    answer = cli("score", "maps", "-t", "demo", "--method-name", "ours", "--plugin", plugin)
    assert answer.code == 2
    assert "'ours'" in answer.error

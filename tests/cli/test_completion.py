"""Shell completion of names, as the shell asks for it."""

import subprocess
import sys

import pytest

from zsadbench.cli.shared.completion import complete_methods, complete_targets, completion_of


def completed(words):
    """What the shell is offered: bash's protocol of typer, in a process of its own, as a shell calls it."""
    code = "import sys; sys.argv = ['zsadbench']; from zsadbench.cli import main; main()"
    environment = {"_ZSADBENCH_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    import os

    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("zsadbench run -m fb", ["fbclip"]),
        ("zsadbench predict -m afclip", ["afclip", "afclip-memory"]),
        ("zsadbench run -t kva", ["kvasir"]),
        ("zsadbench run --metric pixel_aup", ["pixel_aupro", "pixel_aupro_200", "pixel_aupro_200_max"]),
        ("zsadbench methods show winc", ["winclip"]),
        ("zsadbench datasets show head", ["headct"]),
        ("zsadbench cache clear tok", ["tokens"]),
    ],
)
def test_names_are_offered(words, offered):
    assert completed(words) == offered


def test_the_last_name_of_a_comma_list_is_completed_once():
    assert complete_methods("fbclip,anomalyc") == ["fbclip,anomalyclip"]
    assert complete_methods("fbclip,fbc") == []
    assert complete_targets("fol") == ["folder:"]
    assert "all" in complete_targets("")


def test_a_completion_that_fails_offers_nothing():
    def fail():
        raise RuntimeError("broken plugin")

    assert completion_of(fail)("x") == []

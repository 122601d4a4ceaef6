"""Flags, defaults and environment variables of every command, and its help page."""

import inspect
import re
import shlex

import pytest
import typer.main

from zsadbench.cli import app
from zsadbench.errors import UsageError

# One word per flag: its names, `*` if it is repeatable, `$` if the parser reads ZSADBENCH_<NAME>, and its default.
FLAGS = {
    "run": """
        --address$ --allow-leak --allow-partial --aux$ --backbone$ --batch-size$=auto --checkpoint$ --class*
        --compile$=off --data-root* --device$=auto --dry-run --engine$ --epochs$ --image-cache$ --image-size$ --jobs$
        --json --limit$ --max-pixels$ --method|-m* --metric* --normal* --offline$ --option|-O* --out$=results
        --overwrite$=missing --plugin*
        --precision$=fp32 --protocol$=strict --quiet|-q --save-maps --seed* --shard$ --shots*
        --support-seed* --sweep --target|-t* --token-cache$ --token-precision$=fp32 --unit-timeout$ --verbose|-v
        --weights$ --workers$
    """,
    "train": """
        --plugin*
        --allow-partial --aux$ --backbone$ --class* --data-root* --device$=auto --epochs$ --fresh --image-cache$
        --image-size$ --json --max-pixels$ --method|-m* --normal* --offline$ --option|-O* --out --precision$=fp32
        --quiet|-q --seed* --shots* --support-seed* --sweep
        --token-cache$ --token-precision$=fp32 --verbose|-v --weights$ --workers$
    """,
    "tune": """
        --allow-partial --aux$ --backbone$ --batch-size$=auto --data-root* --device$=auto --engine$ --epochs$ --folds=3
        --image-cache$ --image-size$ --jobs$ --json --limit$ --max-pixels$ --method|-m* --metric=pixel_auroc --normal*
        --offline$ --option|-O* --out=tuned.toml --plugin* --precision$=fp32 --protocol$=strict --quiet|-q
        --records=tuning --seed* --sweep --token-cache$ --token-precision$=fp32 --verbose|-v --weights$ --workers$
    """,
    "predict": """
        --plugin*
        --allow-partial --aux$ --backbone$ --batch-size$=auto --checkpoint$ --class-name --data-root* --device$=auto
        --idle --image-size$ --json --max-pixels$ --method|-m* --normal* --offline$ --option|-O* --out=predictions
        --overlap --quiet|-q --reference --scale --settle=1.0 --threshold --tile --watch --weights$
    """,
    "submission": """
        --plugin*
        --allow-partial --aux$ --backbone$ --checkpoint$ --data-root* --device$=auto --image-size$ --json --max-pixels$
        --method|-m* --offline$ --option|-O* --out=submission.tar.gz --quiet|-q --target|-t --weights$
    """,
    "explain": """
        --plugin*
        --allow-partial --aux$ --backbone$ --checkpoint$ --class|--class-name --data-root* --device$=auto
        --image-size$ --json --max-pixels$ --method|-m* --normal* --offline$ --option|-O* --out=explained --quiet|-q
        --reference --weights$
    """,
    "profile": """
        --plugin*
        --backbone$ --batch-size=1 --compile$=off --device$=auto --image-size$ --into --json --method|-m* --offline$
        --option|-O* --out --precision$=fp32 --quiet|-q --rounds --save-maps --scenario=single-stream --training
        --verbose|-v --weights$
    """,
    "parity": "--plugin* --json --option|-O* --verbose|-v",
    "score": """
        --about --allow-leak --plugin*
        --allow-partial --class* --data-root* --image-size$ --json --limit$ --max-pixels$ --method-name --metric*
        --normal*
        --out$=results --overwrite$=missing --protocol$ --quiet|-q --seed* --target|-t* --verbose|-v --workers$
    """,
    "audit": """
        --plugin*
        --allow-partial --class* --data-root* --image-size$ --json --limit$ --max-pixels$ --normal* --per-class
        --protocol$ --quiet|-q
        --target|-t* --verbose|-v
    """,
    "report": """
        --bibtex* --plugin* --published*
        --data-root* --decimals --format* --json --methods* --metrics* --no-published --no-spread --order --out=report
        --paper --picture* --quiet|-q --reference --results=results --selection --targets* --templates --verbose|-v
    """,
    "reproduce": """
        --plugin*
        --allow-partial --aux$ --backbone$ --batch-size$=auto --data-root* --device$=auto --dry-run --epochs$
        --image-cache$ --image-size$ --json --limit$ --list --offline$ --out$=results --quiet|-q --seed*
        --tables --target|-t* --token-cache$ --verbose|-v --weights$ --workers$
    """,
    "compare": "--plugin* --json --metric* --quiet|-q --results=results --target|-t* --verbose|-v",
    "protocol list": "--plugin*",
    "protocol show": "--plugin* --json",
    "protocol diff": "--plugin* --json",
    "methods list": "--plugin* --json",
    "methods show": "--plugin* --json",
    "methods check": "--plugin* --json --option|-O*",
    "new method": "--kind=training-free --out",
    "new dataset": "--out",
    "new report": "--out",
    "datasets list": "--json",
    "datasets show": "",
    "datasets check-card": "--json",
    "datasets check": "--data-root* --deep --json --max-pixels$ --normal* --split*",
    "datasets fingerprint": "--allow-partial --data-root* --deep --json --max-pixels$ --normal*",
    "datasets synth": "--out --per-class=4",
    "checkpoints list": "--json",
    "checkpoints show": "--json",
    "checkpoints export": "--json --licence --out|-o --results",
    "checkpoints import": "--plugin* --method|-m --out",
    "threshold fit": """
        --plugin* --allow-partial --alpha=0.05 --aux$ --backbone$ --checkpoint$ --class-name=object --data-root*
        --defective* --device$=auto --image-size$ --json --max-pixels$ --method|-m* --normal* --offline$ --option|-O*
        --out|-o --overlap --quiet|-q --reference --tile --weights$
    """,
    "threshold check": """
        --plugin* --allow-partial --aux$ --backbone$ --checkpoint$ --data-root* --device$=auto --image-size$ --json
        --max-pixels$ --method|-m* --offline$ --option|-O* --quiet|-q --reference --weights$
    """,
    "weights list": "--all --plugin* --json",
    "weights fetch": "--json --out",
    "weights path": "--json",
    "weights verify": "--json",
    "cache list": "--json",
    "cache clear": "--all --json --yes|-y",
    "doctor": "--json",
}
PANELS = ("Arguments", "Options", "What to run", "What the tables show", "Data", "Model", "Compute", "Output")


def _verbs(group, before=""):
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _verbs(command, f"{before}{name} ")
        else:
            yield before + name, command


VERBS = dict(_verbs(typer.main.get_command(app)))


def _described(option):
    variable = f"ZSADBENCH_{option.opts[0].removeprefix('--').replace('-', '_').upper()}"
    assert option.envvar in {None, variable}
    default = "" if option.default in {None, False} else f"={option.default}"
    return "|".join(option.opts) + "*" * option.multiple + "$" * bool(option.envvar) + default


def test_every_command_is_listed():
    assert VERBS.keys() == FLAGS.keys()


@pytest.mark.parametrize("verb", VERBS)
def test_a_command_has_these_flags(verb):
    options = [option for option in VERBS[verb].params if option.param_type_name == "option"]
    assert sorted(map(_described, options)) == sorted(FLAGS[verb].split())


@pytest.fixture
def run_request(cli, monkeypatch):
    """`run_request(*flags)` returns the request that `run` makes of flags, environment and settings file."""

    def capture(*flags):
        requests = []

        def stop(request):
            requests.append(request)
            raise UsageError("stopped")

        monkeypatch.setattr("zsadbench.engine.plan.jobs.make_plan", stop)
        assert cli("run", *flags).error == "error: stopped"
        return requests[0]

    return capture


VALUES = {
    **{"method": "clip,fbclip", "target": "visa,mvtec", "class": "candle", "seed": "1,2", "limit": "3"},
    **{"option": "fbclip.views=id,sem", "protocol": "strict-raw", "metric": "pixel_aupro@0.05", "aux": "btad"},
    **{"backbone": "demo", "weights": "random", "epochs": "4", "image-size": "28", "device": "cpu"},
    **{"precision": "bf16", "compile": "blocks", "batch-size": "5", "workers": "6", "image-cache": "1GiB"},
    **{"token-cache": "2GiB", "token-precision": "fp16", "out": "there", "overwrite": "always"},
}


def test_flags_variables_and_settings_make_the_same_request(run_request, monkeypatch, tmp_path):
    by_flags = run_request(*(part for name, value in VALUES.items() for part in (f"--{name}", value)))
    settings = "".join(f'{name} = "{value}"\n' for name, value in VALUES.items())
    (tmp_path / "zsadbench.toml").write_text(settings)
    assert run_request() == by_flags
    (tmp_path / "zsadbench.toml").unlink()
    for name, value in VALUES.items():
        monkeypatch.setenv(f"ZSADBENCH_{name.replace('-', '_').upper()}", value)
    assert run_request() == by_flags
    assert (by_flags.methods, by_flags.seeds, by_flags.batch_size) == (("clip", "fbclip"), (1, 2), 5)
    assert (by_flags.image_cache, by_flags.token_cache) == (1 << 30, 2 << 30)


def test_auto_on_the_command_line_overrides_a_number_in_the_settings(run_request, tmp_path):
    (tmp_path / "zsadbench.toml").write_text("batch-size = 5\n")
    assert run_request("-m", "clip", "-t", "visa").batch_size == 5
    assert run_request("-m", "clip", "-t", "visa", "--batch-size", "auto").batch_size is None


@pytest.mark.parametrize("verb", VERBS)
def test_the_help_groups_the_flags_and_ends_with_two_examples(cli, monkeypatch, verb):
    monkeypatch.setenv("COLUMNS", "80")
    page = cli(*verb.split(), "--help").out
    assert [name for name in re.findall(r"^╭─ ([\w ]+) ─", page, re.MULTILINE) if name not in PANELS] == []
    options = page.partition("╭─ Options")[2].partition("╰")[0]
    assert re.findall(r"--[\w-]+", options) == ["--help"]
    lines = [line.strip() for line in page.partition("Examples:")[2].splitlines() if line.strip()]
    assert len(lines) == 2
    for line in lines:
        assert line.startswith("$ zsadbench ")
        assert line.removeprefix("$ ") in VERBS[verb].epilog


@pytest.mark.parametrize("verb", VERBS)
def test_the_examples_are_commands_that_exist(verb):
    for line in VERBS[verb].epilog.split("\n\n")[1:]:
        words = shlex.split(line.removeprefix("$ zsadbench "))
        length = next(length for length in (1, 2) if " ".join(words[:length]) in VERBS)
        named = " ".join(words[:length])
        VERBS[named].make_context(named, words[length:])  # raises where a flag does not exist


@pytest.mark.parametrize("verb", VERBS)
def test_every_flag_is_described(verb):
    for parameter in VERBS[verb].params:
        assert re.fullmatch(r"\S.*\.", parameter.help or ""), parameter.name


def test_a_verb_keeps_its_documentation():
    from zsadbench.cli.run import run

    assert (inspect.getdoc(run) or "").startswith("Train or load each method, evaluate every class, and write one")

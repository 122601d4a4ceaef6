"""Whether a command line would be accepted: the program, its verb, flags, choices and names are there."""

from __future__ import annotations

import importlib
import re
import shlex
from functools import cache
from itertools import groupby
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
FOREIGN = {"pip", "git", "mkdir", "cp", "rsync", "ssh", "apt-get", "sbatch", "jupyter"}  # programs of others


class RefusedError(Exception):
    """A command line that no program of this project accepts; the message says why."""


def check(line: str) -> None:
    """Check a command line without executing it.

    Raises:
        RefusedError: the program, a verb, a flag, a choice, a method or a make target does not exist.
    """
    words = shlex.shlex(line, posix=True, punctuation_chars="|&;")  # not those within quotes
    words.whitespace_split, words.commenters = True, ""
    for joined, part in groupby(words, key=lambda word: word in {"&&", "|", ";"}):
        if not joined:
            _check_command([*part])


def _check_command(words: list[str]) -> None:
    """Check one command of a line."""
    while words and re.fullmatch(r"[A-Z][A-Z0-9_]*=.*", words[0]):
        words = words[1:]
    _check_program(words[0], words[1:])


def _check_program(program: str, words: list[str]) -> None:
    if program == "zsadbench":
        _check_verb(words)
    elif program == "make":
        _check_make(words)
    elif program in {"python", ".venv/bin/python"}:
        _check_script(words)
    elif program == "ray":
        _check_ray(words)
    elif (TOP / program).is_file() or program.startswith(".venv/bin/") or program in FOREIGN:
        return
    else:
        raise RefusedError(f"'{program}' is no program of this project")


@cache
def _parser():
    import typer

    from zsadbench.cli import app

    return typer.main.get_command(app)


def _check_verb(words: list[str]) -> None:
    from zsadbench.cli import PARSER_ERROR

    command, names = _parser(), ["zsadbench"]
    while hasattr(command, "commands") and words:
        if words[0] not in command.commands:
            raise RefusedError(f"'{' '.join(names)}' has no command '{words[0]}'")
        command, names, words = command.commands[words[0]], [*names, words[0]], words[1:]
    try:
        context = command.make_context(" ".join(names), list(words))
    except PARSER_ERROR as failure:
        raise RefusedError(str(getattr(failure, "message", failure))) from failure
    except SystemExit as left:  # --help
        if left.code:
            raise RefusedError(f"exit code {left.code}") from left
        return
    _check_values(context.params, several=names[-1] in {"run", "train", "tune"})


def _check_values(values: dict[str, object], *, several: bool) -> None:
    """Check choices of flags, methods, options and data sets; options may have `several` values."""
    from zsadbench import registry
    from zsadbench.engine.plan.options import configure
    from zsadbench.engine.plan.request import RunRequest
    from zsadbench.engine.plan.settings import settings_of
    from zsadbench.errors import UsageError
    from zsadbench.flags.fields import flags_of
    from zsadbench.flags.forms import split

    for name, flag in flags_of(RunRequest).items():
        if flag.choices and values.get(name) is not None and values[name] not in flag.choices:
            raise RefusedError(f"{flag.long} takes {', '.join(flag.choices)}, not '{values[name]}'")
    given = split(values.get("methods") or []) if "options" in values else ()  # of a report they are those of records
    methods = [method for method in given if method in registry.names("methods")]
    unknown = set(given) - set(methods)
    if unknown and not values.get("plugin"):
        raise RefusedError(f"there is no method '{unknown.pop()}'")
    options = tuple(values.get("options") or ())
    for method in methods:
        card = registry.method_card(method)
        try:
            if several:
                settings_of(card, RunRequest(tuple(methods), ("demo",), options=options))
            else:
                configure(card, options, tuple(methods))
        except UsageError as failure:
            raise RefusedError(str(failure)) from failure


def _check_make(words: list[str]) -> None:
    targets = set(re.findall(r"^([a-z-]+):.*## ", (TOP / "Makefile").read_text(), re.MULTILINE))
    unknown = [word for word in words if "=" not in word and word not in targets]
    if unknown:
        raise RefusedError(f"there is no make target '{unknown[0]}'")


def _check_script(words: list[str]) -> None:
    path = TOP / (words[1].replace(".", "/") if words[0] == "-m" else words[0])
    is_file = path.with_suffix(".py").is_file()
    files = sorted(path.parent.glob("*.py") if is_file else path.rglob("*.py"))  # a neighbour may add flags
    if not files or (path.suffix and not path.is_file()):
        raise RefusedError(f"there is no program '{words[1] if words[0] == '-m' else words[0]}'")
    text = "".join(file.read_text(encoding="utf-8") for file in files)
    for word in words:
        if word.startswith("--") and f'"{word.partition("=")[0]}"' not in text:
            raise RefusedError(f"'{path.name}' has no flag '{word}'")


def _check_ray(words: list[str]) -> None:
    commands = importlib.import_module("ray.scripts.scripts").cli.commands
    if words[0] not in commands:
        raise RefusedError(f"ray has no command '{words[0]}'")
    import click

    try:
        commands[words[0]].make_context(words[0], words[1:])
    except click.ClickException as failure:
        raise RefusedError(failure.format_message()) from failure

"""Every command and snippet of README and docs is executed, executed with substitutions, or parsed."""

import os
import sys
from collections import Counter
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

from doc_commands.accepted import RefusedError, check
from doc_commands.blocks import LANGUAGES, Block, blocks, commands
from doc_commands.classes import classed
from doc_commands.table import Table

TOP = Path(__file__).resolve().parents[2]
TABLE = Table(Path(__file__).with_name("substitutions.toml"))
BLOCKS = blocks(TOP)
COMMANDS = [command for block in BLOCKS if block.language == "sh" for command in commands(block)]
TASKS = [(command, TABLE.task(command.page, command.text)) for command in COMMANDS]
SNIPPETS = [block for block in BLOCKS if block.language == "python"]
KINDS = Counter(kind for _, kind in classed(TOP, TABLE))
RUN_PAGES = sorted(
    {command.page for command, task in TASKS if task.kind != "parsed"} | {each.page for each in SNIPPETS}
)
FILES = [file for block in BLOCKS if (file := TABLE.file_of(block.page, block.text))]


def marked(pages):
    """Parameters, of which the slow ones are of the second tier."""
    return [pytest.param(page, marks=[pytest.mark.slow] if TABLE.slow.match(page) else []) for page in pages]


def test_every_block_says_its_language():
    assert [f"{block.page}:{block.line}" for block in BLOCKS if block.language not in LANGUAGES] == []


def test_every_command_has_one_class_and_the_counts_are_said(record_property):
    assert sum(KINDS.values()) == len(COMMANDS) + len(SNIPPETS)
    assert all(KINDS[kind] for kind in ("executed", "substituted", "parsed"))
    print(", ".join(f"{kind} {number}" for kind, number in KINDS.items()))
    record_property("documentation", dict(KINDS))


def test_no_rule_of_the_table_is_stale():
    assert TABLE.unused() == []


@pytest.mark.parametrize(
    "number", range(len(TASKS)), ids=lambda number: f"{TASKS[number][0].page}:{TASKS[number][0].line}"
)
def test_every_command_is_accepted(number):
    """Of programs, verbs, flags, choices, methods and options none is stale."""
    command, task = TASKS[number]
    if command.text.startswith("zsadbench") or task.kind == "parsed":
        check(task.line)


def run_command(command, execute):
    """Execute one command of a page; what is only parsed is left out."""
    task = TABLE.task(command.page, command.text)
    if task.kind == "parsed" or ("$ZSADBENCH_FIXTURES" in task.line and "ZSADBENCH_FIXTURES" not in os.environ):
        return
    with pytest.MonkeyPatch.context() as patch:
        for name in TABLE.removed(task.line):
            patch.delenv(name)
        code, said = execute(task.line)
    assert code == task.exit, f"{command.page}:{command.line}: {task.line}\n{said}"
    assert "Traceback" not in said


@pytest.mark.parametrize("page", marked(RUN_PAGES))
def test_the_commands_and_snippets_of_a_page_work_in_order(page, workplace, execute):
    names = {"__name__": "snippet"}
    exec(TABLE.preludes.get(page, ""), names)
    of_page = [block for block in BLOCKS if block.page == page]
    for block in of_page:
        if file := TABLE.file_of(page, block.text):
            (workplace / file).write_text(block.text)
    for block in of_page:
        if block.language == "python" and not TABLE.file_of(page, block.text):  # a saved one is run by a command
            code = TABLE.task(page, block.text).line
            exec(compile(code, f"{page}:{block.line}", "exec"), names)
        for command in commands(block) if block.language == "sh" else ():
            run_command(command, execute)


@pytest.mark.parametrize(
    "stale",
    [
        "zsadbench runs -m clip -t demo",
        "zsadbench run -m clip -t demo --imagesize 70",
        "zsadbench run -m no-such-method -t demo",
        "zsadbench run -m clip -t demo --precision fp8",
        "zsadbench train -m fbclip -O no_option=1",
        "zsadbench run -m clip --limit many",
        "make no-such-target",
        "python benchmarks/no_such.py",
        "python -m tools.faults --no-such-flag 3",
        "no-such-program",
    ],
)
def test_a_stale_command_is_refused(stale):
    with pytest.raises(RefusedError):
        check(stale)


def test_a_stale_command_fails_when_it_is_executed(workplace, execute):
    assert execute("zsadbench datasets show no-such-set")[0] == 2


def test_comments_and_continuation_lines_are_read_as_a_shell_does():
    text = "a --b 'x # y' \\\n    --c  # comment\n\n# nothing\nd#e\n"
    assert [command.text for command in commands(Block("page", 10, "sh", text))] == ["a --b 'x # y' --c", "d#e"]

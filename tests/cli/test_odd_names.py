"""Classes and files of hostile names: every line stays a line, no letter is hidden, and records keep the name."""

import csv
import json
import logging
import os

import pytest
from PIL import Image

from zsadbench.cli.shared.output import say, table
from zsadbench.cli.shared.progress import Progress

CLASS = "metal\nnut\x1b[2J\u2028:bug:"
SHOWN = r"metal\nnut\x1b[2J\u2028:bug:"


@pytest.fixture
def listed(tmp_path):
    """`csv:PATH` of a table with two images of a class with that name."""
    folder = tmp_path / "mine"
    folder.mkdir()
    for name, colour in (("1.png", "red"), ("2.png", "blue")):
        Image.new("RGB", (40, 30), colour).save(folder / name)
    (folder / "list.csv").write_text(f'path,label,class\n1.png,0,"{CLASS}"\n2.png,1,"{CLASS}"\n', newline="")
    return f"csv:{folder / 'list.csv'}"


def hidden(text):
    return [line for line in text.split("\n") if not line.isprintable()]


def test_a_run_and_its_table_and_log_show_the_name_and_the_record_keeps_it(cli, quick, listed, tmp_path):
    told = cli("run", *quick, "-t", listed)
    assert told.code == 0, told.err
    (row,) = [line for line in told.out.splitlines() if line.startswith(" fbclip ")]
    assert row.split()[1] == SHOWN
    assert any(line.startswith(f"fbclip on csv:list/{SHOWN}: 2 images, ") for line in told.err.splitlines())
    (log,) = (tmp_path / "results" / "logs").iterdir()
    assert hidden(told.out) == hidden(told.err) == hidden(log.read_text()) == []
    (path,) = (tmp_path / "results").glob("*/fbclip/*.json")
    assert list(json.loads(path.read_text())["classes"]) == [CLASS]


def test_what_fails_is_one_line(cli, quick, listed, tmp_path):
    (tmp_path / "mine" / "2.png").write_bytes(b"")
    told = cli("run", *quick, "-t", listed, "-q")
    assert told.code == 5
    (line,) = told.err.splitlines()
    assert line.startswith(f"error: fbclip on csv:list, seed 0, {SHOWN}: ")
    told = cli("run", *quick, "-t", "folder:no\nwhere\x1b")
    assert told.err.splitlines() == [told.error]
    assert r"no\nwhere\x1b'" in told.error


def test_several_faults_have_a_line_each(cli, quick, tmp_path):
    told = cli("run", *quick, "-t", "visa,mvtec", "--data-root", "no\nwhere")
    assert told.code == 3
    assert [line.split(":")[:2] for line in told.err.splitlines() if not line.startswith("  ")] == [
        ["error", " visa"],
        ["error", " mvtec"],
    ]


def test_check_and_score_show_the_name(cli, quick, listed, tmp_path):
    assert SHOWN in cli("datasets", "check", listed).out
    record = json.loads(cli("run", *quick, "-t", listed, "--save-maps", "--json", "-q").out.splitlines()[0])
    assert list(record["classes"]) == [CLASS]
    maps = tmp_path / record["path"].replace(".json", ".maps")
    told = cli("score", maps, "--target", listed)
    assert told.code == 0, told.err
    assert SHOWN in told.out
    assert hidden(told.out) == hidden(told.err) == []


@pytest.fixture
def odd_file(tmp_path):
    """An image whose name breaks lines and is no UTF-8."""
    path = tmp_path / os.fsdecode(b"a\r\n\xff.png")
    try:
        with path.open("wb") as file:
            Image.new("RGB", (40, 30)).save(file, "PNG")
    except OSError:
        pytest.skip("this file system only takes UTF-8 names")
    return path


def test_a_file_with_such_a_name_is_scored_and_drawn(cli, quick, odd_file, tmp_path):
    shown = r"a\r\n\udcff.png"
    told = cli("predict", *quick, odd_file, "--out", tmp_path / "out")
    assert told.code == 0, told.err
    assert [line for line in told.out.splitlines() if line.endswith(f" {shown}")]
    lines = (tmp_path / "out" / "scores.csv").read_bytes().splitlines()
    (row,) = csv.DictReader(line.decode() for line in lines)
    assert (row["path"], len(lines)) == (str(tmp_path / shown), 2)
    told = cli("explain", *quick, odd_file, "--out", tmp_path / "drawn")
    assert told.code == 0, told.err
    (about,) = (tmp_path / "drawn").glob("*/stages.json")
    assert json.loads(about.read_text())["image"] == odd_file.name


def test_the_bars_show_names_as_they_are(monkeypatch):
    progress = Progress(json=False, quiet=True)
    progress.bars = progress._bars()
    progress._inner(f"a[/b] {CLASS}", 3, 0, "images")
    (task,) = progress.bars.tasks
    assert progress.bars.columns[0].render(task).plain == f"a[/b] {SHOWN}"


def test_tables_and_lines_on_stdout(capsys):
    say("a\nb", "c")
    table("t\n", ["h\x1b"], [("x\ty",), (":bug: [red]z",)])
    first, second, title, _, header, _, *rows, _ = capsys.readouterr().out.split("\n")
    assert (first, second, title.rstrip()) == (r"a\nb", "c", r"t\n")
    assert [line.strip() for line in (header, *rows[:2])] == [r"h\x1b", r"x\ty", ":bug: [red]z"]


def test_a_warning_is_one_line(cli, capsys):
    cli("protocol", "show", "strict")
    from zsadbench.cli.shared.logs import start_logging

    start_logging()
    logging.getLogger("zsadbench.test").warning("no image of %s", CLASS)
    assert capsys.readouterr().err == f"warning: no image of {SHOWN}\n"

"""What is not found takes three short lines, on the screen as well; names in them break no line."""

import pytest

from zsadbench.errors import in_one_line, not_found, where_looked
from zsadbench.printing import printable_lines


def test_three_lines_and_one():
    message = not_found("no x", "'a' and 'b'", "make x")
    assert message == "no x\n  looked for: 'a' and 'b'\n  what to do: make x"
    assert in_one_line(message) == "no x; looked for 'a' and 'b'; make x"
    assert in_one_line("as it is") == "as it is"


def test_a_name_with_a_line_break_stays_in_its_line():
    assert printable_lines(not_found("no 'a\nb'", "'c\n  d'", "e\x1b")) == [
        r"no 'a\nb'",
        r"  looked for: 'c\n  d'",
        r"  what to do: e\x1b",
    ]
    assert printable_lines("a\nb") == [r"a\nb"]


def test_similar_names_are_named(tmp_path):
    (tmp_path / "epoch_15.pth").touch()
    (tmp_path / "notes.txt").touch()
    assert where_looked(tmp_path / "epoch_5.pth") == (
        f"'{tmp_path / 'epoch_5.pth'}'; similar names there: 'epoch_15.pth'"
    )
    assert where_looked(tmp_path / "x" / "y").endswith("', whose folder is not there")


VERBS = {
    "data": (("run", "-m", "clip", "-t", "visa", "--backbone", "demo"), "visa: not found", 3),
    "two sets": (("run", "-m", "fbclip", "-t", "visa", "--backbone", "demo", "--data-root", "."), "visa: not found", 3),
    "fingerprint": (("datasets", "fingerprint", "visa"), "visa: not found", 3),
    "weights": (("run", "-m", "clip", "-t", "visa", "--weights", "no.pt"), "weights 'no.pt' are not a file", 4),
    "published weights": (("run", "-m", "clip", "-t", "visa", "--offline"), "no weights 'openai' for backbone", 4),
    "checkpoint": (
        ("predict", "-m", "fbclip", "--backbone", "demo", "--checkpoint", "no.pth", "photo.png"),
        "checkpoint 'no.pth' is not a file",
        4,
    ),
    "import": (("checkpoints", "import", "no.pth", "-m", "fbclip"), "no.pth is not a file", 4),
}


@pytest.mark.parametrize(("arguments", "what", "code"), VERBS.values(), ids=VERBS)
def test_on_the_screen(monkeypatch, capsys, tmp_path, arguments, what, code):
    from PIL import Image

    from zsadbench.cli import main

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    Image.new("RGB", (8, 8)).save("photo.png")
    monkeypatch.setattr("sys.argv", ["zsadbench", *arguments])
    with pytest.raises(SystemExit) as left:
        main()
    lines = capsys.readouterr().err.splitlines()
    assert left.value.code == code
    assert lines[0].startswith(f"error: {what}")
    for number in range(0, len(lines), 3):
        first, looked, remedy = lines[number : number + 3]
        assert first.startswith("error: ")
        assert looked.startswith("  looked for: ")
        assert remedy.startswith("  what to do: ")


def test_the_check_of_a_copy_prints_them_as_well(monkeypatch, capsys, tmp_path):
    from zsadbench.cli import main

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["zsadbench", "datasets", "check", "visa", "--data-root", "."])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 3
    shown = capsys.readouterr().out.splitlines()
    first = shown.index("fault: visa: not found")
    assert shown[first + 1].startswith("  looked for: ")
    assert shown[first + 2].startswith("  what to do: ")

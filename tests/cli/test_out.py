"""What `--out` names is checked before any work, in every command that writes."""

import os
from pathlib import Path

import pytest

from zsadbench.errors import UsageError
from zsadbench.flags.out import check_out, check_out_file

# Nothing that these commands need is there: whatever they did first would end with 3 or 4.
VERBS = {
    "run": ("run", "-m", "clip", "-t", "visa", "--weights", "nowhere.pt"),
    "train": ("train", "-m", "fbclip", "--aux", "visa", "--weights", "nowhere.pt"),
    "predict": ("predict", "-m", "clip", "--weights", "nowhere.pt", "nowhere.png"),
    "submission": ("submission", "-m", "clip", "-t", "mvtec2", "--weights", "nowhere.pt"),
    "explain": ("explain", "-m", "clip", "--weights", "nowhere.pt", "nowhere.png"),
    "profile": ("profile", "-m", "clip", "--weights", "nowhere.pt"),
    "score": ("score", ".", "-t", "visa", "--method-name", "mine"),
    "report": ("report",),
    "reproduce": ("reproduce", "fbclip:table1", "--weights", "nowhere.pt"),
    "synth": ("datasets", "synth", "visa"),
    "import": ("checkpoints", "import", "nowhere.pth", "-m", "fbclip"),
}


def _dangling(folder):
    (folder / "dangling").symlink_to("nowhere/deep")
    return folder / "dangling"


def _below_a_file(folder):
    (folder / "taken").write_text("taken")
    return folder / "taken" / "deep"


def _loop(folder):
    (folder / "one").symlink_to("two")
    (folder / "two").symlink_to("one")
    return folder / "one" / "deep"


PLACES = {
    "dangling link": _dangling,
    "below a file": _below_a_file,
    "long name": lambda folder: folder / ("a" * 300),
    "long path": lambda folder: folder / "/".join(["a" * 200] * 25),
    "no disk": lambda folder: Path("/proc/nope/deep"),
    "loop": _loop,
}


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
@pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS)
def test_it_is_refused_before_any_work(cli, tmp_path, verb, place):
    out = place(tmp_path)
    if verb[0] in {"checkpoints", "submission"} and out.name == "dangling":
        out = out / "file.safetensors"
    before = sorted(map(str, tmp_path.rglob("*")))
    told = cli(*verb, "--out", out)
    assert told.code == 2, told.err
    assert told.error.startswith(f"error: --out '{out}' cannot be written: ")
    assert len(told.err.splitlines()) == 1
    assert sorted(map(str, tmp_path.rglob("*"))) == before


@pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS)
def test_a_place_that_can_be_written_is_left_as_it_was(cli, tmp_path, verb):
    told = cli(*verb, "--out", tmp_path / "new" / "deep")
    assert "cannot be written" not in told.err
    if verb[0] not in {"report", "datasets"}:  # these need nothing and do their work
        assert told.code in {2, 3, 4}
        assert not (tmp_path / "new").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="everything is open to the superuser")
def test_a_folder_of_others_is_refused(tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    for out in (closed, closed / "new"):
        with pytest.raises(UsageError, match="is no folder that this user may write to"):
            check_out(out)


def test_a_file_is_neither_a_folder_nor_too_long(tmp_path):
    check_out_file(tmp_path / "new" / "a.safetensors")
    with pytest.raises(UsageError, match="it is a folder; name a file in it"):
        check_out_file(tmp_path)
    with pytest.raises(UsageError, match="the name is longer than 255 bytes"):
        check_out_file(tmp_path / ("a" * 260))
    with pytest.raises(UsageError, match="cannot be written"):
        check_out_file(tmp_path / "a\0b" / "c")


@pytest.mark.parametrize("lies", [".json", ".parquet", "folder"])
def test_what_lies_where_the_record_should_be_is_found_before_the_work(cli, quick, tmp_path, monkeypatch, lies):
    import json

    (event,) = (
        json.loads(line) for line in cli("run", *quick, "-t", "brainmri", "--dry-run", "--json").out.splitlines()
    )
    path = tmp_path / event["path"]
    if lies == "folder":
        path.parent.parent.mkdir(parents=True)
        path.parent.write_text("a file")
    else:
        path.with_suffix(lies).mkdir(parents=True)
    monkeypatch.setattr("zsadbench.engine.encode.towers.build_towers", lambda *_: pytest.fail("work was done"))
    told = cli("run", *quick, "-t", "brainmri", "-q")
    assert told.code == 5
    assert "cannot be written: '" in told.error
    assert told.error.endswith("; move it away")

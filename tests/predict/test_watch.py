"""Watching a folder: files that are finished, each once, over restarts and kills."""

import io
import json
import os
import random
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zsadbench.errors import UsageError
from zsadbench.predict.limits import Limits
from zsadbench.predict.scores_table import write_scores
from zsadbench.predict.scoring import ImageScorer
from zsadbench.predict.session import remove_unfinished
from zsadbench.predict.watch import arrivals
from zsadbench.predict.watch.finished import PATIENCE, Waiting, is_complete
from zsadbench.predict.watch.follow import Watch, follow, only_watcher
from zsadbench.predict.watch.journal import Journal

FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "BMP")


def encoded(form, seed=0):
    pixels = np.random.default_rng(seed).integers(0, 255, (24, 32, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, form)
    return buffer.getvalue()


@pytest.mark.parametrize("form", FORMATS)
def test_no_part_of_a_file_is_complete(form, tmp_path):
    content, path = encoded(form), tmp_path / "a"
    for size in range(0, len(content), max(1, len(content) // 60)):
        path.write_bytes(content[:size])
        if form == "GIF" and content[size - 1 : size] == b";":
            continue  # a byte of the pixels: reading it fails, and it waits
        assert not is_complete(path), size
    path.write_bytes(content[:-1])
    assert not is_complete(path)
    path.write_bytes(content)
    assert is_complete(path)


def test_a_file_is_finished_when_it_rests_and_is_complete(tmp_path):
    now = [0.0]
    waiting, path, content = Waiting(1.0, lambda: now[0]), tmp_path / "a.png", encoded("PNG")
    path.write_bytes(content[:100])
    waiting.add([path])
    now[0] = 5
    assert not waiting.finished(), "it rests and is not complete"
    path.write_bytes(content)
    assert not waiting.finished(), "it has changed"
    now[0] = 6.5
    assert [found.patient for found in waiting.finished().values()] == [False]
    assert not waiting.since
    path.write_bytes(content[:100])
    waiting.add([path])
    now[0] += PATIENCE + 1
    assert [found.patient for found in waiting.finished().values()] == [True]
    waiting.add([path])
    path.unlink()
    assert not waiting.finished()
    assert not waiting.since


FACTS = {"method": "brightness", "class_name": "object"}


def run(folder, out, detector, idle=0.5, settle=0.05):
    """Watch until the folder is idle; the relative paths that came, in their order."""
    watch, limits = Watch(folder, out, "object", settle, idle), Limits()
    with only_watcher(out):
        journal = Journal(out, FACTS)
        found = follow(
            watch,
            ImageScorer(detector),
            journal,
            limits=limits,
            scale=None,
            write=lambda rows: write_scores(out / "scores.csv", rows, limits),
        )
        return [one.relative for one in found]


def noted(out):
    """The images of the journal, every line."""
    lines = (out / "watch.jsonl").read_bytes().split(b"\n")
    assert lines[-1] == b""
    entries = [json.loads(line) for line in lines[:-1]]
    return [entry for entry in entries if entry["kind"] == "image"]


def test_each_image_once_over_restarts_and_results_inside_the_folder(brightness, tmp_path):
    folder = tmp_path / "in"
    (folder / "deep").mkdir(parents=True)
    for index in range(3):
        (folder / f"deep/{index}.png").write_bytes(encoded("PNG", index))
    (folder / "deep/.hidden.png").write_bytes(b"x")
    out = folder / "results"
    assert sorted(run(folder, out, brightness)) == ["deep/0.png", "deep/1.png", "deep/2.png"]
    assert run(folder, out, brightness) == []
    (folder / "new.jpg").write_bytes(encoded("JPEG"))
    (folder / "deep/0.png").write_bytes(encoded("PNG", 99))
    assert sorted(run(folder, out, brightness)) == ["deep/0.png", "new.jpg"]
    assert len((out / "scores.csv").read_text().splitlines()) == 5
    assert sorted(path.name for path in (out / "maps").rglob("*.png")) == ["0.png", "1.png", "2.png", "new.png"]


def test_a_journal_is_cut_after_a_kill_and_refused_for_another_detector(brightness, tmp_path):
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for index in range(2):
        (folder / f"{index}.png").write_bytes(encoded("PNG", index))
    run(folder, out, brightness)
    path = out / "watch.jsonl"
    path.write_bytes(path.read_bytes()[:-20])
    assert run(folder, out, brightness) == ["1.png"]
    assert len(noted(out)) == 2
    with pytest.raises(UsageError, match="other settings"):
        Journal(out, {**FACTS, "class_name": "bolt"})
    path.write_text("[]\n")
    with pytest.raises(UsageError, match="no journal"):
        Journal(out, FACTS)
    with only_watcher(out), pytest.raises(UsageError, match="another process"), only_watcher(out):
        pass


def test_a_file_that_stays_broken_fails_once_and_is_tried_again_when_it_changes(brightness, tmp_path, monkeypatch):
    monkeypatch.setattr("zsadbench.predict.watch.finished.PATIENCE", 4)
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    (folder / "a.png").write_bytes(encoded("PNG")[:300])
    assert run(folder, out, brightness) == ["a.png"]
    assert [("score" in entry) for entry in noted(out)] == [False]
    assert run(folder, out, brightness) == []
    (folder / "a.png").write_bytes(encoded("PNG"))
    assert run(folder, out, brightness) == ["a.png"]


def write_slowly(folder, number, pause, seed):
    """Write images in pieces with pauses, several at a time, some under another name first."""
    chance = random.Random(seed)
    for start in range(0, number, 10):
        parts = []
        for index in range(start, min(number, start + 10)):
            form = FORMATS[index % len(FORMATS)]
            content = encoded(form, index)
            cuts = sorted(chance.randrange(1, len(content)) for _ in range(3))
            parts.append((folder / f"{index:04}.{form.lower()}", content, [0, *cuts, len(content)]))
        for step in range(4):
            for path, content, cuts in parts:
                moved = int(path.stem) % 7 == 0
                target = path.with_suffix(path.suffix + ".part") if moved else path
                with target.open("ab") as stream:
                    stream.write(content[cuts[step] : cuts[step + 1]])
                if moved and step == 3:
                    target.rename(path)
            time.sleep(pause)


@pytest.mark.parametrize(
    ("number", "kills", "pause"), [(60, 3, 0.03), pytest.param(500, 12, 0.12, marks=pytest.mark.slow)]
)
def test_every_file_is_scored_once_over_kills_and_none_half_read(
    brightness, tmp_path, monkeypatch, number, kills, pause
):
    monkeypatch.setattr(arrivals, "LISTING", 1.0)
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    writer = threading.Thread(target=write_slowly, args=(folder, number, pause, 0))
    writer.start()
    chance = random.Random(1)
    for _ in range(kills):
        child = os.fork()
        if child == 0:
            try:
                run(folder, out, brightness, idle=60, settle=0.02)
            finally:
                os._exit(1)
        time.sleep(0.3 + chance.random() * number * pause / 10 / kills * 4)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    writer.join()
    remove_unfinished(out)
    run(folder, out, brightness, idle=2.0, settle=0.02)
    entries = noted(out)
    names = [os.fsdecode(bytes.fromhex(entry["path"])) for entry in entries]
    wanted = sorted(path.name for path in folder.iterdir())
    assert len(wanted) == number
    assert sorted(names) == wanted, "each once"
    for entry, name in zip(entries, names, strict=True):
        with Image.open(folder / name) as image:
            whole = brightness.score_batch([image.copy()], "object")
        assert entry["score"] == pytest.approx(float(whole.image[0]), abs=1e-6), "none half-read"
        assert (out / os.fsdecode(bytes.fromhex(entry["heat_map"]))).is_file()
    assert len((out / "scores.csv").read_text().splitlines()) == number + 1
    assert not list(Path(out).rglob("*.unfinished"))

"""The failure browser: measures, selection of images, and the content of the page and its folder."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from zsadbench.compare import Board
from zsadbench.compare.failures.runs import runs_of
from zsadbench.compare.failures.sections import sections_of
from zsadbench.compare.failures.selection import LEAST, SHOWN
from zsadbench.data import load_dataset
from zsadbench.records import record_path, write_record
from zsadbench_reports.failures import write_failures

SIDE = 40
HOSTILE = "<script>alert(1)"


@pytest.fixture
def parts(tmp_path):
    """A user's own data set with 4 normal and 4 anomalous images; the defect is the bright square of the mask."""
    root = tmp_path / "data" / "parts"
    for kind in ("test/good", "test/dent", "ground_truth/dent"):
        (root / kind).mkdir(parents=True)
    for number in range(4):
        Image.new("RGB", (60, 30), (90, 90, 90 + number)).save(root / "test/good" / f"{number}.png")
        Image.new("RGB", (60, 30), (120, 90, number)).save(root / "test/dent" / f"{number}.png")
        mask = np.zeros((30, 60), np.uint8)
        mask[10:14, 20:26] = 255
        Image.fromarray(mask).save(root / "ground_truth/dent" / f"{number}.png")
    return root


def scores_map(value, *, at=None):
    """Quiet noise, and `value` in the square of the mask, or at `at`."""
    found = np.random.default_rng(0).random((SIDE, SIDE)).astype(np.float32) / 10
    rows, columns = at or (slice(13, 19), slice(13, 18))
    found[rows, columns] = value
    return found


@pytest.fixture
def add_run(make_record, parts, tmp_path):
    """`add_run(method, scores)` writes a record on `parts` with maps; `scores` are those of good 0-3, then dent 0-3."""

    def add(method, scores, *, maps=None, names=None, kept=True, **changes):
        data = load_dataset(f"folder:{parts}")
        target = {"name": data.card.name, "fingerprint": data.fingerprint}
        record = make_record(method, target["name"], {"parts": 0.9}, **changes)
        record.cell["target"] = target
        paths = names or [f"test/{kind}/{number}.png" for kind in ("good", "dent") for number in range(4)]
        images = pd.DataFrame({"path": paths, "class": "parts", "label": [0] * 4 + [1] * 4, "score": scores})
        images["defect"] = ["good"] * 4 + ["dent"] * 4
        path = record_path(tmp_path / "results", record.cell)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_record(path, record, images)
        for name, score in zip(paths, scores, strict=True):
            place = path.with_suffix(".maps") / f"{name}.npy"
            if kept:
                place.parent.mkdir(parents=True, exist_ok=True)
                np.save(place, (maps or {}).get(name, scores_map(score)))
        return path, record

    return add


def board(*records, roots=None):
    return Board(pd.DataFrame(), list(records), {}, roots)


def payload(folder):
    text = (folder / "failures.html").read_text()
    return json.loads(re.search(r'id="payload">(.*?)</script>', text, re.DOTALL)[1]), text


GOOD = [0.1, 0.2, 0.3, 0.9]
DENT = [0.05, 0.5, 0.6, 0.7]


def test_a_section_has_every_method_on_every_image(add_run, parts):
    records = [add_run("clip", GOOD + DENT), add_run("fbclip", DENT + GOOD)]
    (section,) = sections_of(board(*records, roots=[parts.parent]))
    assert [run.entry for run in section.runs] == ["clip", "fbclip"]
    assert (section.total, len(section.examples), section.notes) == (8, 8, ())
    by_path = {one.path: one for one in section.examples}
    worst = by_path["test/good/3.png"]
    assert worst.image.is_file()
    assert worst.results["clip"].error == 1.0
    assert by_path["test/dent/0.png"].mask.is_file()
    assert by_path["test/dent/0.png"].results["clip"].error == 1.0
    assert by_path["test/dent/3.png"].results["clip"].measures.missed == 0
    assert by_path["test/dent/3.png"].results["clip"].error == 0.25


def test_images_are_few_and_the_worst_of_every_method(make_record, tmp_path):
    records = []
    for method in ("a", "b", "c", "d", "e", "f", "g"):
        record = make_record(method, "visa", {"candle": 0.9})
        rng = np.random.default_rng(len(records))
        images = pd.DataFrame({"path": [f"{n:03}" for n in range(400)], "class": "candle", "label": [0, 1] * 200})
        images["defect"], images["score"] = "x", rng.random(400)
        path = record_path(tmp_path, record.cell)
        path.parent.mkdir(parents=True)
        write_record(path, record, images)
        path.with_suffix(".maps").mkdir()
        records.append((path, record, images))
    (section,) = sections_of(board(*[one[:2] for one in records], roots=[tmp_path]))
    shown = {one.path for one in section.examples}
    assert len(shown) <= 2 * 7 * LEAST + SHOWN
    for _, _, images in records:
        assert set(images[images["label"] == 0].nlargest(LEAST, "score")["path"]) <= shown
        assert set(images[images["label"] == 1].nsmallest(LEAST, "score")["path"]) <= shown


def test_the_page_and_its_folder(add_run, parts, tmp_path):
    records = [add_run("clip", GOOD + DENT), add_run("fbclip", DENT + GOOD)]
    (page,) = write_failures(board(*records, roots=[parts.parent]), tmp_path / "out", None)
    assert page.name == "failures.html"
    content, text = payload(tmp_path / "out")
    (section,) = content["sections"]
    pictures = [image["picture"] for image in section["images"]] + [
        found["map"] for image in section["images"] for found in image["found"]
    ]
    assert len(pictures) == 8 * 3
    for name, width, height in pictures:
        assert re.fullmatch(r"failures/[\w.-]+/[0-9a-f]{16}(-\d)?\.webp", name)
        with Image.open(tmp_path / "out" / name) as picture:
            assert picture.size == (width, height) == (240, 120)
    assert set((tmp_path / "out").rglob("*.webp")) == {tmp_path / "out" / one[0] for one in pictures}
    assert not re.search(r"(?:https?:)?//[a-z]", text.replace("//www.w3.org", "")), "nothing is loaded from elsewhere"
    assert str(tmp_path) not in text, "no path of this machine"


def test_the_same_records_give_the_same_files(add_run, parts, tmp_path):
    given = board(add_run("clip", GOOD + DENT), roots=[parts.parent])
    for name in ("one", "two"):
        write_failures(given, tmp_path / name, None)
    left, right = (
        {p.relative_to(tmp_path / n): p.read_bytes() for p in (tmp_path / n).rglob("*.*")} for n in ("one", "two")
    )
    assert left == right


def test_changed_scores_change_the_page(add_run, parts, tmp_path):
    write_failures(board(add_run("clip", GOOD + DENT), roots=[parts.parent]), tmp_path / "one", None)
    write_failures(board(add_run("clip", DENT + GOOD), roots=[parts.parent]), tmp_path / "two", None)
    assert payload(tmp_path / "one")[0] != payload(tmp_path / "two")[0]


def test_without_images_there_are_maps_and_the_page_says_so(add_run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_failures(board(add_run("clip", GOOD + DENT), roots=[tmp_path / "nowhere"]), tmp_path / "out", None)
    (section,) = payload(tmp_path / "out")[0]["sections"]
    assert "--data-root" in section["notes"][0]
    assert all(image["picture"] is None and image["found"][0]["map"] for image in section["images"])


def test_another_copy_of_the_data_is_said(add_run, parts, tmp_path):
    record = add_run("clip", GOOD + DENT)
    Image.new("RGB", (60, 30)).save(parts / "test/good/4.png")
    (section,) = sections_of(board(record, roots=[parts.parent]))
    assert "differs from the one that was evaluated" in section.notes[0]


def test_of_several_seeds_the_lowest_is_shown_and_protocols_are_apart(add_run, parts):
    records = [add_run("clip", GOOD + DENT, seed=seed) for seed in (2, 0)]
    records.append(add_run("clip", GOOD + DENT, protocol={"name": "strict-raw", "digest": "x"}))
    first, second = sections_of(board(*records, roots=[parts.parent]))
    assert first.notes == ("clip: seed 0 is shown, not 2",)
    assert [one.key.protocol for one in (first, second)] == ["strict", "strict-raw"]


def test_the_verb_finds_the_images_by_their_data_root(add_run, parts, tmp_path, monkeypatch, capsys):
    from zsadbench.cli import main

    add_run("clip", GOOD + DENT)
    flags = ["report", "--results", tmp_path / "results", "--out", tmp_path / "out", "--format", "failures"]
    monkeypatch.setattr("sys.argv", ["zsadbench", *map(str, [*flags, "--data-root", parts.parent])])
    with pytest.raises(SystemExit) as left:
        main()
    assert not left.value.code
    assert capsys.readouterr().out.split() == [str(tmp_path / "out" / "failures.html")]
    (section,) = payload(tmp_path / "out")[0]["sections"]
    assert all(image["picture"] for image in section["images"])


def test_nothing_is_written_where_no_maps_were_kept(add_run, tmp_path):
    assert write_failures(board(add_run("clip", GOOD + DENT, kept=False)), tmp_path / "out", None) == []
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("content", [b"no array", b""])
def test_an_unreadable_map_is_not_at_hand(add_run, parts, tmp_path, content):
    path, record = add_run("clip", GOOD + DENT)
    (path.with_suffix(".maps") / "test/good/3.png.npy").write_bytes(content)
    np.save(path.with_suffix(".maps") / "test/good/2.png.npy", np.full((4, 4), np.nan))
    write_failures(board((path, record), roots=[parts.parent]), tmp_path / "out", None)
    (section,) = payload(tmp_path / "out")[0]["sections"]
    absent = [image["path"] for image in section["images"] if image["found"][0]["map"] is None]
    assert absent == ["test/good/2.png", "test/good/3.png"]


def test_hostile_names_stay_text_and_never_climb(add_run, tmp_path):
    names = [f"{HOSTILE}</script>{n}" for n in range(7)] + ["../../../outside"]
    record = add_run("clip", GOOD + DENT, names=names)
    np.save(tmp_path / "outside.npy", np.ones((4, 4)))
    write_failures(board(record, roots=[tmp_path]), tmp_path / "out", None)
    content, text = payload(tmp_path / "out")
    assert HOSTILE not in text
    (section,) = content["sections"]
    assert {image["path"] for image in section["images"]} == set(names)
    climbing = next(image for image in section["images"] if image["path"] == names[-1])
    assert climbing["found"][0]["map"] is None


def test_records_without_their_images_are_left_out(add_run):
    path, record = add_run("clip", GOOD + DENT)
    path.with_suffix(".parquet").unlink()
    assert runs_of(board((path, record))) == {}


def test_a_wrong_template_is_one_error(add_run, parts, tmp_path):
    from zsadbench.errors import UsageError

    (tmp_path / "mine" / "failures").mkdir(parents=True)
    (tmp_path / "mine" / "failures" / "failures.html.jinja").write_text("{% if %}")
    with pytest.raises(UsageError, match="cannot be used"):
        write_failures(board(add_run("clip", GOOD + DENT), roots=[parts.parent]), tmp_path / "out", tmp_path / "mine")

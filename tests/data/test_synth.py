import csv
import json
import types
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from zsadbench import registry
from zsadbench.data import all_cards, batches, check_masks, find_card, load_dataset, synthesise
from zsadbench.data.layouts.read import read_layout
from zsadbench.errors import UsageError


def mode(path):
    with Image.open(path) as image:
        return image.mode


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image)


@pytest.mark.parametrize("card", [card for card in all_cards() if not card.generated], ids=lambda card: card.name)
def test_every_card_reads_its_miniature(tmp_path, card):
    root = synthesise(card.name, tmp_path, 2)
    assert root == tmp_path / card.folders[0]
    found = load_dataset(card.name, [tmp_path], splits=tuple(card.expected))
    check_masks(found)
    assert found.synthetic
    assert not found.partial
    assert found.classes == tuple(card.classes)
    per_class = found.manifest[found.manifest["split"] == "test"].groupby(["class", "label"]).size()
    assert set(per_class) == {2}
    masked = found.manifest[found.manifest["mask"] != ""]
    for batch in batches(masked, size=96, positive=card.positive):
        assert batch.masks.any(axis=(1, 2)).all()


def test_the_quirks_are_there(tmp_path):
    visa, mvtec, brain = (synthesise(name, tmp_path, 4) for name in ("visa", "mvtec", "brainmri"))
    with (visa / "split_csv/1cls.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["object", "split", "label", "image", "mask"]
    assert {row["split"] for row in rows} == {"train", "test"}
    assert (visa / "candle/Data/Images/Normal/0000.JPG").is_file()
    assert (visa / "capsules/Data/Images/Normal/000.JPG").is_file()
    ids = {int(pixels(mask).max()) for mask in visa.glob("*/Data/Masks/Anomaly/*.png")}
    assert ids == set(range(1, 10))
    assert mode(mvtec / "grid/test/good/000.png") == "L"
    assert mode(mvtec / "bottle/test/good/000.png") == "RGB"
    assert not (mvtec / "bottle/ground_truth/good").exists()
    images = list((brain / "brain_tumor_dataset").glob("*/*"))
    assert {mode(image) for image in images} == {"RGB", "L", "P", "RGBA"}
    assert {image.suffix for image in images} == {".jpeg", ".jpg", ".JPG", ".png"}
    assert sorted(image.name for image in images) == sorted(
        p.name for f in ("no", "yes") for p in (brain / f).iterdir()
    )


def test_its_file_lists_the_images_and_a_second_call_writes_the_same_files(tmp_path):
    first, second = synthesise("CVC-ColonDB", tmp_path / "a", 3), synthesise("colondb", tmp_path / "b", 3)
    record = json.loads((first / "zsadbench-synth.json").read_text())
    assert (record["name"], record["counts"]) == ("colondb", {"colon": {"test": [0, 3]}})
    assert record["version"]
    assert [p.read_bytes() for p in sorted(first.glob("*/*"))] == [p.read_bytes() for p in sorted(second.glob("*/*"))]
    assert synthesise("colondb", tmp_path / "a", 3) == first, "the same again may be written over"


def test_it_writes_over_nothing_else(tmp_path):
    synthesise("colondb", tmp_path, 3)
    with pytest.raises(UsageError, match="holds something else already"):
        synthesise("colondb", tmp_path, 2)
    (tmp_path / "brainmri").write_text("a file")
    with pytest.raises(UsageError, match="brainmri' holds something else already"):
        synthesise("brainmri", tmp_path)


def test_wrong_requests(tmp_path, monkeypatch):
    with pytest.raises(UsageError, match="at least one image per class, not 0"):
        synthesise("colondb", tmp_path, 0)
    with pytest.raises(UsageError, match="no data set named 'colonbd'"):
        synthesise("colonbd", tmp_path)
    with pytest.raises(UsageError, match="no miniature of 'nothing'"):
        registry.load("datasets", "cards").synthesise("nothing", tmp_path)
    find_card("colondb")
    monkeypatch.setattr(registry, "load", lambda *_: types.SimpleNamespace())
    with pytest.raises(UsageError, match="no miniature of 'colondb' can be generated"):
        synthesise("colondb", tmp_path)


@pytest.mark.parametrize("name", ["mvtec2", "ksdd", "ksdd2"])
def test_files_that_are_no_images_of_a_benchmark_are_named_by_its_card(tmp_path, name):
    root, card = synthesise(name, tmp_path, 1), find_card(name)
    (layout,) = (layout for layout in card.layouts if layout.name == "official")
    assert not read_layout(card, layout, root).left_out
    for glob in card.ignored:
        less = replace(card, ignored=tuple(each for each in card.ignored if each != glob))
        assert read_layout(less, layout, root).left_out, glob
    assert load_dataset(name, [tmp_path], splits=tuple(card.expected)).left_out == ()

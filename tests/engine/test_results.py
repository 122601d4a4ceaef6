"""Results as frames, tables and strips: equal to the records, the table of images and the saved maps."""

from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

import zsadbench
from zsadbench.display.strip import mask_picture, small
from zsadbench.engine.results import Results
from zsadbench.errors import DataError, UsageError
from zsadbench.pictures import overlay
from zsadbench.records import Record, read_images


@pytest.fixture(scope="module")
def results(mini, small, tmp_path_factory):
    """CLIP on two targets, and an untrained FB-CLIP on one of them; maps are saved."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZSADBENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
        settled = {"backbone": str(small), "weights": "random", "data_roots": mini, "workers": 0, "save_maps": True}
        out = tmp_path_factory.mktemp("results")
        first = zsadbench.run(["clip", "fbclip"], ["colondb"], aux="none", out=out, **settled)
        second = zsadbench.run(["clip"], ["brainmri"], out=out, **settled)
    return Results(
        first.records + second.records, finished=first.finished + 1, targets={**first.targets, **second.targets}
    )


def named(results, method, target):
    return next(
        (path, record)
        for path, record in results.records
        if (record.cell["method"], record.cell["target"]["name"]) == (method, target)
    )


def test_the_table_has_the_means_of_every_record(results):
    table = results.table()
    assert table["method"].tolist() == ["clip", "fbclip", "clip"]
    for row, (path, record) in zip(table.to_dict("records"), results.records, strict=True):
        assert row["record"] == str(path)
        for metric, value in record.mean()[0].items():
            assert np.isnan(row[metric]) if value is None else row[metric] == value
    assert np.isnan(table["pixel_auroc"].iloc[2])  # brainmri has no masks


def test_images_are_those_of_every_record(results):
    images = results.images()
    for path, record in results.records:
        own, written = images[images["record"] == str(path)], read_images(path)
        assert own["score"].tolist() == written["score"].tolist()
        assert own["path"].tolist() == written["path"].tolist()
        assert set(own["target"]) == {record.cell["target"]["name"]}


def test_a_strip_shows_the_images_with_the_highest_scores_of_the_first_record(results):
    strip = results.strip(3, target="colondb")
    path, _ = named(results, "clip", "colondb")
    images = read_images(path).sort_values("score", ascending=False).head(3)
    assert [caption.split("\n")[0] for caption in strip.captions] == images["path"].tolist()
    labels = [caption.split("\n")[1].split(",")[0] for caption in strip.captions]
    assert labels == [("normal", "anomalous")[label] for label in images["label"]]
    assert [row.title.split(" (")[0] for row in strip.rows] == ["image", "mask", "clip", "fbclip"]


def test_maps_of_a_strip_are_the_saved_ones_over_the_images(results):
    strip = results.strip(2, target="colondb", method="clip", label=1)
    path, _ = named(results, "clip", "colondb")
    rows = results.targets[path].manifest.set_index("relative").loc[[each.split("\n")[0] for each in strip.captions]]
    maps = [np.load(path.with_suffix(".maps") / f"{relative}.npy") for relative in rows.index]
    low, high = float(np.median(maps)), float(np.max(maps))
    for column, (image_file, mask_file) in enumerate(zip(rows["path"], rows["mask"], strict=True)):
        with Image.open(image_file) as image, Image.open(mask_file) as mask:
            shown = small(image)
            wanted = [shown, mask_picture(np.asarray(mask.convert("L")) >= 128, shown)]
        wanted.append(overlay(shown, maps[column], low, high))
        for row, picture in zip(strip.rows, wanted, strict=True):
            assert np.array_equal(np.asarray(row.pictures[column]), np.asarray(picture)), row.title


def test_a_strip_is_limited_to_a_label_and_a_class(results):
    captions = results.strip(50, target="brainmri", label=0).captions
    assert captions
    assert all("normal, " in caption for caption in captions)
    assert not any(row.title == "mask" for row in results.strip(target="brainmri").rows)
    with pytest.raises(UsageError, match="no image of the record"):
        results.strip(target="brainmri", class_name="no-such-class")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [({}, "several targets; pass target= one of colondb, brainmri"), ({"method": "musc"}, "no record of this method")],
)
def test_a_strip_says_what_to_choose(results, arguments, said):
    with pytest.raises(UsageError, match=said):
        results.strip(**arguments)


def test_without_saved_maps_there_is_no_strip(results, tmp_path):
    _, record = results.records[0]
    with pytest.raises(UsageError, match="save_maps=True saves them"):
        Results([(tmp_path / "0123456789abcdef.json", record)]).strip()


def test_a_damaged_map_is_named(results):
    path, _ = named(results, "clip", "brainmri")
    file = path.with_suffix(".maps") / f"{results.strip(1, target='brainmri').captions[0].splitlines()[0]}.npy"
    content = file.read_bytes()
    try:
        file.write_bytes(b"damaged")
        with pytest.raises(DataError, match="is no readable anomaly map"):
            results.strip(1, target="brainmri")
    finally:
        file.write_bytes(content)


def shown(results):
    return ElementTree.fromstring(f"<div>{results._repr_html_().replace('<wbr>', '')}</div>")


def test_html_has_one_table_per_target_with_means_in_percent(results):
    tables = list(shown(results).iter("table"))
    assert len(tables) == 2
    _, record = results.records[0]
    values = {name: value for name, value in record.mean()[0].items() if value is not None}
    header = [cell.text for cell in tables[0].iter("th")]
    row = [cell.text for cell in list(tables[0].iter("tr"))[1]]
    assert row[0] == "clip †"  # random weights
    for name, value in values.items():
        assert row[header.index(name)] == f"{100 * value:.1f}"


NASTY = "<script>alert(1)</script>"


def test_undefined_means_have_their_reason_and_nothing_is_markup():
    cell = {"method": NASTY, "target": {"name": "a & b"}, "seed": 0, "shots": 0}
    record = Record(
        cell, ["x"], {"x": {"image_auroc": None, "image_ap": 0.25}}, comparable=False, not_comparable_because=["<b>"]
    )
    results = Results([("0.json", record)], failures=[f"{NASTY} failed"])
    page = shown(results)
    cells = [(cell.text, cell.get("title")) for cell in page.iter("td")]
    assert cells == [(f"{NASTY} †", None), ("–", "undefined in every class"), ("25.0", None)]
    lines = [line.text for line in page.iter("p")]
    assert f"– {NASTY}: undefined in every class (image_auroc)" in lines
    assert f"† {NASTY}: not comparable (<b>)" in lines
    assert f"failed: {NASTY} failed" in lines
    assert not list(page.iter("script"))


def test_records_of_one_method_are_told_apart(results):
    path, record = results.records[0]
    seeds = [replace(record, cell={**record.cell, "seed": seed}) for seed in (0, 1)]
    first = [next(iter(row)).text for row in shown(Results([(path, each) for each in seeds])).iter("tr")]
    assert first[1:] == ["clip, seed 0 †", "clip, seed 1 †"]
    first = [
        next(iter(row)).text for row in shown(Results([(path, record), (path.with_stem("b" * 16), record)])).iter("tr")
    ]
    assert first[1:] == [f"clip, {path.stem[:8]} †", "clip, bbbbbbbb †"]


def test_no_results_are_said_and_give_empty_frames():
    assert "no results" in Results()._repr_html_()
    for frame in (Results().frame(), Results().table(), Results().images()):
        assert frame.empty
        assert "method" in frame

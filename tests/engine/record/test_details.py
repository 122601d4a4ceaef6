"""What lies beside a record: parts, curves, regions, intervals; whole, merged over classes, the same in any batches."""

import gzip
import json
import logging
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from zsadbench.data import load_dataset, read_mask, resize_mask_nearest
from zsadbench.engine.evaluate import region_quartiles
from zsadbench.engine.evaluate.measure import ClassMeasurement
from zsadbench.engine.evaluate.thresholds import Thresholds
from zsadbench.engine.plan.jobs import make_plan
from zsadbench.metrics import (
    DEFAULT_NAMES,
    BootstrapCounts,
    ClassMetrics,
    area_quartiles,
    image_auroc,
    label_regions,
    pixel_auroc,
)
from zsadbench.records import find_records, read_details
from zsadbench.records.schemas import check_schema
from zsadbench.records.sidecars import read_regions, read_spread

MVTEC = {"targets": ("mvtec",), "aux": "none", "epochs": None}
SUFFIXES = (".details.json.gz", ".regions.pq", ".spread.npz")


@pytest.fixture
def evaluated(run):
    """`evaluated(*classes, **changes)`: the path of a record of these classes of mvtec, maps kept."""

    def make(*classes, **changes):
        results = run(**MVTEC, **{"classes": classes or ("bottle",), "save_maps": True, **changes})
        assert not results.failures
        return results.records[0][0]

    return make


@pytest.fixture
def seen(mini):
    """`seen(path, name)`: the manifest of a class of mvtec, and its maps and masks as they were measured."""

    def make(path, name):
        dataset = load_dataset("mvtec", [mini])
        rows = dataset.manifest[dataset.manifest["class"] == name].reset_index(drop=True)
        maps = [np.load(path.with_suffix(".maps") / f"{one}.npy") for one in rows["relative"]]
        size = maps[0].shape[0]
        masks = [
            resize_mask_nearest(read_mask(one), size) if one else np.zeros((size, size), np.uint8)
            for one in rows["mask"]
        ]
        return rows, np.stack(maps), np.stack(masks)

    return make


def test_every_class_has_its_details(evaluated, seen):
    path = evaluated()
    details, record = read_details(path), json.loads(path.read_text())
    check_schema(details, "details")
    assert details["identity"] == record["identity"]
    found = details["classes"]["bottle"]
    rows, _, masks = seen(path, "bottle")
    assert found["parts"]["class"]["metrics"] == record["classes"]["bottle"]
    assert found["parts"]["class"]["bounds"] == {}
    assert found["parts"]["class"]["prevalence"] == masks.mean()
    assert found["parts"]["class"]["images"] == len(rows)
    assert set(found["curves"]) == {"roc", "pr", "pro"}
    for name, axes in (("roc", ("fpr", "tpr")), ("pr", ("recall", "precision")), ("pro", ("fpr", "pro"))):
        assert tuple(found["curves"][name]) == axes
        assert all(2 <= len(axis) <= 200 for axis in found["curves"][name].values())
    assert found["interval_settings"] == {"level": 0.95, "resamples": 1000, "unit": "image", "seed": 0}
    for metric, (lower, upper) in found["intervals"].items():
        assert lower <= record["classes"]["bottle"][metric] <= upper
    assert {"image_auroc", "pixel_auroc", "pixel_aupro"} <= set(found["intervals"])


def test_a_defect_is_measured_against_all_normal_pixels(evaluated, seen):
    path = evaluated()
    rows, maps, masks = seen(path, "bottle")
    scores = pd.read_parquet(path.with_suffix(".parquet")).set_index("path")["score"]
    parts = read_details(path)["classes"]["bottle"]["parts"]
    kinds = sorted(set(rows["defect"]) - {"good"})
    assert [name for name in parts if name.startswith("defect=")] == [f"defect={kind}" for kind in kinds]
    for kind in kinds:
        own = rows["defect"].isin(["good", kind]).to_numpy()
        part = parts[f"defect={kind}"]
        assert part["images"] == own.sum()
        assert part["prevalence"] == masks[own].mean()
        assert part["metrics"]["image_auroc"] == image_auroc(scores[rows["relative"][own]], rows["label"][own])
        expected = pixel_auroc(maps[own], masks[own])
        lower, upper = part["bounds"].get("pixel_auroc", [part["metrics"]["pixel_auroc"]] * 2)
        assert lower <= expected <= upper
        assert upper - lower < 0.05


def test_regions_have_a_row_each(evaluated, seen):
    path = evaluated("bottle", "grid")
    table = read_regions(path)
    record = json.loads(path.read_text())
    assert list(table) == ["path", "class", "defect", "view", "area", "area_share", "border"] + [
        f"overlap@{rate}" for rate in (0.01, 0.05, 0.1, 0.3)
    ]
    for name in ("bottle", "grid"):
        rows, maps, masks = seen(path, name)
        own = table[table["class"] == name]
        assert len(own) == record["counts"][name]["regions"] > 0
        assert set(own["path"]) <= set(rows["relative"][rows["label"] == 1])
        normal = np.sort(maps[masks == 0])
        levels = np.unique(maps[masks == 1])
        fpr = 1 - np.searchsorted(normal, levels) / normal.size
        for at, (relative, defect) in enumerate(zip(rows["relative"], rows["defect"], strict=True)):
            labels, number = label_regions(masks[at])
            expected = sorted((labels == one).sum() for one in range(1, number + 1))
            mine = own[own["path"] == relative]
            assert mine["area"].tolist() == expected
            assert set(mine["defect"]) <= {defect}
            assert np.allclose(mine["area_share"], mine["area"] / labels.size)
            if number == 1:
                rows_at, columns_at = np.nonzero(labels)
                far = labels.shape[0] - 1
                assert mine["border"].item() == min(
                    *(rows_at.min(), columns_at.min(), far - rows_at.max(), far - columns_at.max())
                )
                for rate in (0.05, 0.3):
                    cut = levels[fpr <= rate].min(initial=np.inf)
                    overlap = (maps[at][labels == 1] >= cut).mean()
                    assert mine[f"overlap@{rate}"].item() == pytest.approx(overlap, abs=1e-9)


def test_the_spread_gives_the_intervals_again(evaluated):
    path = evaluated()
    found, record = read_spread(path), json.loads(path.read_text())
    assert set(found) == {"bottle"}
    spread = BootstrapCounts.from_state(found["bottle"])
    images = pd.read_parquet(path.with_suffix(".parquet"))
    assert spread.labels == dict(zip(images["path"], images["label"] == 1, strict=True))
    deviations = spread.deviations(1000, 0)
    low, high = np.quantile(deviations["pixel_auroc"], (0.025, 0.975))
    value = record["classes"]["bottle"]["pixel_auroc"]
    expected = [max(value + low, 0), min(value + high, 1)]
    assert read_details(path)["classes"]["bottle"]["intervals"]["pixel_auroc"] == pytest.approx(expected, abs=1e-12)


def test_a_resumed_run_adds_its_classes_and_nothing_depends_on_the_way(evaluated, tmp_path):
    """Class by class, together, one class again: the same details."""
    whole = evaluated("bottle", "grid")
    kept = {suffix: whole.with_suffix(suffix).read_bytes() for suffix in SUFFIXES}
    parts = evaluated("grid", out=tmp_path / "parts")
    assert set(read_details(parts)["classes"]) == {"grid"}
    assert evaluated("bottle", out=tmp_path / "parts") == parts
    assert set(read_details(parts)["classes"]) == {"bottle", "grid"}
    for name in ("bottle", "grid"):
        assert read_details(parts)["classes"][name] == read_details(whole)["classes"][name]
        for key, array in read_spread(whole)[name].items():
            assert np.array_equal(array, read_spread(parts)[name][key])
    order = ["class", "path", "area", "overlap@0.3"]
    assert (
        read_regions(parts)
        .sort_values(order)
        .reset_index(drop=True)
        .equals(read_regions(whole).sort_values(order).reset_index(drop=True))
    )
    evaluated("bottle", metrics=("pixel_aupro@0.05",))
    again = read_details(whole)["classes"]
    assert again["grid"] == json.loads(gzip.decompress(kept[".details.json.gz"]))["classes"]["grid"]
    assert "pixel_aupro@0.05" in again["bottle"]["parts"]["class"]["metrics"]


def test_neither_batches_nor_their_order_change_what_is_measured(evaluated, seen):
    """The maps are given, because a tower may round otherwise in batches of another size."""
    rows, maps, masks = seen(evaluated(), "bottle")
    scores = maps.max((1, 2))
    edges = area_quartiles(masks)
    found = []
    for split in ([[0, 1, 2, 3]], [[3], [1], [0], [2]], [[2, 0], [3, 1]]):
        measured = ClassMeasurement(
            *(DEFAULT_NAMES, rows), masked=True, pixels=maps.size, area_quartiles=edges, thresholds=Thresholds()
        )
        for places in split:
            measured.update(scores[places], np.array(places), list(maps[places]), list(masks[places]))
        found.append(measured.result(0, {}))
    assert len(rows) == 4
    for other in found[1:]:
        assert other.estimates == found[0].estimates
        assert other.details[:-1] == found[0].details[:-1]
        assert all(np.array_equal(other.details.spread[key], one) for key, one in found[0].details.spread.items())


def test_overwriting_drops_what_was_there(evaluated):
    path = evaluated("bottle", "grid")
    assert evaluated("grid", overwrite="always") == path
    assert set(read_details(path)["classes"]) == set(read_spread(path)) == {"grid"}
    assert set(read_regions(path)["class"]) == {"grid"}


def test_details_are_no_records(evaluated, tmp_path, caplog):
    path = evaluated()
    with caplog.at_level(logging.WARNING):
        assert [one for one, _ in find_records(tmp_path / "results")] == [path]
    assert not caplog.records


def test_a_set_without_masks_has_no_details(run):
    ((path, _),) = run(aux="none", epochs=None).records
    assert read_details(path) is None
    assert not any(path.with_suffix(suffix).exists() for suffix in SUFFIXES)
    assert (read_regions(path), read_spread(path)) == (None, None)


@pytest.mark.parametrize(
    ("spoilt", "why"),
    [
        (lambda text: text[:-20], "no readable details"),
        (lambda text: text.replace('"area_edges"', '"edges"'), "'area_edges' is a required property"),
        (
            lambda text: text.replace('"prevalence":', '"prevalence":7,"was":'),
            "no valid details: at classes/bottle/parts",
        ),
        (
            lambda text: re.sub('"identity":"[0-9a-f]{64}"', f'"identity":"{"0" * 64}"', text),
            "those of the record 0000",
        ),
    ],
)
def test_unreadable_details_are_named_and_cost_nothing_else(evaluated, caplog, spoilt, why):
    path = evaluated()
    beside = path.with_suffix(".details.json.gz")
    beside.write_bytes(gzip.compress(spoilt(gzip.decompress(beside.read_bytes()).decode()).encode()))
    with caplog.at_level(logging.WARNING):
        assert read_details(path) is None
    assert str(beside) in caplog.text
    assert why in caplog.text
    assert evaluated("grid") == path
    assert set(json.loads(path.read_text())["classes"]) == {"bottle", "grid"}
    assert set(read_details(path)["classes"]) == {"grid"}


@pytest.mark.parametrize(("suffix", "read"), [(".regions.pq", read_regions), (".spread.npz", read_spread)])
def test_unreadable_tables_are_named(evaluated, caplog, suffix, read):
    path = evaluated()
    path.with_suffix(suffix).write_bytes(b"PK not one")
    with caplog.at_level(logging.WARNING):
        assert read(path) is None
    assert str(path.with_suffix(suffix)) in caplog.text


def test_quartiles_are_those_of_the_whole_set_and_kept(evaluated, mini, request_for, monkeypatch, tmp_path):
    path = evaluated()
    dataset = load_dataset("mvtec", [mini])
    size = make_plan(request_for(**MVTEC)).jobs[0].setup.image_size
    masks = [resize_mask_nearest(read_mask(one), size) for one in dataset.manifest["mask"] if one]
    assert read_details(path)["area_edges"] == list(area_quartiles(masks))
    (kept,) = (tmp_path / "cache" / "areas").glob("*.json")
    monkeypatch.setattr(region_quartiles, "area_quartiles", None)  # nothing is read again
    other = evaluated("grid", limit=1, out=tmp_path / "other")
    assert read_details(other)["area_edges"] == read_details(path)["area_edges"]
    kept.write_text("{")
    monkeypatch.undo()
    again = evaluated("grid", out=tmp_path / "again")
    assert read_details(again)["area_edges"] == read_details(path)["area_edges"]


def test_a_mask_of_another_class_that_cannot_be_read_costs_only_its_regions(evaluated, mini, tmp_path, caplog):
    own = tmp_path / "copy"
    shutil.copytree(mini / "mvtec", own / "mvtec")
    manifest = load_dataset("mvtec", [own]).manifest
    spoilt = manifest[(manifest["class"] == "grid") & (manifest["mask"] != "")]["mask"].iloc[0]
    with Path(spoilt).open("r+b") as stream:
        stream.truncate(60)
    with caplog.at_level(logging.WARNING):
        path = evaluated("bottle", data_roots=(own,))
    assert "mvtec: 1 masks cannot be read" in caplog.text
    assert len(read_details(path)["area_edges"]) == 3
    assert not (tmp_path / "cache" / "areas").exists()


def test_the_class_is_measured_as_it_was_without_details(evaluated, seen):
    path = evaluated()
    rows, maps, masks = seen(path, "bottle")
    scores = pd.read_parquet(path.with_suffix(".parquet")).set_index("path")["score"]
    alone = ClassMetrics(threads=1)
    alone.update(scores[rows["relative"]].to_numpy(np.float32), rows["label"].to_numpy(), maps, masks)
    expected = {key: one.value for key, one in alone.compute().items()}
    assert json.loads(path.read_text())["classes"]["bottle"] == expected


def test_maps_of_one_value_leave_details_too(evaluated, monkeypatch):
    from zsadbench_methods.fbclip.model import FBCLIP

    scored = FBCLIP.score

    def flat(self, tokens, class_names):
        found = scored(self, tokens, class_names)
        return found._replace(pixel=found.pixel.new_zeros(found.pixel.shape))

    monkeypatch.setattr(FBCLIP, "score", flat)
    curves = read_details(evaluated())["classes"]["bottle"]["curves"]
    assert curves["pr"]["recall"] == [1.0], "one threshold finds everything"

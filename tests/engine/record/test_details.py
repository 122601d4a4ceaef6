"""The sidecars of a record: parts, curves, regions, intervals; merged over classes, the same for any batches."""

import gzip
import json
import logging
import re

import numpy as np
import pandas as pd
import pytest

from zsadbench.data import load_dataset, read_mask, resize_mask_nearest
from zsadbench.engine.evaluate.measure import ClassMeasurement
from zsadbench.engine.evaluate.thresholds import Thresholds
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

SUFFIXES = (".details.json.gz", ".regions.pq", ".spread.npz")


@pytest.fixture
def class_data(mini):
    """`class_data(path, name)`: the manifest of a class of mvtec, and its maps and masks as evaluated."""

    def make(path, name):
        dataset = load_dataset("mvtec", [mini])
        rows = dataset.manifest[dataset.manifest["class"] == name].reset_index(drop=True)
        maps = [np.load(path.with_suffix(".maps") / f"{relative}.npy") for relative in rows["relative"]]
        size = maps[0].shape[0]
        masks = [
            resize_mask_nearest(read_mask(mask), size) if mask else np.zeros((size, size), np.uint8)
            for mask in rows["mask"]
        ]
        return rows, np.stack(maps), np.stack(masks)

    return make


def test_every_class_has_its_details(evaluated, class_data):
    path = evaluated()
    details, record = read_details(path), json.loads(path.read_text())
    check_schema(details, "details")
    assert details["identity"] == record["identity"]
    bottle = details["classes"]["bottle"]
    rows, _, masks = class_data(path, "bottle")
    assert bottle["parts"]["class"]["metrics"] == record["classes"]["bottle"]
    assert bottle["parts"]["class"]["bounds"] == {}
    assert bottle["parts"]["class"]["prevalence"] == masks.mean()
    assert bottle["parts"]["class"]["images"] == len(rows)
    assert set(bottle["curves"]) == {"roc", "pr", "pro"}
    for name, axes in (("roc", ("fpr", "tpr")), ("pr", ("recall", "precision")), ("pro", ("fpr", "pro"))):
        assert tuple(bottle["curves"][name]) == axes
        assert all(2 <= len(axis) <= 200 for axis in bottle["curves"][name].values())
    assert bottle["interval_settings"] == {"level": 0.95, "resamples": 1000, "unit": "image", "seed": 0}
    for metric, (lower, upper) in bottle["intervals"].items():
        assert lower <= record["classes"]["bottle"][metric] <= upper
    assert {"image_auroc", "pixel_auroc", "pixel_aupro"} <= set(bottle["intervals"])


def test_a_defect_is_measured_against_all_normal_pixels(evaluated, class_data):
    path = evaluated()
    rows, maps, masks = class_data(path, "bottle")
    scores = pd.read_parquet(path.with_suffix(".parquet")).set_index("path")["score"]
    parts = read_details(path)["classes"]["bottle"]["parts"]
    kinds = sorted(set(rows["defect"]) - {"good"})
    assert [name for name in parts if name.startswith("defect=")] == [f"defect={kind}" for kind in kinds]
    for kind in kinds:
        chosen = rows["defect"].isin(["good", kind]).to_numpy()
        part = parts[f"defect={kind}"]
        assert part["images"] == chosen.sum()
        assert part["prevalence"] == masks[chosen].mean()
        assert part["metrics"]["image_auroc"] == image_auroc(scores[rows["relative"][chosen]], rows["label"][chosen])
        expected = pixel_auroc(maps[chosen], masks[chosen])
        lower, upper = part["bounds"].get("pixel_auroc", [part["metrics"]["pixel_auroc"]] * 2)
        assert lower <= expected <= upper
        assert upper - lower < 0.05


def test_the_table_has_one_row_per_region(evaluated, class_data):
    path = evaluated("bottle", "grid")
    table = read_regions(path)
    record = json.loads(path.read_text())
    assert list(table) == ["path", "class", "defect", "view", "area", "area_share", "border"] + [
        f"overlap@{rate}" for rate in (0.01, 0.05, 0.1, 0.3)
    ]
    for name in ("bottle", "grid"):
        rows, maps, masks = class_data(path, name)
        regions = table[table["class"] == name]
        assert len(regions) == record["counts"][name]["regions"] > 0
        assert set(regions["path"]) <= set(rows["relative"][rows["label"] == 1])
        normal = np.sort(maps[masks == 0])
        levels = np.unique(maps[masks == 1])
        fpr = 1 - np.searchsorted(normal, levels) / normal.size
        for k, (relative, defect) in enumerate(zip(rows["relative"], rows["defect"], strict=True)):
            labels, number = label_regions(masks[k])
            areas = sorted((labels == region).sum() for region in range(1, number + 1))
            of_image = regions[regions["path"] == relative]
            assert of_image["area"].tolist() == areas
            assert set(of_image["defect"]) <= {defect}
            assert np.allclose(of_image["area_share"], of_image["area"] / labels.size)
            if number == 1:
                y, x = np.nonzero(labels)
                last = labels.shape[0] - 1
                assert of_image["border"].item() == min(y.min(), x.min(), last - y.max(), last - x.max())
                for rate in (0.05, 0.3):
                    cut = levels[fpr <= rate].min(initial=np.inf)
                    overlap = (maps[k][labels == 1] >= cut).mean()
                    assert of_image[f"overlap@{rate}"].item() == pytest.approx(overlap, abs=1e-9)


def test_the_bootstrap_counts_give_the_intervals_again(evaluated):
    path = evaluated()
    states, record = read_spread(path), json.loads(path.read_text())
    assert set(states) == {"bottle"}
    counts = BootstrapCounts.from_state(states["bottle"])
    images = pd.read_parquet(path.with_suffix(".parquet"))
    assert counts.labels == dict(zip(images["path"], images["label"] == 1, strict=True))
    deviations = counts.deviations(1000, 0)
    low, high = np.quantile(deviations["pixel_auroc"], (0.025, 0.975))
    value = record["classes"]["bottle"]["pixel_auroc"]
    expected = [max(value + low, 0), min(value + high, 1)]
    assert read_details(path)["classes"]["bottle"]["intervals"]["pixel_auroc"] == pytest.approx(expected, abs=1e-12)


def test_a_resumed_run_adds_its_classes_and_gives_the_same_details(evaluated, tmp_path):
    """The details are the same for classes one by one, together, and for a class that is evaluated again."""
    whole = evaluated("bottle", "grid")
    before = {suffix: whole.with_suffix(suffix).read_bytes() for suffix in SUFFIXES}
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
    assert again["grid"] == json.loads(gzip.decompress(before[".details.json.gz"]))["classes"]["grid"]
    assert "pixel_aupro@0.05" in again["bottle"]["parts"]["class"]["metrics"]


def test_neither_batches_nor_their_order_change_what_is_measured(evaluated, class_data):
    """The maps are fixed here, because an encoder may round differently in batches of another size."""
    rows, maps, masks = class_data(evaluated(), "bottle")
    scores = maps.max((1, 2))
    quartiles = area_quartiles(masks)
    results = []
    for split in ([[0, 1, 2, 3]], [[3], [1], [0], [2]], [[2, 0], [3, 1]]):
        measurement = ClassMeasurement(
            *(DEFAULT_NAMES, rows), masked=True, pixels=maps.size, area_quartiles=quartiles, thresholds=Thresholds()
        )
        for batch in split:
            measurement.update(scores[batch], np.array(batch), list(maps[batch]), list(masks[batch]))
        results.append(measurement.result(0, {}))
    assert len(rows) == 4
    first = results[0]
    for other in results[1:]:
        assert other.estimates == first.estimates
        assert other.details[:-1] == first.details[:-1]
        assert all(np.array_equal(other.details.spread[key], array) for key, array in first.details.spread.items())


def test_overwriting_drops_older_details(evaluated):
    path = evaluated("bottle", "grid")
    assert evaluated("grid", overwrite="always") == path
    assert set(read_details(path)["classes"]) == set(read_spread(path)) == {"grid"}
    assert set(read_regions(path)["class"]) == {"grid"}


def test_details_are_no_records(evaluated, tmp_path, caplog):
    path = evaluated()
    with caplog.at_level(logging.WARNING):
        assert [found for found, _ in find_records(tmp_path / "results")] == [path]
    assert not caplog.records


def test_a_set_without_masks_has_no_details(run):
    ((path, _),) = run(aux="none", epochs=None).records
    assert read_details(path) is None
    assert not any(path.with_suffix(suffix).exists() for suffix in SUFFIXES)
    assert (read_regions(path), read_spread(path)) == (None, None)


@pytest.mark.parametrize(
    ("damage", "reason"),
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
def test_unreadable_details_are_named_and_nothing_else_is_lost(evaluated, caplog, damage, reason):
    path = evaluated()
    sidecar = path.with_suffix(".details.json.gz")
    sidecar.write_bytes(gzip.compress(damage(gzip.decompress(sidecar.read_bytes()).decode()).encode()))
    with caplog.at_level(logging.WARNING):
        assert read_details(path) is None
    assert str(sidecar) in caplog.text
    assert reason in caplog.text
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


def test_the_class_is_measured_as_it_was_without_details(evaluated, class_data):
    path = evaluated()
    rows, maps, masks = class_data(path, "bottle")
    scores = pd.read_parquet(path.with_suffix(".parquet")).set_index("path")["score"]
    alone = ClassMetrics(threads=1)
    alone.update(scores[rows["relative"]].to_numpy(np.float32), rows["label"].to_numpy(), maps, masks)
    expected = {key: estimate.value for key, estimate in alone.compute().items()}
    assert json.loads(path.read_text())["classes"]["bottle"] == expected


def test_maps_of_one_value_leave_details_too(evaluated, monkeypatch):
    from zsadbench_methods.fbclip.model import FBCLIP

    scored = FBCLIP.score

    def flat(self, tokens, class_names):
        scores = scored(self, tokens, class_names)
        return scores._replace(pixel=scores.pixel.new_zeros(scores.pixel.shape))

    monkeypatch.setattr(FBCLIP, "score", flat)
    curves = read_details(evaluated())["classes"]["bottle"]["curves"]
    assert curves["pr"]["recall"] == [1.0], "there is only one threshold"

"""Quartiles of region area are those of all masks of a data set, computed once and cached."""

import logging
import shutil
from pathlib import Path

from zsadbench.data import load_dataset, read_mask, resize_mask_nearest
from zsadbench.engine.evaluate import region_quartiles
from zsadbench.engine.plan.jobs import make_plan
from zsadbench.metrics import area_quartiles
from zsadbench.records import read_details


def test_quartiles_are_those_of_the_whole_set_and_cached(evaluated, mini, request_for, monkeypatch, tmp_path):
    path = evaluated()
    dataset = load_dataset("mvtec", [mini])
    size = make_plan(request_for(targets=("mvtec",), aux="none", epochs=None)).jobs[0].setup.image_size
    masks = [resize_mask_nearest(read_mask(mask), size) for mask in dataset.manifest["mask"] if mask]
    assert read_details(path)["area_edges"] == list(area_quartiles(masks))
    (cached,) = (tmp_path / "cache" / "areas").glob("*.json")
    monkeypatch.setattr(region_quartiles, "area_quartiles", None)  # nothing is read again
    other = evaluated("grid", limit=1, out=tmp_path / "other")
    assert read_details(other)["area_edges"] == read_details(path)["area_edges"]
    cached.write_text("{")
    monkeypatch.undo()
    again = evaluated("grid", out=tmp_path / "again")
    assert read_details(again)["area_edges"] == read_details(path)["area_edges"]


def test_without_a_mask_that_cannot_be_read_quartiles_are_those_of_the_others(evaluated, mini, tmp_path, caplog):
    copy = tmp_path / "copy"
    shutil.copytree(mini / "mvtec", copy / "mvtec")
    manifest = load_dataset("mvtec", [copy]).manifest
    mask = manifest[(manifest["class"] == "grid") & (manifest["mask"] != "")]["mask"].iloc[0]
    with Path(mask).open("r+b") as stream:
        stream.truncate(60)
    with caplog.at_level(logging.WARNING):
        path = evaluated("bottle", data_roots=(copy,))
    assert "mvtec: 1 masks cannot be read" in caplog.text
    assert len(read_details(path)["area_edges"]) == 3
    assert not (tmp_path / "cache" / "areas").exists()

"""Choosing recipes on held-out classes: each epoch of a training equals a run with that number of epochs."""

import json

import pytest
import torch

from zsadbench import registry
from zsadbench.clip import resolve
from zsadbench.data import load_dataset, synthesise
from zsadbench.engine.encode.towers import build_towers
from zsadbench.engine.learn.detector import make_method, train_or_load
from zsadbench.engine.plan.method_setup import load_setup
from zsadbench.engine.plan.options import configure
from zsadbench.engine.plan.request import RunRequest


@pytest.fixture
def aux(tmp_path):
    synthesise("mvtec", tmp_path, 1)
    return load_dataset("mvtec", [tmp_path])


def setting_for(tiny_file, epochs):
    request = RunRequest(("afclip",), ("mvtec",), epochs=epochs, image_size=28)
    configured = configure(registry.method_card("afclip"), (), ("afclip",))
    return load_setup(request, configured, resolve(str(tiny_file), "random"), registry.protocol("strict"))


def test_an_epoch_on_the_way_is_a_shorter_training(aux, tiny_file):
    from demo_recipe.held_out import _epochs, half_of

    learned = half_of(aux, ("bottle", "grid", "screw"))
    setup = setting_for(tiny_file, 2)
    towers = build_towers(setup, torch.device("cpu"))
    method = make_method(setup, towers, 3)
    for epoch in _epochs(setup, towers, method, learned, 3):
        whole = train_or_load(setting_for(tiny_file, epoch), towers, learned, 3, workers=0).method.network.state_dict()
        assert all(torch.equal(one, whole[name]) for name, one in method.network.state_dict().items())
    assert epoch == 2


def test_half_of_a_set_is_another_set(aux):
    from demo_recipe.held_out import half_of

    half = half_of(aux, ("grid", "bottle"))
    assert half.classes == ("bottle", "grid")
    assert half.fingerprint != aux.fingerprint
    assert set(half.manifest["class"]) == {"bottle", "grid"}


def test_the_halves_part_the_set():
    from demo_recipe.held_out import AUX, HALVES

    from zsadbench_datasets.demo.families import families_of

    assert sorted(name for half in HALVES for name in half) == sorted(family.name for family in families_of(AUX))


@pytest.mark.parametrize("name", ["anomalyclip", "afclip"])
def test_the_recipe_is_the_best_of_what_was_tried(name):
    from demo_recipe.held_out import AUX, read_rows

    rows = [row for row in read_rows() if row["method"] == name]
    best = max(rows, key=lambda row: row["pixel_auroc"])
    recipe = configure(registry.method_card(name), (), (name,)).recipe_on(AUX)
    assert (recipe.lr, recipe.batch, recipe.epochs_for(AUX)) == (best["lr"], best["batch"], best["epochs"])


def test_rows_replace_older_ones_of_the_same_settings(monkeypatch, tmp_path):
    from demo_recipe import held_out

    monkeypatch.setattr(held_out, "HELD_OUT", tmp_path / "held_out.json")
    held_out.write_rows([{"method": "b", "lr": 2.0, "found": 1}, {"method": "b", "lr": 3.0}])
    held_out.write_rows([{"method": "a"}])
    held_out.write_rows([{"method": "b", "lr": 1.0}, {"method": "b", "lr": 2.0, "found": 2}])
    rates = [{"method": "b", "lr": 1.0}, {"method": "b", "lr": 2.0, "found": 2}, {"method": "b", "lr": 3.0}]
    assert held_out.read_rows() == [*rates, {"method": "a"}]
    assert json.loads(held_out.HELD_OUT.read_text()) == held_out.read_rows()

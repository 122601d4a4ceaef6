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

METHODS = ["afclip", "adaclip"]  # on shared tokens, and inside the encoders
LEARNERS = ["fbclip", "anomalyclip", "afclip", "aprilgan", "adaclip", "aaclip", "faprompt", "mfpclip"]


@pytest.fixture
def aux(tmp_path):
    synthesise("mvtec", tmp_path, 1)
    return load_dataset("mvtec", [tmp_path])


def setting_for(tiny_file, epochs, name="afclip"):
    request = RunRequest((name,), ("mvtec",), epochs=epochs, image_size=28)
    configured = configure(registry.method_card(name), (), (name,))
    return load_setup(request, configured, resolve(str(tiny_file), "random"), registry.protocol("strict"))


@pytest.mark.parametrize("name", METHODS)
def test_an_epoch_on_the_way_is_a_shorter_training(aux, tiny_file, name):
    from demo_recipe.held_out import _epochs, part_of

    learned = part_of(aux, ("bottle", "grid", "screw"))
    setup = setting_for(tiny_file, 2, name)
    towers = build_towers(setup, torch.device("cpu"))
    method = make_method(setup, towers, 3)
    for epoch in _epochs(setup, towers, method, learned, 3):
        shorter = setting_for(tiny_file, epoch, name)
        whole = train_or_load(shorter, towers, learned, 3, workers=0).method.network.state_dict()
        assert all(torch.equal(one, whole[name]) for name, one in method.network.state_dict().items())
    assert epoch == 2


def test_the_stage_before_is_trained_first(aux, tiny_file):
    from demo_recipe.held_out import _epochs, part_of, train_earlier

    learned, setup = part_of(aux, ("bottle", "grid")), setting_for(tiny_file, 1, "aaclip")
    towers = build_towers(setup, torch.device("cpu"))
    method = make_method(setup, towers, 3)
    before = {key: value.clone() for key, value in method.network.state_dict().items()}
    train_earlier(setup, towers, method, learned, 3)
    moved = {key for key, value in method.network.state_dict().items() if not torch.equal(value, before[key])}
    assert moved
    assert all(key.startswith("text.") for key in moved)
    assert list(_epochs(setup, towers, method, learned, 3)) == [1]
    whole = train_or_load(setup, towers, learned, 3, workers=0).method.network.state_dict()
    assert all(torch.equal(value, whole[key]) for key, value in method.network.state_dict().items())


def test_a_part_of_a_set_is_another_set(aux):
    from demo_recipe.held_out import part_of

    half = part_of(aux, ("grid", "bottle"))
    assert half.classes == ("bottle", "grid")
    assert half.fingerprint != aux.fingerprint
    assert set(half.manifest["class"]) == {"bottle", "grid"}


def test_every_fold_holds_out_families_that_the_backbone_has_not_seen():
    from demo_recipe.held_out import AUX, FOLDS

    from zsadbench_datasets.demo.families import families_of

    known = {family.name for family in families_of("pretraining")}
    held = [name for fold in FOLDS for name in fold]
    assert len(held) == len(set(held)) == len(families_of(AUX)) - len(known)
    assert not known & set(held)
    material = {family.name: family.material for family in families_of(AUX)}
    assert all([material[name] for name in fold].count("texture") == len(fold) / 2 for fold in FOLDS)


@pytest.mark.parametrize("name", LEARNERS)
def test_the_recipe_is_the_best_of_what_was_tried(name):
    from demo_recipe.held_out import AUX, read_rows

    rows = [row for row in read_rows() if row["method"] == name and row["epochs"]]
    sums = {}
    for row in rows:
        key = (row["lr"], row["batch"], row["epochs"])
        sums.setdefault(key, {})[row["seed"]] = row["pixel_auroc"] + row["pixel_aupro"]
    assert all(set(by_seed) == {0, 1, 2} for by_seed in sums.values())
    recipe = configure(registry.method_card(name), (), (name,)).recipe_on(AUX)
    best = max(sums, key=lambda key: sum(sums[key].values()))
    assert (recipe.lr, recipe.batch, recipe.epochs_for(AUX)) == best


def test_rows_replace_older_ones_of_the_same_settings(monkeypatch, tmp_path):
    from demo_recipe import held_out

    monkeypatch.setattr(held_out, "HELD_OUT", tmp_path / "held_out.json")
    held_out.write_rows([{"method": "b", "lr": 2.0, "found": 1}, {"method": "b", "lr": 3.0}])
    held_out.write_rows([{"method": "a"}])
    held_out.write_rows([{"method": "b", "lr": 1.0}, {"method": "b", "lr": 2.0, "found": 2}])
    rates = [{"method": "b", "lr": 1.0}, {"method": "b", "lr": 2.0, "found": 2}, {"method": "b", "lr": 3.0}]
    assert held_out.read_rows() == [*rates, {"method": "a"}]
    assert json.loads(held_out.HELD_OUT.read_text()) == held_out.read_rows()

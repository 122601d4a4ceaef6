"""Training in several stages: in order, each cached by itself, known to cells, estimates and controls."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from zsadbench import registry
from zsadbench.card_faults import faults_of
from zsadbench.checkpoints import read_archive, read_metadata
from zsadbench.engine import estimate
from zsadbench.engine.encode.towers import build_towers
from zsadbench.engine.learn import detector as learning
from zsadbench.engine.learn import loop
from zsadbench.engine.plan.cell import checkpoint_path, training_cell
from zsadbench.engine.plan.method_setup import earlier_stage
from zsadbench.engine.run import run_plan
from zsadbench.errors import CellError


@pytest.fixture
def trained(planned, monkeypatch):
    """`trained(fresh=False, **changes)`: the job, its detector, and (stage, steps, rates) of every training."""
    backbones = []

    def train(*, fresh=False, **changes):
        (job,) = planned("staged", **changes).jobs
        backbones.append(backbones[0] if backbones else build_towers(job.setup, torch.device("cpu")))
        stages = []

        def fit(method, tokens, batches, *more):
            losses = list(loop.fit(method, tokens, batches, *more))
            stages.append((method.stage, len(losses)))
            return losses

        monkeypatch.setattr(learning, "fit", fit)
        made = learning.train_or_load(job.setup, backbones[0], job.aux, 0, workers=0, fresh=fresh)
        return job, made, stages

    return train


def test_stages_are_trained_in_order_and_each_is_cached(trained):
    job, made, stages = trained()
    assert [stage for stage, _ in stages] == ["pixel", "image"]
    earlier = earlier_stage(job.setup)
    first, last = (checkpoint_path(setup, job.aux, 0) for setup in (earlier, job.setup))
    assert first != last == made.checkpoint
    assert earlier_stage(earlier) is None
    before, after = read_archive(first), read_archive(last)
    fresh = learning.make_method(job.setup, None or build_towers(job.setup, torch.device("cpu")), 0)
    start = fresh.network.state_dict()
    for name in start:
        moved = not torch.equal(before[name], start[name]), not torch.equal(after[name], before[name])
        assert moved == ((True, False) if name.startswith("pixel") else (False, True)), name
    _, again, none = trained()
    assert none == []
    assert all(torch.equal(tensor, after[name]) for name, tensor in again.method.network.state_dict().items())


def test_what_changes_the_last_stage_alone_does_not_repeat_the_first(trained):
    trained()
    _, _, stages = trained(options=("recipe.lr=0.1",))
    assert [stage for stage, _ in stages] == ["image"]
    assert [stage for stage, _ in trained(fresh=True)[2]] == ["pixel", "image"]
    assert [stage for stage, _ in trained(epochs=2)[2]] == ["image"], "a stage has no more epochs than its recipe"


def test_a_checkpoint_of_the_first_stage_survives_a_failure_of_the_last(trained, monkeypatch):
    checked = loop._check_parameters

    def fail(name, network, number):
        if network["image"].weight.requires_grad:
            raise CellError("a failure")
        checked(name, network, number)

    with monkeypatch.context() as patched:
        patched.setattr(loop, "_check_parameters", fail)
        with pytest.raises(CellError, match="a failure"):
            trained()
    assert [stage for stage, _ in trained()[2]] == ["image"]


def test_cells_state_every_stage(planned):
    (job,) = planned("staged").jobs
    recipe = training_cell(job.setup, job.aux, 0)["recipe"]
    assert (recipe["stage"], recipe["halve_at"], recipe["epochs"]) == ("image", (2,), 1)
    assert (recipe["before"]["stage"], recipe["before"]["lr"], recipe["before"]["epochs"]) == ("pixel", 1e-3, 1)
    assert "before" not in recipe["before"]
    (other,) = planned("staged", methods=("fbclip",)).jobs
    plain = training_cell(other.setup, other.aux, 0)["recipe"]
    assert not {"stage", "before", "halve_at", "permuted"} & plain.keys(), "cells of one stage are what they were"


def test_a_control_permutes_every_stage_and_other_changes_are_of_the_last(planned):
    (job,) = planned("staged", options=("recipe.permuted=true", "recipe.lr=0.5", "recipe.batch=2")).jobs
    recipe = training_cell(job.setup, job.aux, 0)["recipe"]
    assert (recipe["permuted"], recipe["lr"], recipe["batch"]) == (True, 0.5, 2)
    assert (recipe["before"]["permuted"], recipe["before"]["lr"], recipe["before"]["batch"]) == (True, 1e-3, 4)


def test_epochs_of_a_protocol_are_of_the_last_stage(planned):
    (job,) = planned("staged", epochs=None).jobs
    setup = replace(job.setup, protocol=replace(job.setup.protocol, epochs=(("colondb", 7),)))
    assert (setup.epochs_on("colondb"), earlier_stage(setup).epochs_on("colondb")) == (7, 1)
    (job,) = planned("staged", methods=("aaclip",), epochs=2).jobs
    assert (job.setup.epochs_on("colondb"), earlier_stage(job.setup).epochs_on("colondb")) == (2, 2)
    more = replace(job.setup, epochs=20)
    assert (more.epochs_on("colondb"), earlier_stage(more).epochs_on("colondb")) == (20, 5)


def test_an_estimate_counts_the_stages_without_a_checkpoint(planned, trained):
    plan = planned("staged")
    whole = estimate._learning_macs(plan.jobs, 0)
    one = replace(plan.jobs[0], setup=earlier_stage(plan.jobs[0].setup))
    assert whole == pytest.approx(2 * estimate._learning_macs([one], 0))
    _, made, _ = trained()
    assert estimate._learning_macs(plan.jobs, 0) == 0
    made.checkpoint.unlink()
    assert estimate._learning_macs(plan.jobs, 0) == pytest.approx(whole / 2)


def test_the_learning_rate_is_halved_after_the_steps_of_the_recipe(trained, monkeypatch):
    rates, step = [], loop.step

    def noted(method, tokens, batch, optimiser, **more):
        rates.append((method.stage, optimiser.param_groups[0]["lr"]))
        return step(method, tokens, batch, optimiser, **more)

    monkeypatch.setattr(loop, "step", noted)
    trained(epochs=3, options=("recipe.batch=1",))
    image = [rate for stage, rate in rates if stage == "image"]
    assert len(image) > 3
    assert image == [1e-2] * 2 + [5e-3] * (len(image) - 2)
    assert {rate for stage, rate in rates if stage == "pixel"} == {1e-3}


def test_every_training_batch_is_augmented_by_seed_and_step(trained, planned):
    _, made, _ = trained()
    drawn = []

    def augment(batch, generator):
        drawn.append(torch.rand(1, generator=generator).item())
        return batch._replace(images=batch.images + 1)

    made.method.augment = augment
    batch = loop.Batch(torch.zeros(1, 3, 4, 4), torch.zeros(1, 4, 4), torch.zeros(1).long(), ("a",))
    for seed in ((0, 1), (0, 1), (0, 2), (1, 1)):
        assert bool((loop.augmented("staged", made.method, batch, seed).images == 1).all())
    assert drawn[0] == drawn[1]
    assert len(set(drawn)) == 3


def test_a_detector_without_stages_is_named(trained, planned):
    job, made, _ = trained()
    method = type("Plain", (), {"network": made.method.network, "loss": print, "score": print})()
    with pytest.raises(CellError, match="'staged' has a recipe with the stage 'image', but its detector has no"):
        loop.begin_stage("staged", method, job.setup.method.recipe)


def test_a_card_whose_stages_have_no_names_is_faulty(planned):
    planned("staged")
    card = registry.method_card("staged")
    assert faults_of(card) == []
    for recipe in (replace(card.recipe, stage=""), replace(card.recipe, before=replace(card.recipe.before, stage=""))):
        assert any("needs a stage name" in fault for fault in faults_of(replace(card, recipe=recipe)))
    bad = replace(card.recipe, before=replace(card.recipe.before, lr=-1))
    assert any("recipe.lr" in fault for fault in faults_of(replace(card, recipe=bad)))


def test_a_run_and_its_record(planned):
    results = run_plan(planned("staged"))
    assert results.failures == []
    _, record = results.records[0]
    assert record.cell["recipe"]["before"]["stage"] == "pixel"
    again = run_plan(planned("staged"))
    assert again.failures == []


def test_aaclip_trains_in_both_stages(planned):
    (job,) = planned("staged", methods=("aaclip",)).jobs
    assert np.isfinite(estimate._learning_macs([job], 0))
    results = run_plan(planned("staged", methods=("aaclip",), protocol="paper:aaclip"))
    assert results.failures == []
    _, record = results.records[0]
    assert record.cell["transductive"] == "aaclip:map-and-image-scaled"
    path = checkpoint_path(job.setup, job.aux, record.cell["seed"])
    metadata = read_metadata(path)[1]
    assert metadata["recipe"]["before"]["stage"] == "text"
    first = read_archive(checkpoint_path(earlier_stage(job.setup), job.aux, record.cell["seed"]))
    last = read_archive(path)
    assert all(torch.equal(first[name], last[name]) == name.startswith("text") for name in first)

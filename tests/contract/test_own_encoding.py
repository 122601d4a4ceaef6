"""A method that works inside the encoders: trained, run, profiled and estimated, and it shares no encoding."""

import json

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from zsadbench.engine.encode.encoders import make_encoder
from zsadbench.engine.encode.towers import build_towers
from zsadbench.engine.learn.detector import make_method, train_or_load
from zsadbench.engine.plan.shards import tower_macs
from zsadbench.engine.plan.sharing import co_trained_taps, group_jobs
from zsadbench.engine.run import run_plan
from zsadbench.errors import CellError
from zsadbench.profile.lower_bound import macs_of
from zsadbench.profile.subject import Subject
from zsadbench.profile.training import training_cost
from zsadbench.types import OwnEncoding, Taps, Tokens


def test_the_short_examples_are_right(snippets, tiny_backbone, tiny_images):
    walk, vision = tiny_backbone.vision.walk, tiny_backbone.vision
    with torch.no_grad():
        tapped = vision(tiny_images, Taps((24,), value_blocks=(24,), value_from=1))
        whole = snippets["encode_window"](walk, tiny_images, range(25))
        assert torch.allclose(whole, vision.norm(tapped.layers[0][:, 0]) @ vision.projection, atol=1e-5)
        assert not torch.allclose(snippets["encode_window"](walk, tiny_images, [0, 1, 5, 6]), whole, atol=1e-3)
        prompts = torch.zeros(4, 3, walk.width)
        prompted = snippets["encode_with_prompts"](walk, tiny_images, prompts)
        assert prompted.shape == tapped.layers[0].shape
        assert not torch.allclose(prompted, tapped.layers[0], atol=1e-3)
        text = tiny_backbone.text
        ids = text.tokenize(["a photo of a bolt.", "a damaged nut"])
        unchanged = snippets["encode_sentences"](text, ids, {})
        assert torch.allclose(unchanged, text.sentence_features(["a photo of a bolt.", "a damaged nut"]), atol=1e-5)
        learned = torch.ones(2, 3, text.walk.width)
        states = text(text.embed(ids), deep=[learned])[torch.arange(2), ids.argmax(dim=1)]
        assert torch.allclose(
            snippets["encode_sentences"](text, ids, {2: learned}), states @ text.projection, atol=1e-5
        )
        plain, value = snippets["encode_both_paths"](walk, tiny_images)
        assert torch.equal(plain, tapped.layers[0])
        assert torch.equal(value, tapped.value_layers[0])


def test_adapters_between_blocks_are_trained_with_gradients(planned):
    (job,) = planned("adapted", epochs=2).jobs
    backbone = build_towers(job.setup, torch.device("cpu"))
    before = make_method(job.setup, backbone, 0).network.state_dict()
    trained = train_or_load(job.setup, backbone, job.aux, 0, workers=0)
    assert trained.last_loss < trained.first_loss
    assert trained.encoded == 2 * len(job.aux.manifest), "every step encodes its images anew"
    assert trained.cached == 0
    for name, weight in trained.method.network.state_dict().items():
        assert not torch.equal(weight, before[name])
    assert all(parameter.grad is None for parameter in backbone.vision.parameters())


def test_a_run_counts_its_time_as_the_encoder_and_shares_nothing(planned):
    plan = planned("adapted", methods=("adapted", "clip"))
    assert [len(group) for group in group_jobs(plan.jobs)] == [1, 1]
    results = run_plan(plan)
    assert (results.finished, results.failures) == (2, [])
    record = results.records[0][1]
    assert record.cell["method"] == "adapted"
    assert record.cost["seconds"]["tower"] > record.cost["seconds"]["head"] > 0
    assert record.cost["shared"] is False
    assert record.cell["tap_rule"]["blocks"] == [6, 12]


def test_its_training_is_no_companion_of_another(planned):
    plan = planned("adapted", methods=("adapted", "fbclip", "afclip"))
    for job in plan.jobs:
        assert not any(taps.own_encoding for taps in co_trained_taps(job, plan.jobs))
    own = next(job for job in plan.jobs if job.setup.name == "adapted")
    assert co_trained_taps(own, plan.jobs) == []


def test_profile_and_estimate_know(planned, monkeypatch):
    plan = planned("adapted", aux="none")
    (job,) = plan.jobs
    backbone = build_towers(job.setup, torch.device("cpu"))
    method = make_method(job.setup, backbone, 0)
    side = job.setup.image_size
    with FlopCounterMode(display=False) as counter, torch.enable_grad():
        method.encode(torch.zeros(1, 3, side, side), ["object"])
    gmac = macs_of(job.setup)["gmac_tower"]
    assert gmac == pytest.approx(counter.get_total_flops() / 2e9, rel=1e-9)
    assert tower_macs(job.setup) == pytest.approx(1e9 * gmac)
    calls = []
    monkeypatch.setattr(method, "encode", lambda *given: calls.append(1) or type(method).encode(method, *given))
    subject = Subject(job.setup, backbone, method, 2)
    assert len(subject.run_batch()) == 2
    assert subject.time_tower() > 0
    assert len(calls) == 1, "the tower alone is the plain one"
    cost = training_cost(job.setup, backbone, method)["training"]
    assert cost["seconds_epoch_remembered"] is None
    assert cost["seconds_step"] > 0


BAD = {
    "no tokens": (lambda images: images, "wanted is a Tokens"),
    "another batch": (lambda images: Tokens((images[:1].flatten(1),), 2), "wanted are floats of the shape (3, …)"),
    "whole numbers": (lambda images: Tokens((), 2, parts={"a": images.long()}), "Tensor int64"),
    "a failure": (lambda images: images.no_such_thing, "encode raised AttributeError"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong_costs_the_method_alone(planned, case, tiny_backbone, tiny_images):
    encode, message = BAD[case]
    (job,) = planned("adapted").jobs
    method = type("Bad", (), {"encode": lambda self, images, names: encode(images), "score": print})()
    assert isinstance(method, OwnEncoding)
    encoder = make_encoder(job.setup, tiny_backbone, method)
    with pytest.raises(CellError) as raised:
        encoder(tiny_images, ["object"] * 3)
    assert message in str(raised.value)


def test_a_detector_that_cannot_encode_is_refused(planned, monkeypatch, tiny_backbone):
    (job,) = planned("adapted").jobs
    monkeypatch.delattr(job.setup.method.card.build, "encode")
    with pytest.raises(CellError, match="its detector has no 'encode'"):
        make_method(job.setup, build_towers(job.setup, torch.device("cpu")), 0)


def test_half_precision_is_single_precision_for_the_head(planned):
    (job,) = planned("adapted", precision="bf16").jobs
    backbone = build_towers(job.setup, torch.device("cpu"))
    encode = make_encoder(job.setup, backbone, make_method(job.setup, backbone, 0))
    with torch.inference_mode():
        tokens = encode(torch.zeros(2, 3, job.setup.image_size, job.setup.image_size), ["object"] * 2)
    assert tokens.parts["joint"].dtype == torch.float32
    assert json.dumps(job.cell["precision"]) == '"bf16"'


def test_a_method_may_run_at_the_backbones_own_size(planned, backbone_file):
    deep = str(backbone_file(vision={"image_size": 70}))
    plan = planned("adapted", methods=("winclip", "clip"), backbone=deep)
    assert {job.setup.name: job.setup.image_size for job in plan.jobs} == {"winclip": 70, "clip": 518}
    plan = planned("adapted", methods=("winclip", "clip"), backbone=deep, image_size=140)
    assert {job.setup.image_size for job in plan.jobs} == {140}


def test_few_shot_windows_run_on_supports_of_their_own(planned, backbone_file):
    deep = str(backbone_file(vision={"image_size": 56, "layers": 12}))
    plan = planned("adapted", methods=("winclip",), targets=("mvtec",), backbone=deep, shots=(0, 1), aux=None, limit=1)
    assert [len(group) for group in group_jobs(plan.jobs)] == [1, 1]
    results = run_plan(plan)
    assert results.failures == []
    zero, one = (record for _, record in results.records)
    assert (zero.cell["shots"], one.cell["shots"]) == (0, 1)
    assert one.cost["seconds"]["tower"] > 0

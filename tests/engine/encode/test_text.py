"""Text features are computed first, then the text encoder is released; scores are the same as if it were kept."""

import pytest
import torch

from zsadbench import load_method
from zsadbench.clip.backbone import Backbone
from zsadbench.clip.towers import TextTower, VisionTower
from zsadbench.engine.encode.text import release_text
from zsadbench.engine.encode.towers import build_towers
from zsadbench.engine.learn.detector import make_method
from zsadbench.engine.plan.jobs import make_plan
from zsadbench.engine.run import run_plan

TRAINED = ("fbclip", "anomalyclip", "afclip")
UNTRAINED = {"aux": "none", "epochs": None, "targets": ("mvtec",), "classes": ("bottle", "grid")}


@pytest.fixture
def tower_events(monkeypatch):
    """What tower_events to the encoders, in order."""
    events = []
    for owner, name, event in (
        (TextTower, "__init__", "text built"),
        (VisionTower, "__init__", "vision built"),
        (TextTower, "forward", "text encoded"),
        (Backbone, "release_text", "text released"),
    ):
        _record_calls(monkeypatch, owner, name, event, events)
    return events


def _record_calls(monkeypatch, owner, name, event, events):
    original = getattr(owner, name)

    def recording(*arguments, **named):
        events.append(event)
        return original(*arguments, **named)

    monkeypatch.setattr(owner, name, recording)


@pytest.mark.parametrize("name", TRAINED)
def test_the_text_tower_goes_before_the_image_tower_comes(request_for, tower_events, name):
    results = run_plan(make_plan(request_for(**UNTRAINED, methods=(name,))))
    assert not results.failures
    assert tower_events == ["text built", "text encoded", "text released", "vision built"]


def test_methods_of_one_run_share_both_towers_and_clip_encodes_every_class(request_for, tower_events):
    results = run_plan(make_plan(request_for(**UNTRAINED, methods=("afclip", "clip", "token-distance"), image_size=28)))
    assert not results.failures
    assert tower_events == ["text built", *["text encoded"] * 3, "text released", "vision built"]


def test_learning_uses_the_text_tower_which_is_released_afterwards(request_for, tower_events):
    results = run_plan(make_plan(request_for(methods=("anomalyclip",))))
    assert not results.failures
    assert [event for event in tower_events if event != "text encoded"] == [
        "text built",
        "vision built",
        "text released",
    ]
    assert tower_events[-2:] == ["text encoded", "text released"], "the class names, with the learned parameters"


def test_a_loaded_method_has_no_text_tower(tiny_file, tower_events):
    detector = load_method("fbclip", str(tiny_file), "random", device="cpu")
    assert tower_events == ["text built", "text encoded", "text released"]
    detector.predict(torch.zeros(1, 28, 28, 3, dtype=torch.uint8).numpy())
    assert tower_events.count("text built") == tower_events.count("vision built") == 1


def test_another_class_is_encoded_when_it_comes(tiny_file, tower_events):
    detector = load_method("clip", str(tiny_file), "random", device="cpu")
    image = torch.zeros(28, 28, 3, dtype=torch.uint8).numpy()
    first = detector.predict(image, "bottle")
    again = load_method("clip", str(tiny_file), "random", device="cpu").predict(image, "bottle")
    assert torch.equal(first.pixel, again.pixel)
    assert detector.backbone._text is None


@pytest.mark.parametrize("name", [*TRAINED, "clip", "token-distance", "colour-distance"])
def test_scores_do_not_depend_on_the_release(request_for, tiny_images, name):
    (job,) = make_plan(request_for(**{**UNTRAINED, "methods": (name,), "image_size": 70})).jobs
    taps, words = job.setup.method.card.taps(job.setup.method.options), ["bottle"] * 3

    def scored(*, early):
        towers = build_towers(job.setup, torch.device("cpu"))
        method = make_method(job.setup, towers, 0)
        if early:
            method.encode_text(["bottle", "grid"])
            towers.release_text()
        with torch.inference_mode():
            return method.score(towers.vision(tiny_images, taps), words), towers

    (kept, _), (released, towers) = scored(early=False), scored(early=True)
    assert all(torch.equal(left, right) for left, right in zip(kept, released, strict=True))
    assert towers._text is None, "no score built it again"


def test_a_method_that_may_use_text_while_it_scores_keeps_the_tower(tiny_file):
    class UsesText:
        def score(self, tokens, class_names): ...

    towers = load_method("fbclip", str(tiny_file), "random", device="cpu").backbone
    tower = towers.text
    release_text(towers, [UsesText()])
    assert towers.text is tower

"""The mode in which `build` leaves a network is that of training; images are scored in evaluation mode."""

from dataclasses import dataclass, replace

import pytest
from torch import nn

from zsadbench import registry
from zsadbench.types import Recipe, Scores

RECIPE = Recipe(epochs={}, epochs_else=1, batch=1, lr=0.01, betas=(0.9, 0.999), image_size=28, loss="test")


@dataclass(frozen=True)
class Options:
    """None."""


class Dropping:
    """Learns one weight on the colours of patches, behind dropout; keeps the modes in which it is called."""

    def __init__(self, modes, built_in_training):
        self.modes = modes
        self.network = nn.Sequential(nn.Dropout(0.5), nn.Linear(3, 1), nn.Dropout(0.5).eval()).train(built_in_training)
        self.network[2].eval()

    def logits(self, what, tokens):
        self.modes.add((what, *(module.training for module in self.network)))
        return self.network(tokens.colours).squeeze(-1).reshape(-1, tokens.grid, tokens.grid)

    def score(self, tokens, class_names):
        grey = self.logits("score", tokens)
        return Scores(grey.flatten(1).amax(1), grey)

    def loss(self, tokens, batch):
        return {"good": self.logits("loss", tokens).square().mean()}


@pytest.fixture
def modes_of(monkeypatch, run):
    """`modes_of(built_in_training, **request)`: (call, modes of the three parts) of a run, and its records."""
    known = registry.method_card
    point = registry.entry_point("methods", "colour-distance")
    monkeypatch.setitem(registry._points("methods"), "dropping", point)

    def make(built_in_training, **request):
        modes = set()
        build = {"build": lambda *_: Dropping(modes, built_in_training), "options": Options, "recipe": RECIPE}
        card = replace(known("colour-distance"), name="dropping", **build)
        monkeypatch.setattr(registry, "method_card", lambda name: card if name == "dropping" else known(name))
        results = run(**{"methods": ("dropping",), **request})
        assert results.failures == []
        return modes, [record.classes for _, record in results.records]

    return make


def test_a_network_that_build_leaves_in_training_is_scored_in_evaluation(modes_of):
    trained, first = modes_of(built_in_training=True)
    assert trained == {("loss", True, True, False), ("score", False, False, False)}
    loaded, second = modes_of(built_in_training=True, overwrite="always")
    assert loaded == {("score", False, False, False)}
    assert first == second
    fresh, _ = modes_of(built_in_training=True, aux="none", epochs=None, overwrite="always")
    assert fresh == {("score", False, False, False)}


def test_a_network_that_build_leaves_in_evaluation_is_trained_in_evaluation(modes_of):
    modes, _ = modes_of(built_in_training=False)
    assert modes == {("loss", False, False, False), ("score", False, False, False)}

"""A small method without faults; tests plant one fault each."""

from dataclasses import dataclass

import pytest
import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits, interpolate, normalize

from zsadbench.types import Macs, MethodCard, Paper, Recipe, Scores, Taps


@dataclass(frozen=True)
class Options:
    layer: int = 24


class Linear:
    """One linear layer on the patches, and a bias of the class word; trained."""

    def __init__(self, backbone, options):
        self.backbone, self.options = backbone, options
        width = backbone.spec.config.vision.width
        self.network = nn.ModuleDict({"head": nn.Linear(width, 1), "scale": nn.Linear(1, 1, bias=False)})
        nn.init.constant_(self.network["scale"].weight, 0.1)

    def patches(self, tokens):
        return normalize(tokens.layers[0][:, 1:].float(), dim=-1)

    def logits(self, tokens, class_names):
        logits = self.network["head"](self.patches(tokens)).float().squeeze(-1)  # (batch, patches)
        lengths = torch.tensor([[float(len(name))] for name in class_names])
        return logits + self.network["scale"](lengths).float() / 10

    def score(self, tokens, class_names):
        pixel = self.logits(tokens, class_names).sigmoid()
        return Scores(pixel.amax(dim=1), pixel.reshape(-1, tokens.grid, tokens.grid))

    def loss(self, tokens, batch):
        logits = self.logits(tokens, batch.class_names).reshape(-1, 1, tokens.grid, tokens.grid)
        full = interpolate(logits, batch.masks.shape[-2:], mode="bilinear").squeeze(1)
        return {"pixel": binary_cross_entropy_with_logits(full, batch.masks)}


def macs(config, options, grid):
    head = {"head": grid**2 * config.vision.width, "scale": 1}
    return Macs(head, head, 0)


@pytest.fixture(scope="session")
def good():
    """The detector without faults, a class to derive from."""
    return Linear


@pytest.fixture(scope="session")
def make_card():
    """`make_card(detector, **facts)`: the card of a trained method with this detector."""

    def make(detector=Linear, **facts):
        known = {
            "name": "planted",
            "paper": Paper("A test", "-", 2026, "test"),
            "options": Options,
            "taps": lambda options: Taps((options.layer,)),
            "build": detector,
            "smoothing": 0.0,
            "recipe": Recipe({}, 1, 2, 1e-2, 70, "cross-entropy"),
            "macs": macs,
        }
        return MethodCard(**{**known, **facts})

    return make

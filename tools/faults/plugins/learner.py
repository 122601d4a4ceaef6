"""A method that learns in two stages, with dropout, and notes its steps."""

from dataclasses import dataclass, replace

from faulty_events import note
from torch import nn

from zsadbench.engine.learn import epochs
from zsadbench.types import MethodCard, Paper, Recipe, Scores, Taps

epochs.SECONDS = epochs.TIMES = 0.0  # the state of a training is written after every epoch, short as they are here


@dataclass(frozen=True)
class Options:
    """None."""


class Learner:
    """Two linear layers, one per stage."""

    def __init__(self, width):
        layers = (nn.Linear(width, 16), nn.Dropout(0.5), nn.BatchNorm1d(16), nn.Linear(16, 1))
        self.network = nn.Sequential(*layers)
        self.stage = ""

    def begin_stage(self, stage):
        """Train one of the layers."""
        self.stage = stage
        for number in (0, 3):
            self.network[number].requires_grad_((number == 0) == (stage == "first"))

    def score(self, tokens, class_names):
        """Score the patches of the last block."""
        note("score")
        patches = tokens.layers[-1][:, 1:]
        maps = self.network.eval()(patches.flatten(0, 1)).sigmoid().reshape(-1, tokens.grid, tokens.grid)
        return Scores(maps.amax((1, 2)), maps)

    def loss(self, tokens, batch):
        """Learn to be small."""
        note(f"step {self.stage}")
        patches = tokens.layers[-1][:, 1:]
        raised = self.network.train()(patches.flatten(0, 1)).square().mean()
        return {"all": raised + 0 * batch.masks.mean()}


FIRST = Recipe(
    epochs={}, epochs_else=3, batch=1, lr=0.01, betas=(0.9, 0.999), image_size=28, loss="test", stage="first"
)
CARD = MethodCard(
    name="learner",
    paper=Paper("A paper", "none", 2026, "key"),
    options=Options,
    taps=lambda options: Taps((2,)),
    build=lambda backbone, options: Learner(backbone.spec.config.vision.width),
    smoothing=0.0,
    recipe=replace(FIRST, stage="second", before=FIRST),
)

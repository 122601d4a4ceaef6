"""A method that learns nothing, and notes the images that it scores."""

from dataclasses import dataclass

from faulty_events import note

from zsadbench.types import MethodCard, Paper, Scores, Taps


@dataclass(frozen=True)
class Options:
    """None."""


class Scorer:
    """The mean of every token."""

    def score(self, tokens, class_names):
        """Score the patches of the last block."""
        note("plain")
        maps = tokens.layers[-1][:, 1:].mean(-1).reshape(len(class_names), tokens.grid, tokens.grid)
        return Scores(maps.amax((1, 2)), maps)


CARD = MethodCard(
    name="scorer",
    paper=Paper("A paper", "none", 2026, "key"),
    options=Options,
    taps=lambda options: Taps((2,)),
    build=lambda backbone, options: Scorer(),
    smoothing=0.0,
)

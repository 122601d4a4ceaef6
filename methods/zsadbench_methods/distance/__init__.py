"""Two controls, distances of colours and of tokens. Importing the cards imports neither torch nor open_clip."""

from zsadbench_methods.distance.about import COLOURS, TOKENS

__all__ = ["COLOURS", "TOKENS"]

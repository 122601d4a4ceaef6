"""Plain CLIP with two sentences, the baseline. Importing the card imports neither torch nor open_clip."""

from zsadbench_methods.clip.about import CARD

__all__ = ["CARD"]

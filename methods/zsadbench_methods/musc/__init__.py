"""MuSc: mutual scoring of unlabelled images. Importing the card imports neither torch nor open_clip."""

from zsadbench_methods.musc.about import CARD

__all__ = ["CARD"]

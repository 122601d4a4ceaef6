"""PromptAD (CVPR 2024). Importing the card imports neither torch nor open_clip."""

from zsadbench_methods.promptad.about import CARD

__all__ = ["CARD"]

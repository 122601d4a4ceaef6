"""MFP-CLIP (arXiv 2025), from the text of its paper. Importing the card imports no torch."""

from zsadbench_methods.mfpclip.about import CARD

__all__ = ["CARD"]

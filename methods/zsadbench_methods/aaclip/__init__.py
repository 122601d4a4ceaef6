"""AA-CLIP (CVPR 2025). Importing the card imports no torch."""

from zsadbench_methods.aaclip.about import CARD

__all__ = ["CARD"]

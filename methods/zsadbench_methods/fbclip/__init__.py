"""FB-CLIP (CVPR 2026). Importing the card imports neither torch nor open_clip."""

from zsadbench_methods.fbclip.about import CARD

__all__ = ["CARD"]

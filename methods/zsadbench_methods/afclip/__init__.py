"""AF-CLIP and AF-CLIP+ (ACM MM 2025). Importing the card imports neither torch nor open_clip."""

from zsadbench_methods.afclip.about import CARD

__all__ = ["CARD"]

"""AF-CLIP and AF-CLIP+ (ACM MM 2025). Importing the cards imports neither torch nor open_clip."""

from zsadbench_methods.afclip.about import CARD
from zsadbench_methods.afclip.about_memory import MEMORY

__all__ = ["CARD", "MEMORY"]

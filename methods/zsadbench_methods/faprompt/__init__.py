"""FAPrompt (ICCV 2025). Importing the card imports neither torch nor open_clip."""

from zsadbench_methods.faprompt.about import CARD

__all__ = ["CARD"]

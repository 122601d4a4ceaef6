"""WinCLIP and WinCLIP+ (CVPR 2023). Importing the card imports neither torch nor open_clip."""

from zsadbench_methods.winclip.about import CARD

__all__ = ["CARD"]

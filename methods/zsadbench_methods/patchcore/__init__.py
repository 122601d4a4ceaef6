"""PatchCore: a memory of normal patches and its coreset. Importing the card imports neither torch nor open_clip."""

from zsadbench_methods.patchcore.about import CARD

__all__ = ["CARD"]

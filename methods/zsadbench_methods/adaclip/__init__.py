"""AdaCLIP (ECCV 2024). Importing the card imports no torch."""

from zsadbench_methods.adaclip.about import CARD

__all__ = ["CARD"]

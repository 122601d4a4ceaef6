"""AnomalyDINO: nearest patches of a vision encoder. Importing the card imports neither torch nor open_clip."""

from zsadbench_methods.anomalydino.about import CARD

__all__ = ["CARD"]

"""MRAD-TF: retrieval from a memory of labelled images. Importing the card imports neither torch nor open_clip."""

from zsadbench_methods.mrad_tf.about import CARD

__all__ = ["CARD"]

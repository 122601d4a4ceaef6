"""APRIL-GAN, the VAND 2023 challenge method, zero- and few-shot. Importing the card imports no torch."""

from zsadbench_methods.aprilgan.about import CARD

__all__ = ["CARD"]

"""Image encoders of the library timm: alone (DINOv2, DINOv3, …), or as the image tower of another pair (EVA, SigLIP).

timm's modules are used as they are, block by block; our own code embeds images and resizes positions, because timm has
one rule for the positional table, and publications have several.
"""

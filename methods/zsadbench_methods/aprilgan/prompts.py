"""The sentences of APRIL-GAN: 7 normal and 5 abnormal states in 35 captions."""

from __future__ import annotations

from zsadbench_methods.parts.states import ABNORMAL, NORMAL, fill

_PHOTOS = (
    *("a bad photo of a", "a low resolution photo of the", "a bad photo of the", "a cropped photo of the"),
    *("a bright photo of a", "a dark photo of the", "a photo of my", "a photo of the cool", "a close-up photo of a"),
    *("a black and white photo of the", "a bright photo of the", "a cropped photo of a"),
    *("a jpeg corrupted photo of a", "a blurry photo of the", "a photo of the", "a good photo of the"),
    *("a photo of one", "a close-up photo of the", "a photo of a", "a low resolution photo of a"),
    *("a photo of a large", "a blurry photo of a", "a jpeg corrupted photo of the", "a good photo of a"),
    *("a photo of the small", "a photo of the large", "a black and white photo of a", "a dark photo of a"),
    *("a photo of a cool", "a photo of a small"),
)
_SCENES = ("there is a", "there is the", "this is a", "this is the", "this is one")
TEMPLATES = (*(f"{photo} {{}}." for photo in _PHOTOS), *(f"{scene} {{}} in the scene." for scene in _SCENES))


def sentences_of(class_name: str) -> tuple[list[str], list[str]]:
    """Write the normal and the abnormal sentences of a class, 245 and 175."""
    return fill(NORMAL, TEMPLATES, class_name), fill(ABNORMAL, TEMPLATES, class_name)

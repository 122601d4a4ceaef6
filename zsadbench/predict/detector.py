"""Scores and maps of one's own images, no labels needed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from zsadbench.clip import Backbone
from zsadbench.data import prepare, read_image
from zsadbench.engine.encode.text import encode_text, release_text
from zsadbench.engine.evaluate.maps import finish
from zsadbench.errors import DataError, UsageError
from zsadbench.types import Method, Scores, Tokens, Traceable

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image
    from torch import Tensor

    from zsadbench.engine.plan.method_setup import MethodSetup

OBJECT = "object"  # what is in an image, for whoever does not say
CHANNELS = (2, 3, 4)  # of an array with colours: grey with alpha, RGB, RGBA


class LoadedMethod:
    """A detector with its backbone, for one's own images; the text tower is let go as soon as the text is encoded."""

    def __init__(self, setup: MethodSetup, backbone: Backbone, method: Method) -> None:
        self.setup, self.backbone, self.method = setup, backbone, method
        self._encode_text(OBJECT)

    def predict(
        self,
        images: Sequence[str | Path | Image | NDArray[Any]] | NDArray[Any] | str | Path | Image,
        class_name: str = OBJECT,
    ) -> Scores:
        """Score images: paths, PIL images or uint8 arrays (height, width, 3).

        Args:
            images: any number of them, or a single one; each is scored on its own.
            class_name: the word that goes into the prompts of methods that use one.

        Returns:
            `image` (n,) and `pixel` (n, size, size), enlarged and smoothed as protocol `strict` does, float32.

        Raises:
            DataError: an image cannot be read, or an array is none.
        """
        self._encode_text(class_name)
        found = [self._score(one, class_name) for one in _several(images)]
        if not found:
            raise DataError("no image given; pass at least one")
        return Scores(torch.cat([one.image for one in found]), torch.cat([one.pixel for one in found]))

    def stages(self, image: str | Path | Image | NDArray[Any], class_name: str = OBJECT) -> dict[str, Tensor]:
        """Every stage that the method shows of one image, by name, float32 on the host; `map` is the one of `predict`.

        Raises:
            UsageError: the method shows no stages.
            DataError: the image cannot be read.
        """
        if not isinstance(self.method, Traceable):
            raise UsageError(f"'{self.setup.name}' does not show its stages, so there is nothing to explain")
        with torch.inference_mode():
            tokens = self._tokens(image)
            found = self.method.stages(tokens, [class_name])
            full = self._finished(self.method.score(tokens, [class_name])).pixel
        return {name: stage.float().cpu() for name, stage in found.items()} | {"map": full}

    def _encode_text(self, class_name: str) -> None:
        encode_text(self.method, [class_name])
        release_text(self.backbone, [self.method])

    def _score(self, image: Any, class_name: str) -> Scores:
        with torch.inference_mode():
            return self._finished(self.method.score(self._tokens(image), [class_name]))

    def _tokens(self, image: Any) -> Tokens:
        pixels = prepare(_opened(image), self.setup.image_size, self.setup.protocol.preprocessing)
        batch = torch.from_numpy(pixels).unsqueeze(0).to(self.backbone.device)
        tokens: Tokens = self.backbone.vision(batch, self.setup.method.card.taps(self.setup.method.options))
        return tokens

    def _finished(self, found: Scores) -> Scores:
        """The map enlarged and smoothed, both on the host."""
        size = self.setup.image_size
        full = finish(found.pixel, (size, size), self.setup.method.card.smoothing)
        return Scores(found.image.float().cpu(), torch.from_numpy(full))


def _several(images: Any) -> Iterable[Any]:
    """What was given as something to go through: one path, one picture or one array is one image."""
    from PIL.Image import Image

    single = isinstance(images, str | Path | Image) or (isinstance(images, np.ndarray) and images.ndim < 4)
    return [images] if single else images


def _opened(one: Any) -> Image:
    from PIL.Image import Image, fromarray

    if isinstance(one, Image):
        return one
    if isinstance(one, str | Path):
        return read_image(one)
    pixels = np.asarray(one)
    coloured = pixels.ndim == 3 and pixels.shape[2] in CHANNELS
    if pixels.dtype != np.uint8 or not (coloured or pixels.ndim == 2) or not pixels.size:
        raise DataError(f"an array of {pixels.dtype} {list(pixels.shape)} is no image; give uint8 (height, width, 3)")
    return fromarray(pixels)

"""A loaded method: image scores, anomaly maps and stages of images without labels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from zsadbench.clip import Backbone
from zsadbench.data import prepare, read_image
from zsadbench.engine.encode.text import encode_text, release_text
from zsadbench.engine.evaluate.scoring import Scorer
from zsadbench.engine.plan.method_setup import taps_of
from zsadbench.errors import DataError, UsageError
from zsadbench.types import Method, Scores, Tokens, Traceable

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image
    from torch import Tensor

    from zsadbench.engine.plan.method_setup import MethodSetup

OBJECT = "object"  # the word for prompts where none is given
CHANNELS = (2, 3, 4)  # of an array with colours: grey with alpha, RGB, RGBA


class LoadedMethod:
    """A method with its backbone, ready to score images; the text encoder is released once the text is encoded."""

    def __init__(self, setup: MethodSetup, backbone: Backbone, method: Method) -> None:
        self.setup, self.backbone, self.method = setup, backbone, method
        self.scorer = Scorer.of(setup, method, backbone.device)
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
        scores = [self._score(self._tokens(image), class_name) for image in _as_sequence(images)]
        if not scores:
            raise DataError("no image given; pass at least one")
        return Scores(torch.cat([each.image for each in scores]), torch.cat([each.pixel for each in scores]))

    def stages(self, image: str | Path | Image | NDArray[Any], class_name: str = OBJECT) -> dict[str, Tensor]:
        """Return every intermediate tensor of one image by name, float32 on the host; `map` is the map of `predict`.

        Raises:
            UsageError: the method has no stages.
            DataError: the image cannot be read.
        """
        if not isinstance(self.method, Traceable):
            raise UsageError(f"'{self.setup.name}' does not show its stages, so there is nothing to explain")
        with torch.inference_mode():
            tokens = self._tokens(image)
            stages = self.method.stages(tokens, [class_name])
        anomaly_map = self._score(tokens, class_name).pixel
        return {name: stage.float().cpu() for name, stage in stages.items()} | {"map": anomaly_map}

    def _encode_text(self, class_name: str) -> None:
        encode_text(self.method, [class_name])
        release_text(self.backbone, [self.method])

    def _tokens(self, image: Any) -> Tokens:
        """Read, preprocess and encode one image."""
        pixels = prepare(_opened(image), self.setup.image_size, self.setup.protocol.preprocessing)
        batch = torch.from_numpy(pixels).unsqueeze(0).to(self.backbone.device)
        with torch.inference_mode():
            tokens: Tokens = self.backbone.vision(batch, taps_of(self.setup))
        return tokens

    def _score(self, tokens: Tokens, class_name: str) -> Scores:
        """Score the tokens of one image: (1,) and (1, size, size), both float32 on the host."""
        scores = self.scorer.score(tokens, [class_name])
        (wait_for_map,) = self.scorer.start_maps(scores.pixel)
        return Scores(scores.image.float().cpu(), torch.from_numpy(wait_for_map()).unsqueeze(0))


def _as_sequence(images: Any) -> Iterable[Any]:
    """Return the images as a sequence: a single path, picture or array is one image."""
    from PIL.Image import Image

    single = isinstance(images, str | Path | Image) or (isinstance(images, np.ndarray) and images.ndim < 4)
    return [images] if single else images


def _opened(image: Any) -> Image:
    """Return an image as a PIL image; a path is read, an array is checked."""
    from PIL.Image import Image, fromarray

    if isinstance(image, Image):
        return image
    if isinstance(image, str | Path):
        return read_image(image)
    pixels = np.asarray(image)
    coloured = pixels.ndim == 3 and pixels.shape[2] in CHANNELS
    if pixels.dtype != np.uint8 or not (coloured or pixels.ndim == 2) or not pixels.size:
        raise DataError(f"an array of {pixels.dtype} {list(pixels.shape)} is no image; give uint8 (height, width, 3)")
    return fromarray(pixels)

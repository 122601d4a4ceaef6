"""A method that is ready to score images without labels: image scores, anomaly maps and stages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from zsadbench.clip import Backbone
from zsadbench.clip.union import join
from zsadbench.data import prepare, read_image
from zsadbench.data.images.turn import turned
from zsadbench.data.user_images.target import OBJECT
from zsadbench.display import html
from zsadbench.engine.encode.batching import automatic_batch
from zsadbench.engine.encode.encoders import make_encoder
from zsadbench.engine.encode.supports import angles_of
from zsadbench.engine.encode.text import encode_text, release_text
from zsadbench.engine.encode.towers import DTYPES, build_towers
from zsadbench.engine.evaluate.scoring import Scorer, check_finite
from zsadbench.engine.learn.detector import train_or_load
from zsadbench.engine.machine.device import choose_device
from zsadbench.engine.machine.method_calls import call_method, what_is
from zsadbench.engine.machine.threads import limited_threads
from zsadbench.engine.plan.jobs import make_detector_plan
from zsadbench.engine.plan.method_setup import taps_of
from zsadbench.errors import CellError, DataError, UsageError
from zsadbench.predict.together import score_together
from zsadbench.types import FewShot, Method, Scores, Tokens, Traceable

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image
    from torch import Tensor

    from zsadbench.display.strip import Strip
    from zsadbench.engine.plan.method_setup import MethodSetup
    from zsadbench.engine.plan.request import RunRequest
    from zsadbench.types import Preprocessing

CHANNELS = (2, 3, 4)  # of an array with channels: grey with alpha, RGB, RGBA


def make_detector(request: RunRequest) -> LoadedMethod:
    """Make the only method of a request: from its checkpoint, from the cache, or trained on the auxiliary set.

    Raises:
        UsageError, WeightsError, DataError: as `make_detector_plan`.
    """
    setup, aux = make_detector_plan(request)
    backbone = build_towers(setup, choose_device(request.device))
    seed = next(iter(request.seeds), 0)
    with limited_threads():
        trained = train_or_load(setup, backbone, aux, seed, workers=request.workers)
    return LoadedMethod(setup, backbone, trained.method)


class LoadedMethod:
    """A method with its backbone, ready to score images; the text encoder is released once the text is encoded."""

    def __init__(self, setup: MethodSetup, backbone: Backbone, method: Method) -> None:
        self.setup, self.backbone, self.method = setup, backbone, method
        self.scorer = Scorer.of(setup, method, backbone.device)
        self.encode = make_encoder(setup, backbone, method)
        self._encode_text(OBJECT)

    @property
    def scores_whole_classes(self) -> bool:
        """Whether the method scores all images of a class together, and none by itself."""
        return self.setup.method.scores_whole_class

    def predict(
        self,
        images: Sequence[str | Path | Image | NDArray[Any]] | NDArray[Any] | str | Path | Image,
        class_name: str = OBJECT,
    ) -> Scores:
        """Score images: paths, PIL images or uint8 arrays (height, width, 3).

        Args:
            images: one or several; each is encoded and scored in a batch of one, or all together by a method that
                scores whole classes.
            class_name: the word for prompts, for methods that use one.

        Returns:
            `image` (n,) and `pixel` (n, size, size), float32 on the host; maps are enlarged and smoothed under the
            protocol of the method's setup.

        Raises:
            DataError: an image cannot be read, an array is not an image, or there are no images.
            CellError: the method fails, or a score or a map is not finite.
        """
        if self.scores_whole_classes:
            scores = list(score_together(self, _as_sequence(images), class_name))
        else:
            scores = [self.score_batch([image], class_name) for image in _as_sequence(images)]
        if not scores:
            raise DataError("no image given; pass at least one")
        image_scores, anomaly_maps = zip(*scores, strict=True)
        return Scores(torch.cat(image_scores), torch.cat(anomaly_maps))

    def strip(
        self,
        images: Sequence[str | Path | Image | NDArray[Any]] | NDArray[Any] | str | Path | Image,
        class_name: str = OBJECT,
        number: int = 8,
    ) -> Strip:
        """Score images as `predict` does, and draw those with the highest scores: image, and anomaly map over it.

        Raises:
            DataError, CellError: as `predict`.
        """
        read = [_as_image(image) for image in _as_sequence(images)]
        return self.predict(read, class_name).strip(read, number)

    def facts(self) -> dict[str, str]:
        """Return what a reader needs to know of this method as text, by name."""
        setup, card = self.setup, self.setup.method.card
        options = vars(setup.method.options)
        venue = f" ({card.paper.venue} {card.paper.year})" if card.paper.year else ""
        return {
            "paper": f"{card.paper.title}{venue}",
            "backbone": f"{setup.spec.config.name}, weights {setup.spec.weights.label}",
            "checkpoint": setup.checkpoint.name if setup.checkpoint else "none",
            "options": ", ".join(f"{name}={value}" for name, value in options.items()) or "none",
            "input": f"{setup.image_size} × {setup.image_size} pixels",
            "protocol": setup.protocol.name,
            "device": str(self.backbone.device),
        }

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.setup.name} on {self.facts()['backbone']}>"

    def _repr_html_(self) -> str:
        """Show the facts as a table."""
        return html.heading(self.setup.name) + html.table(["", ""], list(self.facts().items()), texts=2)

    def score_batch(self, images: Sequence[str | Path | Image | NDArray[Any]], class_name: str = OBJECT) -> Scores:
        """Score images as `predict` does, all in one batch; equal to batches of one up to rounding.

        A batch that does not fit into memory is halved.

        Raises:
            DataError, CellError: as `predict`.
        """
        self._encode_text(class_name)
        read = [_as_image(image) for image in images]
        parts = self.scorer.halving(
            lambda rows: self._score(self._tokens(read[rows], class_name), [class_name] * len(read[rows])), len(read)
        )
        image_scores, anomaly_maps = zip(*parts, strict=True)
        return Scores(torch.cat(image_scores), torch.cat(anomaly_maps))

    def automatic_batch(self) -> int:
        """Return the number of images per batch that suits the device."""
        return automatic_batch(self.backbone, taps_of(self.setup), DTYPES[self.setup.precision])

    def remember(self, images: Iterable[str | Path], class_name: str = OBJECT) -> None:
        """Give a few-shot method the normal images that it compares with; they replace earlier ones.

        Raises:
            UsageError: the method has no few-shot form.
            DataError: an image cannot be read, or there are none.
            CellError: the method fails.
        """
        if not self.setup.method.card.few_shot or not isinstance(self.method, FewShot):
            raise UsageError(
                f"--reference: no few-shot form of '{self.setup.name}' is known, so it compares with no normal images"
            )
        self._encode_text(class_name)
        order = self.setup.protocol.preprocessing_of_supports
        with torch.inference_mode():
            pictures = [read_image(path) for path in images]
            turns = [(picture, angle) for angle in angles_of(self.setup) for picture in pictures]
            tokens = [self._tokens([turned(picture, angle)], class_name, order) for picture, angle in turns]
            if not tokens:
                raise DataError("--reference: no image given; pass at least one")
            of = f" for {len(pictures)} reference images"
            call_method(self.setup.name, "remember", self.method.remember, join(tokens), of=of)
        self.scorer = Scorer.of(self.setup, self.method, self.backbone.device, few_shot=True)

    def stages(self, image: str | Path | Image | NDArray[Any], class_name: str = OBJECT) -> dict[str, Tensor]:
        """Return every intermediate tensor of one image by name, float32 on the host.

        `map` is the anomaly map of `predict`, (1, size, size).

        Raises:
            UsageError: the method has no stages.
            DataError: the image cannot be read.
            CellError: the method fails, or a score or a map is not finite.
        """
        if self.scores_whole_classes or not isinstance(self.method, Traceable):
            raise UsageError(f"'{self.setup.name}' does not show its stages, so there is nothing to explain")
        with torch.inference_mode():
            tokens = self._tokens([_as_image(image)], class_name)
            stages = call_method(self.setup.name, "stages", self.method.stages, tokens, [class_name])
        if not isinstance(stages, Mapping) or not all(isinstance(stage, torch.Tensor) for stage in stages.values()):
            raise CellError(f"'{self.setup.name}' returned {what_is(stages)} as its stages; wanted is name → tensor")
        anomaly_map = self._score(tokens, [class_name]).pixel
        return {name: stage.float().cpu() for name, stage in stages.items()} | {"map": anomaly_map}

    def _encode_text(self, class_name: str) -> None:
        """Encode the prompts of a class, and release the text encoder where no method needs it."""
        encode_text(self.method, [class_name], self.setup.name)
        release_text(self.backbone, [self.method])

    def tokens(self, image: str | Path | Image | NDArray[Any], class_name: str) -> Tokens:
        """Read, preprocess and encode one image.

        Raises:
            DataError: the image cannot be read.
        """
        return self._tokens([_as_image(image)], class_name)

    def _tokens(self, images: Sequence[Image], class_name: str, order: Preprocessing | None = None) -> Tokens:
        """Preprocess and encode a batch; `order` of preprocessing, None for that of the protocol."""
        setup = self.setup
        order = order or setup.protocol.preprocessing
        pixels = [prepare(image, setup.image_size, order, setup.spec.config.pixels) for image in images]
        batch = torch.from_numpy(np.stack(pixels)).to(self.backbone.device)
        with torch.inference_mode():
            return self.encode(batch, [class_name] * len(images))

    def _score(self, tokens: Tokens, class_words: list[str]) -> Scores:
        """Score the tokens of a batch: (batch,) and (batch, size, size), both float32 on the host."""
        scores = self.scorer.score(tokens, class_words)
        waiting = self.scorer.start_maps(scores.pixel)
        image_scores, anomaly_maps = scores.image.float().cpu(), [wait() for wait in waiting]
        check_finite(image_scores.numpy(), ("this image",) * len(class_words), "image score")
        for anomaly_map in anomaly_maps:
            check_finite(anomaly_map, ("this image",), "anomaly map")
        return Scores(image_scores, torch.from_numpy(np.stack(anomaly_maps)))


def _as_sequence(images: Any) -> Iterable[Any]:
    """Return the images as a sequence; a single path, PIL image or array gives a sequence of one."""
    from PIL.Image import Image

    single = isinstance(images, str | Path | Image) or (isinstance(images, np.ndarray) and images.ndim < 4)
    return [images] if single else images


def _as_image(image: Any) -> Image:
    """Return an image as a PIL image; a path is read, an array is checked."""
    from PIL.Image import Image, fromarray

    if isinstance(image, Image):
        return image
    if isinstance(image, str | Path):
        return read_image(image)
    pixels = np.asarray(image)
    has_channels = pixels.ndim == 3 and pixels.shape[2] in CHANNELS
    if pixels.dtype != np.uint8 or not (has_channels or pixels.ndim == 2) or not pixels.size:
        raise DataError(f"an array of {pixels.dtype} {list(pixels.shape)} is no image; give uint8 (height, width, 3)")
    return fromarray(pixels)

"""One method on one device with a batch of generated images, and the time of everything it does with them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from zsadbench.engine.encode.encoders import make_encoder
from zsadbench.engine.encode.text import encode_text
from zsadbench.engine.encode.towers import DTYPES
from zsadbench.engine.evaluate.maps import AnomalyMap
from zsadbench.engine.evaluate.scoring import Scorer
from zsadbench.engine.machine.timing import Stopwatch, seconds_of, wait_for
from zsadbench.engine.plan.method_setup import taps_of
from zsadbench.metrics import ClassMetrics
from zsadbench.profile.inputs import decode, generated_files, generated_masks, preprocess
from zsadbench.profile.rounds import percentiles
from zsadbench.types import FewShot, Method, Scores, Taps, Tokens

if TYPE_CHECKING:
    from PIL.Image import Image

    from zsadbench.clip import Backbone
    from zsadbench.engine.plan.method_setup import MethodSetup

HOST_ROUNDS = 3  # rounds of decoding, preprocessing and metrics


@dataclass
class Subject:
    """A detector and a batch of generated images.

    `files` are PNG files in memory; `images` are normalised, float32 (batch, 3, size, size) on the host.
    """

    setup: MethodSetup
    backbone: Backbone
    method: Method
    batch_size: int
    files: list[bytes] = field(init=False)
    images: torch.Tensor = field(init=False)

    def __post_init__(self) -> None:
        self.files = generated_files(self.batch_size)
        self.images = self._preprocess(decode(self.files))
        self.dtype = DTYPES[self.setup.precision]
        self.scorer = Scorer.of(self.setup, self.method, self.device)
        self.encode = make_encoder(self.setup, self.backbone, self.method)
        taps = taps_of(self.setup)
        self.last_block = Taps((24,), taps.activation, taps.position, taps.preprocessing)
        method = self.setup.method
        if method.card.needs_shots(method.options) and isinstance(self.method, FewShot):
            with torch.inference_mode():
                self.method.remember(self._encode())  # as many normal images as there are in a batch

    @property
    def device(self) -> torch.device:
        """The device of the method."""
        return self.backbone.device

    def time_tower(self) -> float:
        """Time the image tower alone in seconds: all blocks, no taps but the last, with the copy of the images."""

        def encode() -> None:
            with torch.inference_mode():
                self.backbone.vision(self.images.to(self.device, non_blocking=True), self.last_block, self.dtype)

        return seconds_of(lambda: self.wait_after(encode))

    def time_batch(self) -> float:
        """Time one batch in seconds, from images on the host to maps on the host, with no wait in between."""
        return seconds_of(lambda: self.wait_after(self.run_batch))

    def run_batch(self) -> list[AnomalyMap]:
        """Score one batch: images on the host → tokens → scores → anomaly maps on the host."""
        return self._maps(self._score(self._encode()))

    def time_stages(self, watch: Stopwatch) -> float:
        """Time one batch in seconds; `watch` gets the seconds of every stage."""

        def run_stages() -> None:
            with watch.stage("tower"):
                tokens = self._encode()
            with watch.stage("head"):
                scores = self._score(tokens)
            with watch.stage("map"):
                self._maps(scores)

        return seconds_of(run_stages)

    def time_text(self) -> float:
        """Time the text features in seconds: the first call encodes the prompts, later calls look them up."""
        return seconds_of(lambda: self.wait_after(lambda: encode_text(self.method, ["object"], self.setup.name)))

    def time_host_stages(self) -> dict[str, float]:
        """Time decoding, preprocessing and metrics of the batch: the median of three rounds in ms."""
        size = self.setup.image_size
        images, masks, maps = decode(self.files), generated_masks(self.batch_size, size), self.run_batch()
        labels, scores = masks.any(axis=(1, 2)).astype(int), [float(each.max()) for each in maps]
        metrics = ClassMetrics()
        calls: dict[str, Callable[[], object]] = {
            "decode": lambda: decode(self.files),
            "preprocess": lambda: self._preprocess(images),
            "metrics": lambda: metrics.update(scores, labels, maps, list(masks)),
        }
        calls["metrics"]()  # the first call compiles
        return {
            name: percentiles([seconds_of(call) for _ in range(HOST_ROUNDS)]).median for name, call in calls.items()
        }

    def wait_after(self, call: Callable[[], object]) -> None:
        """Make a call, and return when the device has finished."""
        call()
        wait_for(self.device)

    def _preprocess(self, images: list[Image]) -> torch.Tensor:
        setup = self.setup
        return preprocess(images, setup.image_size, setup.protocol.preprocessing, setup.spec.config.pixels)

    def _encode(self) -> Tokens:
        with torch.inference_mode():
            return self.encode(self.images.to(self.device, non_blocking=True), ["object"] * self.batch_size)

    def _score(self, tokens: Tokens) -> Scores:
        scores = self.scorer.score(tokens, ["object"] * self.batch_size)
        return scores._replace(image=scores.image.float().cpu())

    def _maps(self, scores: Scores) -> list[AnomalyMap]:
        return [wait() for wait in self.scorer.start_maps(scores.pixel)]

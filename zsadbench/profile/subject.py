"""One method on one device with a batch of generated images: everything that is timed, as calls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from zsadbench.engine.encode.towers import DTYPES
from zsadbench.engine.evaluate.maps import AnomalyMap
from zsadbench.engine.evaluate.scoring import Scorer
from zsadbench.engine.machine.timing import Stopwatch, seconds_of, wait_for
from zsadbench.engine.plan.method_setup import taps_of
from zsadbench.metrics import ClassMetrics
from zsadbench.profile.inputs import decode, drawn_files, drawn_masks, preprocess
from zsadbench.profile.rounds import percentiles
from zsadbench.types import Method, Scores, Taps, Tokens

if TYPE_CHECKING:
    from zsadbench.clip import Backbone
    from zsadbench.engine.plan.method_setup import MethodSetup

HOST_ROUNDS = 3  # of decoding, preprocessing and metrics, which are timed apart


@dataclass
class Subject:
    """A detector and a batch of drawn images on the host, normalised, float32 (batch, 3, size, size)."""

    setup: MethodSetup
    backbone: Backbone
    method: Method
    batch_size: int
    files: list[bytes] = field(init=False)
    images: torch.Tensor = field(init=False)

    def __post_init__(self) -> None:
        self.files = drawn_files(self.batch_size)
        pictures = decode(self.files)
        self.images = preprocess(pictures, self.setup.image_size, self.setup.protocol.preprocessing)
        self.dtype = DTYPES[self.setup.precision]
        self.scorer = Scorer.of(self.setup, self.method, self.device)
        self.taps = taps_of(self.setup)
        self.plain = Taps((24,), self.taps.activation, self.taps.position, self.taps.preprocessing)

    @property
    def device(self) -> torch.device:
        """Where the method runs."""
        return self.backbone.device

    def floor(self) -> float:
        """Seconds of the image tower alone: every block, plain, the images on their way included."""
        return seconds_of(lambda: self.wait_after(lambda: self._tower(self.plain)))

    def whole(self) -> float:
        """Seconds from normalised images on the host to scores and maps on the host, nobody waiting in between."""
        return seconds_of(lambda: self.wait_after(self.call))

    def call(self) -> list[AnomalyMap]:
        """One batch, from the host to the host."""
        return self._maps(self._scores(self._tower(self.taps)))

    def staged(self, watch: Stopwatch) -> float:
        """Seconds of the same, stage by stage, which `watch` takes down by the clock of the device."""

        def stages() -> None:
            with watch.stage("tower"):
                tokens = self._tower(self.taps)
            with watch.stage("head"):
                scores = self._scores(tokens)
            with watch.stage("map"):
                self._maps(scores)

        return seconds_of(stages)

    def text(self) -> float:
        """Seconds to have the text features: all of the encoding the first time, a look-up later."""
        from zsadbench.engine.encode.text import encode_text

        return seconds_of(lambda: self.wait_after(lambda: encode_text(self.method, ["object"])))

    def host_stages(self) -> dict[str, float]:
        """Median milliseconds of a batch through decoding, preprocessing and metrics, one image after the other."""
        size, order = self.setup.image_size, self.setup.protocol.preprocessing
        pictures, masks, maps = decode(self.files), drawn_masks(self.batch_size, size), self.call()
        labels, scores = masks.any(axis=(1, 2)).astype(int), [float(one.max()) for one in maps]
        metrics = ClassMetrics()
        calls: dict[str, Callable[[], object]] = {
            "decode": lambda: decode(self.files),
            "preprocess": lambda: preprocess(pictures, size, order),
            "metrics": lambda: metrics.update(scores, labels, maps, list(masks)),
        }
        calls["metrics"]()  # the first call compiles
        return {
            name: percentiles([seconds_of(call) for _ in range(HOST_ROUNDS)]).median for name, call in calls.items()
        }

    def wait_after(self, call: Callable[[], object]) -> None:
        """Call, and return once the device is done."""
        call()
        wait_for(self.device)

    def _tower(self, taps: Taps) -> Tokens:
        with torch.inference_mode():
            tokens: Tokens = self.backbone.vision(self.images.to(self.device, non_blocking=True), taps, self.dtype)
        return tokens

    def _scores(self, tokens: Tokens) -> Scores:
        scores = self.scorer.score(tokens, ["object"] * self.batch_size)
        return scores._replace(image=scores.image.float().cpu())

    def _maps(self, scores: Scores) -> list[AnomalyMap]:
        return [wait() for wait in self.scorer.start_maps(scores.pixel)]

"""Images to tokens: through the shared image encoder, or by a method that works inside the encoders itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from zsadbench.clip.towers import autocast
from zsadbench.engine.encode.towers import DTYPES
from zsadbench.engine.machine.method_calls import batch_of, call_method, checked_tokens
from zsadbench.engine.plan.method_setup import taps_of
from zsadbench.types import Tokens

if TYPE_CHECKING:
    from torch import Tensor

    from zsadbench.clip import Backbone
    from zsadbench.engine.plan.method_setup import MethodSetup
    from zsadbench.types import Method, Taps

Encoder = Callable[["Tensor", Sequence[str]], Tokens]  # images (batch, 3, size, size) and their class words → tokens


def make_encoder(setup: MethodSetup, backbone: Backbone, method: Method, taps: Taps | None = None) -> Encoder:
    """Return what encodes images for a method; its time is that of the stage `tower`.

    Args:
        setup: of the method, or of any of several methods that share an encoding.
        backbone: the frozen encoders; the image encoder is built at the first call, unless it was used before.
        method: the detector.
        taps: the union of what several methods read; None for what this one reads.
    """
    wanted, precision = taps or taps_of(setup), DTYPES[setup.precision]
    if not wanted.own_encoding:
        return lambda images, class_words: backbone.vision(images, wanted, precision)

    def encode(images: Tensor, class_words: Sequence[str]) -> Tokens:
        of = batch_of((), len(images))
        with autocast(images.device.type, precision):
            returned = call_method(setup.name, "encode", method.encode, images, class_words, of=of)  # type: ignore[attr-defined]
        return checked_tokens(setup.name, returned, len(images), of)

    return encode

"""The tokens of training batches: frozen ones, or those of a method that works inside the encoders.

Frozen tokens come from the token cache, or an image is encoded by itself, so that its tokens do not depend on the other
images of the batch. A method that encodes images itself gets the whole batch in every step, with gradients.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from zsadbench.clip import place_taps
from zsadbench.clip.union import join, pick, unite
from zsadbench.engine.encode.encoders import Encoder, make_encoder
from zsadbench.engine.encode.token_cache import TokenCache
from zsadbench.engine.encode.towers import DTYPES
from zsadbench.engine.plan.method_setup import taps_of
from zsadbench.errors import CellError
from zsadbench.types import Taps, Tokens

if TYPE_CHECKING:
    from collections.abc import Callable

    from zsadbench.clip import Backbone
    from zsadbench.data import Dataset, LoadedBatch
    from zsadbench.engine.plan.method_setup import MethodSetup
    from zsadbench.types import Method

log = logging.getLogger(__name__)

GIB = 2**30


class TrainingTokens:
    """The tokens that a method learns from: read from the cache, else encoded and written into it.

    With the token precision fp16 all tokens are rounded to it, cached or not, so that losses do not depend on the
    cache. `encoded` counts images that were encoded, `cached` those whose tokens came from the cache.

    Args:
        setup: of the method that learns.
        aux: the auxiliary set.
        encode: images (1, 3, size, size) and taps → their tokens.
        cache: the token cache; None for none.
        co_trained: taps of other methods that will learn from the same images; their tokens are cached as well.
    """

    def __init__(
        self,
        setup: MethodSetup,
        aux: Dataset,
        encode: Callable[[torch.Tensor, Taps], Tokens],
        cache: TokenCache | None,
        co_trained: Sequence[Taps] = (),
    ) -> None:
        self.encode, self.cache = encode, cache
        self.relative, self.paths = aux.manifest["relative"].tolist(), aux.manifest["path"].tolist()
        self.depth = setup.spec.config.vision.layers
        self.taps = taps_of(setup)
        self.union = (unite((self.taps, *co_trained), self.depth) if cache else None) or self.taps
        self.rounded = setup.token_precision == "fp16"
        self.encoded = self.cached = 0

    @classmethod
    def of(
        cls, setup: MethodSetup, backbone: Backbone, aux: Dataset, cache_bytes: int, co_trained: Sequence[Taps]
    ) -> TrainingTokens:
        """Make the tokens of a training with its cache of at most `cache_bytes`, and log how much fits into that."""
        cache, precision = TokenCache.for_training(setup, aux, backbone.device, cache_bytes), DTYPES[setup.precision]
        tokens = cls(setup, aux, lambda images, taps: backbone.vision(images, taps, precision), cache, co_trained)
        tokens.log_capacity(f"{setup.name} on {aux.card.name}", cache_bytes)
        return tokens

    def __call__(self, loaded: LoadedBatch, images: torch.Tensor) -> Tokens:
        """Return the tokens of a loaded batch, without gradients; `images` are those of the batch on the device."""
        return join(
            [
                self._of_image(int(row), images[k : k + 1], self.cache if not loaded.mosaics[k] else None)
                for k, row in enumerate(loaded.rows)
            ]
        )

    def log_capacity(self, name: str, cache_bytes: int) -> None:
        """Log how many images of the set have their tokens in the cache once it is full."""
        count = len(self.paths)
        if self.cache is None:
            log.info("%s: no tokens are remembered; %d images are encoded in every epoch", name, count)
            return
        bytes_per_image = self.cache.entry_bytes * len(_tap_names(self.union, self.depth))
        fitting = min(count, cache_bytes // bytes_per_image)
        log.info(
            "%s: tokens of %d of %d images fit into the token cache (%.1f of %.1f GiB); others are encoded each time",
            *(name, fitting, count, fitting * bytes_per_image / GIB, count * bytes_per_image / GIB),
        )

    def _of_image(self, row: int, image: torch.Tensor, cache: TokenCache | None) -> Tokens:
        """Return the tokens of the image (1, 3, size, size) in this row of the manifest, or of a mosaic in its place.

        The tokens of a mosaic are not cached.
        """
        cached = self._from_cache(row, image.device, cache)
        if cached is not None:
            self.cached += 1
            return cached
        self.encoded += 1
        with torch.no_grad():
            tokens = self.encode(image, self.union)
        if self.rounded:
            tokens = _round_to_half(tokens, self.relative[row])
        if cache:
            layers = (*tokens.layers, *tokens.value_layers)
            for tap, layer in zip(_tap_names(self.union, self.depth), layers, strict=True):
                cache.keep(tap, self.relative[row], self.paths[row], layer)
        return pick(tokens, self.union, self.taps)

    def _from_cache(self, row: int, device: torch.device, cache: TokenCache | None) -> Tokens | None:
        """Return the tokens of one image, or None unless those of all of its taps are cached."""
        if cache is None:
            return None
        layers: list[torch.Tensor] = []
        for tap in _tap_names(self.taps, self.depth):
            layer = cache.find(tap, self.relative[row], self.paths[row])
            if layer is None:
                return None
            layers.append(layer.to(device))
        plain = len(self.taps.blocks)
        grid = int((layers[0].shape[1] - 1) ** 0.5)
        return Tokens(tuple(layers[:plain]), grid, tuple(layers[plain:]))


class OwnTrainingTokens:
    """The tokens of a method that encodes images itself, with gradients; `encoded` counts images.

    Nothing is cached, but where an encoding of support images is `frozen`: each is then encoded once, by itself and
    without gradients, and stays in memory.

    Args:
        setup: of the method that learns.
        aux: the auxiliary set, or support images.
        encode: from `make_encoder`.
    """

    def __init__(self, setup: MethodSetup, aux: Dataset, encode: Encoder) -> None:
        words = aux.card.words(setup.name)
        self.encode, self.words = encode, [words[name] for name in aux.manifest["class"]]
        self.encoded = self.cached = 0
        self.keeps = taps_of(setup).frozen and setup.on_supports
        self._kept: dict[int, Tokens] = {}

    def __call__(self, loaded: LoadedBatch, images: torch.Tensor) -> Tokens:
        """Encode a loaded batch; `images` are those of the batch on the device."""
        if self.keeps:
            return join([self._of_image(int(row), images[k : k + 1]) for k, row in enumerate(loaded.rows)])
        self.encoded += len(images)
        return self.encode(images, [self.words[row] for row in loaded.rows])

    def _of_image(self, row: int, image: torch.Tensor) -> Tokens:
        """Return the tokens of the image (1, 3, size, size) in this row; after the first time from memory."""
        if row in self._kept:
            self.cached += 1
            return self._kept[row]
        self.encoded += 1
        with torch.no_grad():
            self._kept[row] = self.encode(image, [self.words[row]])
        return self._kept[row]


def training_tokens(
    setup: MethodSetup,
    backbone: Backbone,
    method: Method,
    aux: Dataset,
    *,
    cache_bytes: int,
    co_trained: Sequence[Taps],
) -> TrainingTokens | OwnTrainingTokens:
    """Return the tokens that `method` learns from; see `TrainingTokens.of`."""
    if taps_of(setup).own_encoding:
        return OwnTrainingTokens(setup, aux, make_encoder(setup, backbone, method))
    return TrainingTokens.of(setup, backbone, aux, cache_bytes, co_trained)


def _round_to_half(tokens: Tokens, relative: str) -> Tokens:
    """Round tokens to half precision; they stay float32.

    Raises:
        CellError: a value is too large for half precision.
    """
    layers, values = ([layer.half().float() for layer in path] for path in (tokens.layers, tokens.value_layers))
    if not all(bool(layer.isfinite().all()) for layer in (*layers, *values)):
        raise CellError(f"the tokens of {relative} do not fit into fp16; learn from them with --token-precision fp32")
    return tokens._replace(layers=tuple(layers), value_layers=tuple(values))


def _tap_names(taps: Taps, depth: int) -> list[str]:
    """Return one name per tapped block of an encoder: first those of the plain path, then of the value-value path."""
    placed, plain = place_taps(taps, depth), "normed" if taps.final_norm else "plain"
    value = [f"value{placed.value_from}-{block}" for block in placed.value_blocks]
    return [f"{plain}-{block}" for block in placed.blocks] + value

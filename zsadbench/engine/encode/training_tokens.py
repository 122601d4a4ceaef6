"""The frozen tokens of training batches, image by image, so that no image's depend on its neighbours."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from zsadbench.clip import place_taps
from zsadbench.clip.union import join, pick, unite
from zsadbench.engine.encode.token_cache import TokenCache
from zsadbench.errors import CellError
from zsadbench.types import Taps, Tokens

if TYPE_CHECKING:
    from collections.abc import Callable

    from zsadbench.data import Dataset, LoadedBatch
    from zsadbench.engine.plan.method_setup import MethodSetup

log = logging.getLogger(__name__)

GIB = 2**30


class FrozenTokens:
    """What a method learns from: read back where it is remembered, else encoded, and remembered where there is room.

    With `token_precision` fp16 all tokens are rounded to it, remembered or not, so that this alone decides the losses.

    Args:
        setting: the method that learns.
        aux: what it learns from.
        encode: images (1, 3, size, size) and taps → their tokens.
        cache: where tokens are remembered; None remembers none.
        also: taps of other methods that will learn from the same: encoded along with its own.
    """

    def __init__(
        self,
        setup: MethodSetup,
        aux: Dataset,
        encode: Callable[[torch.Tensor, Taps], Tokens],
        cache: TokenCache | None,
        also: Sequence[Taps] = (),
    ) -> None:
        self.encode, self.cache = encode, cache
        self.relative, self.paths = aux.manifest["relative"].tolist(), aux.manifest["path"].tolist()
        self.depth = setup.spec.config.vision.layers
        self.taps = setup.method.card.taps(setup.method.options)
        united = unite((self.taps, *also), self.depth) if cache else None
        self.united = united or self.taps
        self.rounds = setup.token_precision == "fp16"
        self.encoded = self.remembered = 0

    def __call__(self, loaded: LoadedBatch, images: torch.Tensor) -> Tokens:
        """The tokens of a loaded batch, whose images are on the device already; no gradient."""
        return join([self._one(int(row), images[place : place + 1]) for place, row in enumerate(loaded.rows)])

    def announce(self, name: str, room: int) -> None:
        """Say how much of the set can be remembered."""
        count = len(self.paths)
        if self.cache is None:
            log.info("%s: no tokens are remembered; %d images are encoded in every epoch", name, count)
            return
        each = self.cache.entry_bytes * len(_names(self.united, self.depth))
        fits = min(count, room // each)
        log.info(
            "%s: tokens of %d of %d images fit into the token cache (%.1f of %.1f GiB); the others are encoded anew",
            *(name, fits, count, fits * each / GIB, count * each / GIB),
        )

    def _one(self, row: int, image: torch.Tensor) -> Tokens:
        found = self._recall(row, image.device)
        if found is not None:
            self.remembered += 1
            return found
        self.encoded += 1
        with torch.no_grad():
            made = self.encode(image, self.united)
        if self.rounds:
            made = _rounded(made, self.relative[row])
        if self.cache:
            layers = (*made.layers, *made.value_layers)
            for tap, layer in zip(_names(self.united, self.depth), layers, strict=True):
                self.cache.keep(tap, self.relative[row], self.paths[row], layer)
        return pick(made, self.united, self.taps)

    def _recall(self, row: int, device: torch.device) -> Tokens | None:
        """The tokens of one image, if all of its taps are there."""
        if self.cache is None:
            return None
        found: list[torch.Tensor] = []
        for tap in _names(self.taps, self.depth):
            layer = self.cache.find(tap, self.relative[row], self.paths[row])
            if layer is None:
                return None
            found.append(layer.to(device))
        plain = len(self.taps.blocks)
        grid = int((found[0].shape[1] - 1) ** 0.5)
        return Tokens(tuple(found[:plain]), grid, tuple(found[plain:]))


def _rounded(tokens: Tokens, relative: str) -> Tokens:
    """Tokens as half precision holds them, float32 still.

    Raises:
        CellError: a value is too large for it.
    """
    layers, values = ([layer.half().float() for layer in path] for path in (tokens.layers, tokens.value_layers))
    if not all(bool(layer.isfinite().all()) for layer in (*layers, *values)):
        raise CellError(f"the tokens of {relative} do not fit into fp16; learn from them with --token-precision fp32")
    return tokens._replace(layers=tuple(layers), value_layers=tuple(values))


def _names(taps: Taps, depth: int) -> list[str]:
    """One name for every tapped place of a tower: plain ones by depth, then those of the value-value path."""
    placed = place_taps(taps, depth)
    value = [f"value{placed.value_from}-{block}" for block in placed.value_blocks]
    return [f"plain-{block}" for block in placed.blocks] + value

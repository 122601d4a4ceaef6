"""Encode the normal support images of few-shot runs, and fit a method's memory on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from zsadbench.clip.union import join, pick
from zsadbench.data import batches
from zsadbench.engine.encode.encoders import Encoder
from zsadbench.engine.machine.method_calls import call_method
from zsadbench.engine.plan.method_setup import taps_of
from zsadbench.errors import CellError
from zsadbench.types import FewShot, Taps, Tokens

if TYPE_CHECKING:
    import pandas as pd

    from zsadbench.clip import Backbone
    from zsadbench.data import FileHashes
    from zsadbench.engine.plan.method_setup import MethodSetup
    from zsadbench.types import Method


@dataclass
class SupportTokens:
    """The tokens of support images; each image is encoded once, by itself, for all jobs that use it.

    `setup` belongs to any of the methods that share the encoding. `taps` is the union of what these methods read, and
    `encode` computes it; `class_word` is the word in the prompts, for a method that encodes images itself.
    """

    setup: MethodSetup
    taps: Taps
    encode: Encoder
    class_word: str
    backbone: Backbone
    workers: int
    _tokens: dict[tuple[str, float], Tokens] = field(default_factory=dict)

    def __call__(
        self, rows: pd.DataFrame, taps: Taps, files: FileHashes | None = None, angles: Sequence[float] = (0.0,)
    ) -> Tokens:
        """Return the tokens of these images, in their order, at the blocks of `taps`; all of one angle, then the next.

        Args:
            rows: manifest rows of the images.
            taps: the blocks.
            files: the hashes of the images when they were chosen.
            angles: by which the images are turned before they are resized, in degrees.

        Raises:
            DataError: an image cannot be read or has changed.
        """
        for angle in angles:
            self._encode(rows, files, angle)
        return join([pick(self._tokens[path, angle], self.taps, taps) for angle in angles for path in rows["path"]])

    def _encode(self, rows: pd.DataFrame, files: FileHashes | None, angle: float) -> None:
        """Encode those of these images, turned by an angle, that were not encoded before."""
        known = {path for path, turned in self._tokens if turned == angle}
        source = batches(
            rows[~rows["path"].isin(known)],
            size=self.setup.image_size,
            preprocessing=self.setup.protocol.preprocessing_of_supports,
            pixels=self.setup.spec.config.pixels,
            masks="none",
            batch_size=1,
            workers=self.workers,
            files=files,
            angle=angle,
        )
        with torch.inference_mode():
            for loaded in source:
                tokens = self.encode(loaded.images.to(self.backbone.device), [self.class_word])
                self._tokens[loaded.paths[0], angle] = tokens


def angles_of(setup: MethodSetup) -> tuple[float, ...]:
    """Return the angles by which the method wants support images turned; (0,) for the images as they are."""
    turned = setup.method.card.turned_supports
    return (0.0,) if turned is None else tuple(turned(setup.method.options))


def fit_memory(
    method: Method, supports: SupportTokens, setup: MethodSetup, rows: pd.DataFrame, files: FileHashes | None = None
) -> None:
    """Fit a few-shot method's memory on the support images of one class.

    Args:
        method: the method.
        supports: gives the tokens of the images.
        setup: of the method.
        rows: manifest rows of the images.
        files: the hashes of the images when they were chosen.

    Raises:
        DataError: an image cannot be read or has changed.
        CellError: the method fails.
    """
    if not call_method(setup.name, "remember", isinstance, method, FewShot):
        raise CellError(f"'{setup.name}' says that it is few-shot, but its detector has no 'remember'")
    tokens = supports(rows, taps_of(setup), files, angles_of(setup))
    with torch.inference_mode():
        of = f" for {len(rows)} support image{'' if len(rows) == 1 else 's'}"
        call_method(setup.name, "remember", method.remember, tokens, of=of)  # type: ignore[attr-defined]

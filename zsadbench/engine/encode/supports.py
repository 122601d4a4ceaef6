"""Encode the normal support images of few-shot runs, and fit a method's memory on them."""

from __future__ import annotations

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
    _tokens: dict[str, Tokens] = field(default_factory=dict)

    def __call__(self, rows: pd.DataFrame, taps: Taps, files: FileHashes | None = None) -> Tokens:
        """Return the tokens of these images, in their order, at the blocks of `taps`.

        Args:
            rows: manifest rows of the images.
            taps: the blocks.
            files: the hashes of the images when they were chosen.

        Raises:
            DataError: an image cannot be read or has changed.
        """
        source = batches(
            rows[~rows["path"].isin(self._tokens.keys())],
            size=self.setup.image_size,
            preprocessing=self.setup.protocol.preprocessing_of_supports,
            pixels=self.setup.spec.config.pixels,
            masks="none",
            batch_size=1,
            workers=self.workers,
            files=files,
        )
        with torch.inference_mode():
            for loaded in source:
                self._tokens[loaded.paths[0]] = self.encode(loaded.images.to(self.backbone.device), [self.class_word])
            return join([pick(self._tokens[path], self.taps, taps) for path in rows["path"]])


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
    tokens = supports(rows, taps_of(setup), files)
    with torch.inference_mode():
        of = f" for {len(rows)} support image{'' if len(rows) == 1 else 's'}"
        call_method(setup.name, "remember", method.remember, tokens, of=of)  # type: ignore[attr-defined]

"""Encode the normal support images of few-shot runs, once per class, and fit a method's memory on them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from zsadbench.clip.union import join, pick
from zsadbench.data import batches
from zsadbench.engine.encode.towers import DTYPES
from zsadbench.types import FewShot, Taps, Tokens

if TYPE_CHECKING:
    import pandas as pd

    from zsadbench.clip import Backbone
    from zsadbench.engine.plan.method_setup import MethodSetup
    from zsadbench.types import Method


@dataclass
class SupportTokens:
    """The tokens of support images, each encoded once and alone, whichever jobs want it.

    `setup` is any of those that share an encoding, `taps` are what one run of the tower keeps for all of them.
    """

    backbone: Backbone
    setup: MethodSetup
    taps: Taps
    workers: int
    _kept: dict[str, Tokens] = field(default_factory=dict)

    def __call__(self, rows: pd.DataFrame, taps: Taps) -> Tokens:
        """The tokens that `taps` asks for, of these images, in their order.

        Raises:
            DataError: an image cannot be read.
        """
        new = rows[~rows["path"].isin(self._kept.keys())]
        source = batches(
            new,
            size=self.setup.image_size,
            preprocessing=self.setup.protocol.preprocessing,
            masks="none",
            batch_size=1,
            workers=self.workers,
        )
        tower, precision = self.backbone.vision, DTYPES[self.setup.precision]
        with torch.inference_mode():
            for loaded in source:
                self._kept[loaded.paths[0]] = tower(loaded.images.to(self.backbone.device), self.taps, precision)
            return join([pick(self._kept[path], self.taps, taps) for path in rows["path"]])


def fit_memory(method: Method, supports: SupportTokens, setup: MethodSetup, rows: pd.DataFrame) -> None:
    """Fit a few-shot method's memory on the support images of one class; `rows` are their manifest rows.

    Raises:
        DataError: an image cannot be read.
    """
    assert isinstance(method, FewShot)  # noqa: S101 - the card says so, checked before anything runs
    tokens = supports(rows, setup.method.card.taps(setup.method.options))
    with torch.inference_mode():
        method.remember(tokens)

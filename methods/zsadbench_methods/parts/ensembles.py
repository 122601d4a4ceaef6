"""CLIP's features of ensembles of sentences (WinCLIP, APRIL-GAN)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from zsadbench.clip.towers import TextTower


def sentence_features(text: TextTower, sentences: Sequence[str]) -> Tensor:
    """Compute CLIP's features of whole sentences: (n, joint), not normalised.

    Tokens after the last end token of all sentences are left out: the causal text tower never attends to them.
    """
    ids = text.tokenize(sentences)  # (n, context)
    ends = ids.argmax(dim=1)  # the end token has the largest id
    states = text(text.embed(ids[:, : int(ends.max()) + 1]))  # (n, length, width)
    features: Tensor = states[torch.arange(len(ids), device=ids.device), ends] @ text.projection
    return features

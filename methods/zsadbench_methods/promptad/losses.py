"""PromptAD's losses: normal features are nearer to normal sentences than to any abnormal one; nothing else is seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import normalize

from zsadbench_methods.promptad.names import CLS

if TYPE_CHECKING:
    from zsadbench_methods.promptad.options import Options
    from zsadbench_methods.promptad.prompts import TextFeatures


def terms(features: Tensor, text: TextFeatures, scale: float, part: str, options: Options) -> dict[str, Tensor]:
    """Compute `v2t`, `triplet` and `match` (before its weight) of one training.

    Args:
        features: unit features of normal images: of the images, (batch, joint), or of patches, (batch, n, joint).
        text: of the sentences.
        scale: multiplies cosines.
        part: the training.
        options: margin, and axis of the triplet term.
    """
    prototypes, manual, learned = text.prototypes(), normalize(text.manual, dim=-1), normalize(text.learned, dim=-1)
    texts = torch.cat([prototypes[:1], manual, learned])  # every abnormal sentence for itself
    logits = scale * features.reshape(-1, features.shape[-1]) @ texts.T
    axis = -2 if part != CLS and options.triplet == "channels" else -1
    distances = [((features - side) ** 2).sum(dim=axis) for side in prototypes]
    return {
        "v2t": -logits.log_softmax(dim=-1)[:, 0].mean(),
        "triplet": (distances[0] - distances[1] + options.margin).relu().mean(),
        "match": ((manual.mean(dim=0) - learned.mean(dim=0)) ** 2).sum(),
    }

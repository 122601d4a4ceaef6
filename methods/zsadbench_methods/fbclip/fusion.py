"""MSTFF, multi-strategy text feature fusion: end-of-text, mean and attention pooling (§3.3)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize


class TextFusion(nn.Module):
    """Pool the 77 token states of each sentence in up to three ways and add the results with constant weights.

    All positions take part, padding included. The attention branch has its own two-layer projection instead of CLIP's.
    """

    def __init__(self, width: int, joint: int, weights: Mapping[str, float]) -> None:
        super().__init__()
        self.weights = dict(weights)
        self.selector = nn.Sequential(nn.Linear(width, width // 2), nn.ReLU(), nn.Linear(width // 2, 1))
        self.project = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, joint))
        if "attention" not in weights:
            self.requires_grad_(requires_grad=False)

    def forward(self, states: Tensor, eot: Tensor, projection: Tensor) -> Tensor:
        """Fuse the states, (2, 77, width), into (2, joint) unit rows, 0 normal and 1 abnormal.

        Args:
            states: of all tokens after the text tower.
            eot: positions of the end tokens, (2,).
            projection: CLIP's own, (width, joint).
        """
        pooled = {
            "eot": lambda: states[torch.arange(len(states), device=states.device), eot] @ projection,
            "mean": lambda: states.mean(dim=1) @ projection,
            "attention": lambda: self._attention_pooling(states),
        }  # (2, joint) each
        total = torch.stack([weight * pooled[name]() for name, weight in self.weights.items()]).sum(dim=0)
        return normalize(total, dim=-1)

    def _attention_pooling(self, states: Tensor) -> Tensor:
        attention = self.selector(states).softmax(dim=1)  # (2, 77, 1)
        pooled: Tensor = self.project((attention * states).sum(dim=1))  # (2, joint)
        return pooled

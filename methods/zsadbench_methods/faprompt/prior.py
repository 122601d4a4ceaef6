"""The data-dependent abnormality prior: from patches of an image to a shift of the abnormal tokens."""

from __future__ import annotations

from torch import Tensor, nn


class PriorNetwork(nn.Module):
    """Two linear layers with a ReLU between them: (batch, patches, joint) unit vectors → (batch, text width)."""

    def __init__(self, patches: int, joint: int, hidden: int, width: int) -> None:
        super().__init__()
        self.linear1, self.linear2 = nn.Linear(patches * joint, hidden), nn.Linear(hidden, width)

    def forward(self, patches: Tensor) -> Tensor:
        """Compute the prior β of every image from its selected patches, in order."""
        prior: Tensor = self.linear2(self.linear1(patches.flatten(1)).relu())
        return prior

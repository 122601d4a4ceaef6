"""What both passes over the images of a batch give, from the text features to the image score."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class Passes(NamedTuple):
    """Both passes over one batch.

    Attributes:
        abnormal: features of the abnormal sentences in the first pass, (prompts, joint), not normalised.
        text: text features of the first pass, (2, joint) unit rows, normal and abnormal.
        first_map: probability of "abnormal" of every patch in the first pass, (batch, patches).
        selected: unit features of the patches that the prior is computed from, (batch, selected, joint).
        prior: the shift of the abnormal tokens, (batch, text width).
        conditioned: text features of the second pass, (batch, 2, joint) unit rows.
        second_map: as `first_map`, in the second pass.
        logit: of "abnormal" against "normal" for the class token, with the text of the second pass, (batch,).
    """

    abnormal: Tensor
    text: Tensor
    first_map: Tensor
    selected: Tensor
    prior: Tensor
    conditioned: Tensor
    second_map: Tensor
    logit: Tensor

    @property
    def image(self) -> Tensor:
        """The image score ½(c + (2m₁ + m₂)/3): class token, and largest patch of either pass; (batch,) in [0, 1]."""
        largest = (2 * self.first_map.amax(dim=1) + self.second_map.amax(dim=1)) / 3
        return (self.logit.sigmoid() + largest) / 2

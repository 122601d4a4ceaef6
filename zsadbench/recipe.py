"""How the paper of a method trains it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

MaskRule = Literal["nonzero-bilinear-half", "nonzero-bicubic-grey", "nonzero-nearest"]
MosaicRule = Literal["none", "by_defect", "distinct"]


@dataclass(frozen=True)
class Recipe:
    """How the paper trains.

    Attributes:
        epochs: auxiliary set → epochs.
        epochs_else: epochs on any other auxiliary set.
        batch: images per step.
        lr: learning rate.
        image_size: side of the input in pixels.
        loss: the name of the loss.
        betas: Adam's coefficients; SGD has none.
        optimiser: Adam, AdamW or SGD.
        weight_decay: weight decay.
        lr_by_epoch: whether the learning rate of an epoch is `lr` divided by its number, counted from 1.
        mask: how masks are resized to the input: every non-zero value is anomalous, then bilinear with threshold one
            half, bicubic and left grey, or nearest neighbour.
        permuted: a control experiment in which masks and labels are exchanged randomly between images, so that nothing
            can be learned from them.
        on: auxiliary set → fields with another value on it, for example on a generated set of 192 images.
        halve_at: steps after which the learning rate is halved.
        stage: what the detector is told before this training (`Staged`); empty for a training of one stage.
        before: the recipe of the stage that is trained first, whose checkpoint is cached by itself; None for none.
        momentum: of SGD.
        cosine_to: the learning rate to which it falls along half a cosine, from the first epoch to the end of the
            last; None for a learning rate that does not fall so.
        on_supports: whether it learns from the support images of a few-shot run, a class at a time, and from no
            auxiliary set. Every class is trained from the same initial values, and its checkpoint is cached by itself.
        one_pass: whether nothing is optimised: the detector remembers the auxiliary set in one pass (`Remembering`).
            Epochs and what concerns the optimiser have no meaning then.
        mosaic: whether a training image is replaced, with probability 0.2 in every epoch, by a mosaic of four images of
            its class, two by two, their masks likewise; its label stays that of the replaced image. `by_defect` draws a
            kind of defect uniformly, normal images being one, then an image of it, each of the four by itself;
            `distinct` draws four different images.
    """

    epochs: Mapping[str, int]
    epochs_else: int
    batch: int
    lr: float
    image_size: int
    loss: str
    betas: tuple[float, float] = (0.9, 0.999)
    optimiser: Literal["adam", "adamw", "sgd"] = "adam"
    weight_decay: float = 0.0
    mask: MaskRule = "nonzero-bilinear-half"
    permuted: bool = False
    lr_by_epoch: bool = False
    on: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    halve_at: tuple[int, ...] = ()
    stage: str = ""
    before: Recipe | None = None
    momentum: float = 0.0
    cosine_to: float | None = None
    on_supports: bool = False
    one_pass: bool = False
    mosaic: MosaicRule = "none"

    def epochs_for(self, aux: str) -> int:
        """The number of epochs on the auxiliary set `aux`."""
        return self.epochs.get(aux, self.epochs_else)

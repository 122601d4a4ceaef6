"""The contract between the engine and a method.

A method package registers one `MethodCard` in the entry-point group `zsadbench.methods`. Importing the card imports
neither torch nor open_clip. `MethodCard.build` makes the detector, a `Method`, which is also `Trainable` if the paper
trains it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, runtime_checkable

from zsadbench.tokens import Activation, Compiling, PositionRule, Preprocessing, Taps, Tokens

if TYPE_CHECKING:
    from torch import Tensor, nn

    from zsadbench.clip import Backbone
    from zsadbench.clip.config import BackboneConfig
    from zsadbench.protocol import EvaluationProtocol

__all__ = [
    "Activation",
    "Batch",
    "Compiling",
    "FewShot",
    "LossTraceable",
    "Losses",
    "Macs",
    "MaskRule",
    "Method",
    "MethodCard",
    "Official",
    "Paper",
    "PositionRule",
    "Preprocessing",
    "Recipe",
    "Scores",
    "StageNote",
    "Taps",
    "TextFirst",
    "Tokens",
    "Traceable",
    "Trainable",
]

MaskRule = Literal["nonzero-bilinear-half", "nonzero-bicubic-grey"]


class Scores(NamedTuple):
    """Anomaly scores of one batch, per image and per pixel; higher is more anomalous, on any scale."""

    image: Tensor  # (batch,)
    pixel: Tensor  # (batch, height, width): the patch grid, or full size


class Batch(NamedTuple):
    """One batch of labelled training images.

    Attributes:
        images: float32 (batch, 3, size, size), normalised.
        masks: float32 (batch, size, size), 0 or 1; also between 0 and 1 if the recipe leaves masks grey.
        labels: int64 (batch,), 0 normal and 1 anomalous.
        class_names: the words in the prompts, one per image.
    """

    images: Tensor
    masks: Tensor
    labels: Tensor
    class_names: tuple[str, ...]


Losses = Mapping[str, "Tensor"]  # name → scalar; the sum is minimised


@runtime_checkable
class Method(Protocol):
    """A detector that scores images from the tokens of a frozen CLIP encoder."""

    def score(self, tokens: Tokens, class_names: Sequence[str]) -> Scores:
        """Score one batch; the result of an image must not depend on the other images in the batch."""
        ...


@runtime_checkable
class Trainable(Method, Protocol):
    """A detector that is trained on an auxiliary benchmark; the training loop is in the engine."""

    @property
    def network(self) -> nn.Module:
        """The trained part: its parameters are optimised, its state dict is the checkpoint."""
        ...

    def loss(self, tokens: Tokens, batch: Batch) -> Losses:
        """Compute each term of the training loss on one batch."""
        ...


@runtime_checkable
class Traceable(Method, Protocol):
    """A method that returns its intermediate results by name, for `parity` and `explain`."""

    def stages(self, tokens: Tokens, class_names: Sequence[str]) -> Mapping[str, Tensor]:
        """Compute every intermediate result of the paper's figure; the first axis is the batch."""
        ...


@runtime_checkable
class LossTraceable(Protocol):
    """A method that returns the parts of its training loss by the names in the parity fixtures."""

    def loss_stages(self, tokens: Tokens, batch: Batch) -> Mapping[str, Tensor]:
        """Compute the targets of the loss, and each unweighted term as `loss_NAME`."""
        ...


@runtime_checkable
class FewShot(Method, Protocol):
    """A detector that can use a few normal images (supports) of the class that it scores."""

    def remember(self, tokens: Tokens) -> None:
        """Replace the supports by these normal images of the class scored next; an empty batch removes them."""
        ...


@runtime_checkable
class TextFirst(Method, Protocol):
    """A detector whose text features do not depend on images; after encoding them, it scores without the text tower."""

    def encode_text(self, class_names: Sequence[str]) -> None:
        """Compute and keep the text features of these classes for the present parameters."""
        ...


@dataclass(frozen=True)
class Recipe:
    """How the paper trains.

    Attributes:
        epochs: auxiliary set → epochs.
        epochs_else: epochs on any other auxiliary set.
        batch: images per step.
        lr: learning rate.
        betas: Adam's coefficients.
        image_size: side of the input in pixels.
        loss: the name of the loss.
        optimiser: Adam or AdamW.
        weight_decay: weight decay.
        mask: how masks are resized to the input: every non-zero value is anomalous, then bilinear with threshold one
            half, or bicubic and left grey.
        permuted: a control experiment in which masks and labels are exchanged randomly between images, so that nothing
            can be learned from them.
        on: auxiliary set → fields with another value on it, for example on a generated set of 192 images.
    """

    epochs: Mapping[str, int]
    epochs_else: int
    batch: int
    lr: float
    betas: tuple[float, float]
    image_size: int
    loss: str
    optimiser: Literal["adam", "adamw"] = "adam"
    weight_decay: float = 0.0
    mask: MaskRule = "nonzero-bilinear-half"
    permuted: bool = False
    on: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def epochs_for(self, aux: str) -> int:
        """The number of epochs on the auxiliary set `aux`."""
        return self.epochs.get(aux, self.epochs_else)


@dataclass(frozen=True)
class Paper:
    """Where a method was published; `key` is the BibTeX key."""

    title: str
    venue: str
    year: int
    key: str
    url: str = ""
    code: str = ""


@dataclass(frozen=True)
class Official:
    """How files published with a method map to this implementation.

    Attributes:
        read: reads the published checkpoint files and returns the state dict of `Trainable.network`; raises
            `WeightsError` if they belong to another method.
        names: returns published tensor name → name in this implementation.
        options: converts the settings in a parity fixture to options of the method.
        variants: returns variant → options that differ, if a fixture repeats its results under other settings.
        companions: finds all files of a checkpoint that is published in several files, given one of them.
    """

    read: Callable[[Sequence[Path]], dict[str, Tensor]]
    names: Callable[[], Mapping[str, str]]
    options: Callable[[Mapping[str, Any]], dict[str, Any]]
    variants: Callable[[Mapping[str, Any]], Mapping[str, Mapping[str, Any]]] = lambda settings: {}
    companions: Callable[[Path], Sequence[Path]] = lambda path: (path,)


@dataclass(frozen=True)
class StageNote:
    """What a group of stages is, and how `explain` shows it.

    Attributes:
        stages: a pattern of stage names; `*` matches any text.
        title: the title of the images.
        equation: what is computed.
        paper: the place in the paper.
        drawing: how a tensor becomes an image per patch grid. `values` shows one number per patch; `tokens` the first
            three principal components of one vector per patch; `text` the cosine of one vector per patch of the joint
            space with the anomalous row of `text_features`, minus the cosine with the normal row.
        low: the value at the lower end of the colour scale, for every image.
        high: the value at the upper end.
        scale: the colour scale.
    """

    stages: str
    title: str
    equation: str
    paper: str
    drawing: Literal["values", "tokens", "text"] = "values"
    low: float = 0.0
    high: float = 1.0
    scale: Literal["heat", "grey", "signed"] = "grey"


class Macs(NamedTuple):
    """Multiply-accumulates of a method after the image tower, in closed form; only matrix products are counted.

    Attributes:
        image: part → number for one image by the paper's formulas; repeated computations of the same result count
            once, and terms that cancel do not count.
        executed: the number that this implementation executes for the same result.
        text: the number for encoding the prompts, once per class and set of weights.
    """

    image: Mapping[str, int]
    executed: Mapping[str, int]
    text: int


@dataclass(frozen=True)
class MethodCard:
    """One method, as it is registered.

    Attributes:
        name: the name on the command line and in records.
        paper: the publication.
        options: a frozen dataclass of plain values.
        taps: returns the tokens that the method needs, for its options.
        build: makes the detector for a backbone and options.
        smoothing: sigma of the published Gaussian smoothing, in pixels of the evaluated map; 0 for none.
        recipe: how the paper trains; None for a training-free method.
        protocols: evaluation protocols of the paper.
        presets: name → options, selected with `-O preset=NAME`.
        official: how published checkpoints are read; None if there are none.
        weight_bound: options with which published weights were trained; changing one of them gives a warning.
        map_range: map values at the two ends of the colour scale of heat maps.
        few_shot: whether the detector is a `FewShot`.
        augments: whether training transforms images differently in each epoch, so that tokens cannot be cached.
        notes: how `explain` shows the stages, in the order of the paper's figure. Stages without a note are only
            listed; without any note, every stage that fits the patch grid is shown.
        macs: counts multiply-accumulates for a backbone, options and side of the patch grid; None if unknown.
        version: of the method's code, changed whenever its numbers may change: records of two versions are two
            records. Without one, a method is identified by the source of its package.
    """

    name: str
    paper: Paper
    options: type[Any]
    taps: Callable[[Any], Taps]
    build: Callable[[Backbone, Any], Method]
    smoothing: float
    recipe: Recipe | None = None
    protocols: tuple[EvaluationProtocol, ...] = ()
    presets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    official: Official | None = None
    weight_bound: frozenset[str] = frozenset()
    map_range: tuple[float, float] = (0.0, 1.0)
    few_shot: bool = False
    augments: bool = False
    notes: tuple[StageNote, ...] = ()
    macs: Callable[[BackboneConfig, Any, int], Macs] | None = None
    version: str = ""

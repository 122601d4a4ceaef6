"""The whole contract between the engine and a method.

A method package registers one `MethodCard` under the entry-point group `zsadbench.methods`.
The card is light: importing it imports neither torch nor open_clip. `MethodCard.build` makes
the detector itself, a `Method` (and a `Trainable` where the paper trains).
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
    """One batch scored: how strange each image is, and where. Higher is stranger; the scale is free."""

    image: Tensor  # (batch,)
    pixel: Tensor  # (batch, height, width): the patch grid, or full size


class Batch(NamedTuple):
    """One batch of labelled images.

    `images` float32 (batch, 3, size, size), normalised; `masks` float32 (batch, size, size) from 0 to 1, between
    them only where the recipe leaves masks grey; `labels` int64 (batch,), 1 is anomalous; `class_names` the
    words that go into prompts.
    """

    images: Tensor
    masks: Tensor
    labels: Tensor
    class_names: tuple[str, ...]


Losses = Mapping[str, "Tensor"]  # scalars by name; their sum is minimised


@runtime_checkable
class Method(Protocol):
    """A detector that looks at images it has never seen, through a frozen CLIP."""

    def score(self, tokens: Tokens, class_names: Sequence[str]) -> Scores:
        """Score one batch; an image's result may not depend on its neighbours."""
        ...


@runtime_checkable
class Trainable(Method, Protocol):
    """A detector that first learns from an auxiliary benchmark. The engine owns the loop."""

    @property
    def network(self) -> nn.Module:
        """The trained part: its parameters are optimised, its state is the checkpoint."""
        ...

    def loss(self, tokens: Tokens, batch: Batch) -> Losses:
        """Every component of the training loss on one batch."""
        ...


@runtime_checkable
class Traceable(Method, Protocol):
    """A method that shows its stages by name: parity checks them, pictures draw them."""

    def stages(self, tokens: Tokens, class_names: Sequence[str]) -> Mapping[str, Tensor]:
        """Every intermediate result of the paper's figure, batch first."""
        ...


@runtime_checkable
class LossTraceable(Protocol):
    """A method that shows what its training loss is made of, by the names of the parity fixtures."""

    def loss_stages(self, tokens: Tokens, batch: Batch) -> Mapping[str, Tensor]:
        """Targets, and losses before their weights as `loss_NAME`."""
        ...


@runtime_checkable
class FewShot(Method, Protocol):
    """A detector that scores better once it has seen a few normal images of the class at hand."""

    def remember(self, tokens: Tokens) -> None:
        """Take these normal images of the class scored from now on in place of older ones; without any, forget all."""
        ...


@runtime_checkable
class TextFirst(Method, Protocol):
    """A detector whose text features need no image: once they are made, it scores without the text tower."""

    def encode_text(self, class_names: Sequence[str]) -> None:
        """Make, for the present parameters, the text features with which images of these classes are scored."""
        ...


@dataclass(frozen=True)
class Recipe:
    """How the paper trains. `epochs` names auxiliary sets; `epochs_else` serves all others.

    `on` are the fields that another auxiliary set wants otherwise, such as a drawn one of 192 images. `permuted`
    is a control: masks and labels are dealt out anew between the images, so that nothing can be learned from them.
    `mask` is how masks get the size of the input: every non-zero value counts, enlarged or shrunk bilinearly and cut at
    one half, or bicubically and left grey.
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
        """Epochs on the auxiliary set named `aux`."""
        return self.epochs.get(aux, self.epochs_else)


@dataclass(frozen=True)
class Paper:
    """Where a method was published."""

    title: str
    venue: str
    year: int
    key: str
    url: str = ""
    code: str = ""


@dataclass(frozen=True)
class Official:
    """How a method's published files map onto ours.

    `read` takes the paths of the published checkpoint files and returns our state dict; it raises
    `WeightsError` when they are another method's. `names` maps published tensor names to ours.
    `options` turns the settings written in a parity fixture into this method's options; `variants`
    names the options that differ where a fixture repeats its results under other settings.
    `companions` finds all files of a checkpoint that is published in several, given one of them.
    """

    read: Callable[[Sequence[Path]], dict[str, Tensor]]
    names: Callable[[], Mapping[str, str]]
    options: Callable[[Mapping[str, Any]], dict[str, Any]]
    variants: Callable[[Mapping[str, Any]], Mapping[str, Mapping[str, Any]]] = lambda settings: {}
    companions: Callable[[Path], Sequence[Path]] = lambda path: (path,)


@dataclass(frozen=True)
class StageNote:
    """What the stages of one kind are, and how they are drawn.

    `stages` is a pattern of names, `*` for anything. `equation` says what is computed, `paper` where the paper has it.
    `drawing` turns a tensor into one picture a patch grid: `values` shows one number a patch, `tokens` the first three
    principal components of a vector a patch, `text` how much nearer a vector of the joint space is to the anomalous
    than to the normal row of `text_features` (a difference of cosines). `low` and `high` are the ends of the colour
    `scale`, which is the same for every image.
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
    """Multiply-accumulates of a method beyond the image tower, in closed form: products of two matrices alone.

    `image` is what the publication's formulas take for one image, by part; what they compute again and again with
    the same result counts once, and what cancels not at all. `executed` is what this code multiplies for the same
    result. `text` is the encoding of the prompts, once for a set of weights and a class.
    """

    image: Mapping[str, int]
    executed: Mapping[str, int]
    text: int


@dataclass(frozen=True)
class MethodCard:
    """One method as the registry knows it. `options` is a frozen dataclass of plain values.

    `smoothing` is the sigma, in pixels of the evaluated map, of the Gaussian that the paper
    publishes (0 for none). `recipe` is None for a training-free method. `presets` are named bundles
    of options, chosen with `-O preset=NAME`; `weight_bound` names the options that released weights
    were trained under, so that changing one under a checkpoint is worth a warning. `map_range` are
    the map values at the two ends of a fixed colour scale. `few_shot` says that what is built is a
    `FewShot`, `augments` that training sees an image otherwise in every epoch, so that its tokens cannot be remembered.
    `notes` say how `stages` are drawn, in the order of the paper's figure; stages without one are listed, not drawn.
    Without any note, what fits the patch grid is drawn. `macs` counts multiply-accumulates for a backbone, options
    and the side of the patch grid; None where nobody has written the formulas down.
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

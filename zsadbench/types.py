"""The contract between the engine and a method.

A method package registers one `MethodCard` in the entry-point group `zsadbench.methods`. Importing the card imports
neither torch nor open_clip. `MethodCard.build` makes the detector, a `Method`, which is also `Trainable` if the paper
trains it. docs/contract.md explains the contract with examples.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from zsadbench.detectors import (
    Augmenting,
    Batch,
    FewShot,
    Losses,
    LossTraceable,
    Macs,
    Method,
    OwnEncoding,
    Parted,
    Remembering,
    Scores,
    Staged,
    TextFirst,
    TextReplaceable,
    Traceable,
    Trainable,
    WholeClass,
)
from zsadbench.recipe import MaskRule, Recipe
from zsadbench.tokens import Activation, BackboneKind, Compiling, PositionRule, Preprocessing, Taps, Tokens

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from zsadbench.clip import Backbone, BackboneSpec
    from zsadbench.clip.config import BackboneConfig
    from zsadbench.clip.weights import Weights
    from zsadbench.protocol import EvaluationProtocol

__all__ = [
    "Activation",
    "Augmenting",
    "BackboneKind",
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
    "OwnEncoding",
    "Paper",
    "Parted",
    "PositionRule",
    "Preprocessing",
    "Recipe",
    "Remembering",
    "Scores",
    "StageNote",
    "Staged",
    "Taps",
    "TextFirst",
    "TextReplaceable",
    "Tokens",
    "Traceable",
    "Trainable",
    "Transductive",
    "Variant",
    "WholeClass",
]


@dataclass(frozen=True)
class Paper:
    """Where a method was published.

    Attributes:
        title: of the paper.
        venue: journal, conference or preprint server; `none` for a control without a paper.
        year: of the publication; 0 where it is unknown.
        key: the BibTeX key.
        url: address of the paper.
        code: address of the authors' code.
        authors: full names.
        bibtex: one BibTeX entry with the key `key`, printed as it is; empty for one that is made from the other fields.
    """

    title: str
    venue: str
    year: int
    key: str
    url: str = ""
    code: str = ""
    authors: tuple[str, ...] = ()
    bibtex: str = ""

    def stated(self) -> dict[str, Any]:
        """The fields that are not empty, as JSON values."""
        fields = {name: list(value) if isinstance(value, tuple) else value for name, value in vars(self).items()}
        return {name: value for name, value in fields.items() if value}


@dataclass(frozen=True)
class Variant:
    """How a parity fixture repeats its results.

    Attributes:
        options: options that differ from those of the main results.
        supports: the entry of `inputs` with the images that a few-shot method remembers; empty for none.
        checkpoint: the entry of the fixture that lists the checkpoint files.
        size: the side of the evaluated maps in pixels; None for that of the images.
        text: the entry of `inputs` with text features, (2, joint), for all classes (`TextReplaceable`); empty for those
            of the sentences.
        images: the number of images, the first ones; None for all.
        lr: the learning rate of the optimiser steps; None for that of the fixture.
    """

    options: Mapping[str, Any] = field(default_factory=dict)
    supports: str = ""
    text: str = ""
    images: int | None = None
    lr: float | None = None
    checkpoint: str = "checkpoint_files"
    size: int | None = None


@dataclass(frozen=True)
class Official:
    """How files published with a method map to this implementation.

    Attributes:
        read: reads the published checkpoint files and returns the state dict of `Trainable.network`; raises
            `WeightsError` if they belong to another method.
        names: returns published tensor name → name in this implementation. Where the parts of a checkpoint have the
            same names in several files, the name of the part and a slash come first.
        options: converts the settings in a parity fixture to options of the method.
        variants: returns name → `Variant`, or the options that differ, if a fixture repeats its results under other
            settings. A name that ends in `_` stands before the names of the tensors.
        companions: finds all files of a checkpoint that is published in several files, given one of them.
        on_tokens: recomputes a fixture that gives tokens in place of images and has no backbone: its inputs, its
            `fixture.json` and the options → what it expects, by name. `Scores` under a name stand for three entries:
            the grid, the score, and the map at the size of the fixture's images. None if its fixtures have images.
    """

    read: Callable[[Sequence[Path]], dict[str, Tensor]]
    names: Callable[[], Mapping[str, str]]
    options: Callable[[Mapping[str, Any]], dict[str, Any]]
    variants: Callable[[Mapping[str, Any]], Mapping[str, Variant | Mapping[str, Any]]] = lambda settings: {}
    companions: Callable[[Path], Sequence[Path]] = lambda path: (path,)
    on_tokens: Callable[[Mapping[str, Tensor], Mapping[str, Any], Any], Mapping[str, Tensor | Scores]] | None = None


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


@dataclass(frozen=True)
class Transductive:
    """A step that needs all test images of a class: it finishes image scores, or scores the class as a whole.

    A protocol whose `across_images` is `transductive` takes it once a class is complete, no other does; every table
    marks such a row. A finishing step leaves maps as they are: a rising function of all pixels of a class changes no
    metric of the class. A method whose step scores the class as a whole is refused under other protocols.

    Attributes:
        name: of the step, in records and tables.
        description: what it computes, in one line.
        parts: what it needs of each image (`Parted`); the table of images keeps them under every protocol.
        finish: part → float64 (images,), in any order of the images → image scores (images,).
            None where the class is scored as a whole.
        with_supports: whether it belongs to the few-shot form alone.
        whole_class: whether the detector takes all images of the class first and then makes both their scores and their
            maps (`WholeClass`); there is no score of one image then.
    """

    name: str
    description: str
    parts: tuple[str, ...] = ()
    finish: Callable[[Mapping[str, NDArray[np.float64]]], NDArray[np.float64]] | None = None
    with_supports: bool = False
    whole_class: bool = False


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
        augments: whether training transforms images differently in each epoch, so that tokens cannot be cached; the
            detector is `Augmenting`.
        notes: how `explain` shows the stages, in the order of the paper's figure. Stages without a note are only
            listed; without any note, every stage that fits the patch grid is shown.
        macs: counts multiply-accumulates for a backbone, options and side of the patch grid; None if unknown.
        transductive: returns the step that needs all test images of a class, for the options, or None where these need
            none; None for none with any options.
        unofficial: whether no code of the authors exists, so that the implementation follows the text of the paper and
            its open choices are ours; every table marks such a row.
        extra_weights: finds the weights of further frozen networks, for the options and the backbone: name → weights,
            whose hashes are part of the identity of a record; raises `WeightsError` where they are missing. Records
            with random ones are not comparable.
        native_size: whether images have, by default, the size that the backbone was trained with.
        kinds: the kinds of backbones that the method can use; it is refused on others.
        needs_shots: whether the method scores nothing without normal images of the class, for the options.
        turned_supports: returns the angles in degrees, counter-clockwise, by which every support image is turned before
            it is resized and encoded, for the options: so many copies are remembered. None for the images as they are.
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
    kinds: tuple[BackboneKind, ...] = ("clip",)
    native_size: bool = False
    transductive: Callable[[Any], Transductive | None] | None = None
    unofficial: bool = False
    extra_weights: Callable[[Any, BackboneSpec], Mapping[str, Weights]] | None = None
    needs_shots: Callable[[Any], bool] = lambda options: False
    turned_supports: Callable[[Any], Sequence[float]] | None = None

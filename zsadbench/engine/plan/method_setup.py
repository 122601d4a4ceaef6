"""The setup of a method: everything about it that is the same for all targets and seeds of a run."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from zsadbench.checkpoints import read_metadata
from zsadbench.clip import BackboneSpec, check_activation, check_tokenizer, place_taps
from zsadbench.engine.plan.kinds import check_kind, reads_text
from zsadbench.engine.plan.options import ConfiguredMethod, build_options, taps_for
from zsadbench.engine.plan.request import NO_AUX, RunRequest
from zsadbench.engine.plan.trained_state import checkpoint_sha256, read_state
from zsadbench.errors import WeightsError, not_found, where_looked
from zsadbench.method_code import code_of
from zsadbench.protocol import EvaluationProtocol

if TYPE_CHECKING:
    from zsadbench.clip.weights import Weights
    from zsadbench.types import Compiling, Preprocessing, Taps, Transductive

log = logging.getLogger(__name__)

NATIVE_RECIPE_SIZE = 518  # input size of a training-free method on an encoder of 24 blocks, in pixels


@dataclass(frozen=True)
class MethodSetup:
    """A method with its options, the encoder that it reads, and how it is trained and evaluated.

    `image_size` is the side of the input in pixels. `limit` is the number of test images per label and class, None for
    all; `epochs` None for those of protocol and recipe. `token_precision` is that of the tokens in training. `code`
    identifies the method's code, see `zsadbench.method_code`. `extra_weights` are those of further frozen networks.
    `untrained` leaves trained parts at their initial values.
    """

    method: ConfiguredMethod
    spec: BackboneSpec
    image_size: int
    protocol: EvaluationProtocol
    precision: str
    limit: int | None
    epochs: int | None
    checkpoint: Path | None
    checkpoint_sha256: str | None
    token_precision: str = "fp32"
    compiling: Compiling = "off"
    code: str = ""
    extra_weights: Mapping[str, Weights] = field(default_factory=dict)
    untrained: bool = False

    @property
    def name(self) -> str:
        """The method's name."""
        return self.method.card.name

    @property
    def trains(self) -> bool:
        """Whether the method is trained in the run: it has a recipe, and no checkpoint was given."""
        return self.method.recipe is not None and self.checkpoint is None

    @property
    def map_side(self) -> int:
        """The side of the evaluated maps in pixels."""
        return self.protocol.map_side or self.image_size

    @property
    def needs_aux(self) -> bool:
        """Whether the method is trained in the run, and on an auxiliary set."""
        return self.trains and self.method.recipe is not None and not self.method.recipe.on_supports

    @property
    def on_supports(self) -> bool:
        """Whether the method is trained in the run, class by class, on the support images (`Recipe.on_supports`)."""
        return self.trains and not self.needs_aux and not self.untrained

    def finishing_step(self, *, few_shot: bool) -> Transductive | None:
        """Return the method's step over the test images of a class, if this form of the method has one."""
        step = self.method.step()
        return step if step is not None and (few_shot or not step.with_supports) else None

    def step_taken(self, *, few_shot: bool) -> Transductive | None:
        """Return that step if the protocol allows it, else None."""
        return self.finishing_step(few_shot=few_shot) if self.protocol.across_images == "transductive" else None

    def epochs_on(self, aux: str) -> int:
        """Return the epochs on the auxiliary set `aux`, empty for support images: the request's, else the recipe's.

        Those of the protocol have precedence over those of the recipe.
        """
        assert self.method.recipe is not None  # noqa: S101 - only called where the method trains
        published = dict(self.protocol.epochs)  # of the last stage
        return self.epochs or published.get(aux) or self.method.recipe.epochs_for(aux)


def earlier_stage(setup: MethodSetup) -> MethodSetup | None:
    """Return the setup of the training stage before that of `setup`; None if there is none.

    The epochs of a protocol and the fields of the recipe that the user changed are those of the last stage; but a
    control with permuted labels permutes those of every stage, and no stage has more epochs than the user names.
    """
    method = setup.method.earlier()
    if method is None or method.recipe is None:
        return None
    most = max(method.recipe.epochs_else, *method.recipe.epochs.values(), 0)
    epochs = min(setup.epochs, most) if setup.epochs else None
    return replace(setup, method=method, epochs=epochs, protocol=replace(setup.protocol, epochs=()))


def load_setup(
    request: RunRequest, method: ConfiguredMethod, spec: BackboneSpec, protocol: EvaluationProtocol
) -> MethodSetup:
    """Make the setup of a method, with the options that its checkpoint was trained with.

    Raises:
        UsageError: the method cannot use the backbone, or the image size or a tapped block does not fit it.
        WeightsError: the checkpoint is missing, unreadable, unsafe or another method's, or weights of a further network
            are missing.
    """
    check_kind(method.card, spec.config)
    if reads_text(method.card):
        check_tokenizer(spec.config, offline=request.offline)
    native = spec.config.vision.image_size
    recipe_size = method.recipe.image_size if method.recipe else NATIVE_RECIPE_SIZE
    size = request.image_size or (native if method.card.native_size else spec.image_size(recipe_size))
    spec.check_size(size)
    sha256 = None
    if request.checkpoint is not None and method.recipe is not None:
        method = _with_checkpoint_options(method, request.checkpoint)
        sha256 = checkpoint_sha256(method.card, request.checkpoint)
    taps = taps_for(method.card, method.options)
    place_taps(taps, spec.config.vision.layers)
    check_activation(spec.config, taps.activation)
    extra_weights = method.card.extra_weights
    return MethodSetup(
        method=method,
        spec=spec,
        image_size=size,
        protocol=protocol,
        precision=request.precision,
        limit=request.limit,
        epochs=request.epochs,
        checkpoint=request.checkpoint if sha256 else None,
        checkpoint_sha256=sha256,
        token_precision=request.token_precision,
        compiling=request.compile,
        code=code_of(method.card.name).identity,
        extra_weights=extra_weights(method.options, spec) if extra_weights else {},
        untrained=request.aux == NO_AUX,
    )


def _with_checkpoint_options(method: ConfiguredMethod, path: Path) -> ConfiguredMethod:
    """Return the method with the options of its training, and above them those that the user gave.

    A warning names options that the user changes although the trained parameters depend on them.
    """
    if not path.is_file():
        remedy = f"give a checkpoint of {method.card.name}, or leave --checkpoint out to train one"
        raise WeightsError(not_found(f"checkpoint '{path}' is not a file", where_looked(path), remedy))
    metadata = read_metadata(path)
    read_state(method.card, path)  # a foreign, unsafe or truncated file is reported before anything runs
    trained = dict(metadata[1].get("options") or {}) if metadata else {}
    of_training = build_options(method.card, trained)
    options = build_options(method.card, {**trained, **method.changed(), **method.given})
    bound = sorted(method.card.weight_bound)
    clash = [key for key in bound if getattr(options, key, None) != getattr(of_training, key, None)]
    if clash:
        log.warning("%s: the checkpoint was trained with another %s; the record says so", path, ", ".join(clash))
    return replace(method, options=options)


def activation_of(spec: BackboneSpec, taps: Taps) -> str:
    """Return the activation in the MLPs of the image encoder: the method's choice; `native` is that of the weights."""
    return spec.config.activation if taps.activation == "native" else taps.activation


def taps_of(setup: MethodSetup) -> Taps:
    """Return the blocks of the image encoder that the method reads, and how."""
    return taps_for(setup.method.card, setup.method.options)


def training_preprocessing(setup: MethodSetup) -> Preprocessing:
    """Return how training images are preprocessed: as the method says; support images as the protocol says."""
    return setup.protocol.preprocessing_of_supports if setup.on_supports else taps_of(setup).preprocessing

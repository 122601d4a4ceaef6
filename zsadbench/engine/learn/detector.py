"""Get the detector of a method: from a given checkpoint, from the cache of checkpoints, or by training."""

from __future__ import annotations

import json
import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import torch

from zsadbench.checkpoints import load_state, read_metadata
from zsadbench.clip import Backbone
from zsadbench.engine.encode.training_tokens import training_tokens
from zsadbench.engine.learn.epochs import FinishedEpochs, seeded
from zsadbench.engine.learn.keep import keep_checkpoint, only_trainer
from zsadbench.engine.learn.loop import DivergedError, OnStep, TrainingBatches, finite_state, fit
from zsadbench.engine.learn.one_pass import remember
from zsadbench.engine.machine.method_calls import call_method, what_is
from zsadbench.engine.machine.modes import evaluation_mode, training_mode
from zsadbench.engine.plan.cell import checkpoint_path, training_cell
from zsadbench.engine.plan.method_setup import MethodSetup, earlier_stage, taps_of
from zsadbench.engine.plan.trained_state import read_state
from zsadbench.errors import CellError, UsageError, WeightsError
from zsadbench.types import Method, OwnEncoding, Remembering, Taps, Trainable

if TYPE_CHECKING:
    from pathlib import Path

    from zsadbench.data import Dataset, LoadedBatch
    from zsadbench.types import Tokens

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Detector:
    """A method that is ready to score, the checkpoint of its trained parameters, and its training if there was one.

    `first_loss` and `last_loss` are None unless it was trained just now; `encoded` and `cached` count how often the
    training encoded an image, and how often it read its tokens from the cache. `checkpoint` is None where nothing was
    trained, or where the trained parameters could not be written; `about` has the settings of a training.
    `earlier_epochs` and `earlier_seconds` are those of processes that were interrupted in this training.
    """

    method: Method
    checkpoint: Path | None
    first_loss: float | None = None
    last_loss: float | None = None
    encoded: int = 0
    cached: int = 0
    about: Mapping[str, Any] = field(default_factory=dict)
    earlier_epochs: int = 0
    earlier_seconds: float = 0.0

    def take_parameters(self, other: Detector) -> None:
        """Take the trained parameters of another detector of the same method."""
        own, others = cast(Trainable, self.method), cast(Trainable, other.method)
        own.network.load_state_dict(others.network.state_dict())


def make_method(setup: MethodSetup, backbone: Backbone, seed: int) -> Method:
    """Build the method with initial values drawn under `seed`, its network in evaluation mode.

    Raises:
        CellError: building it fails, or makes no detector of the kind that its card promises.
        UsageError: an option does not fit the backbone.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        method = call_method(setup.name, "build", setup.method.card.build, backbone, setup.method.options)
    if not callable(getattr(method, "score", None)):
        raise CellError(f"'{setup.name}': build made {what_is(method)}, which has no method 'score'")
    own = taps_of(setup).own_encoding
    if own and not call_method(setup.name, "encode", isinstance, method, OwnEncoding):
        raise CellError(f"'{setup.name}' says that it encodes images itself, but its detector has no 'encode'")
    evaluation_mode(setup.name, method)
    return method


def train_or_load(
    setup: MethodSetup,
    backbone: Backbone,
    aux: Dataset | None,
    seed: int,
    *,
    workers: int,
    image_cache: int | None = None,
    token_cache: int = 0,
    co_trained: Sequence[Taps] = (),
    fresh: bool = False,
    on_step: OnStep = lambda done, total, loss, epochs: None,
) -> Detector:
    """Return the detector: from the given checkpoint, from the cache, or trained now and written into the cache.

    Processes that need the same checkpoint at the same time train it once: the others wait, and load it. A training
    that was interrupted goes on after its last finished epoch, and ends as if it had not been.

    Args:
        setup: of the method.
        backbone: the frozen encoders.
        aux: the auxiliary set, or the support images of one class (`Recipe.on_supports`); None leaves trained parts at
            their initial values.
        seed: decides the initial values and the order of the images.
        workers: threads that read images.
        image_cache: bytes that resized images may take on disk; None for no cache.
        token_cache: bytes that tokens of auxiliary sets may take on disk; 0 for no cache.
        co_trained: taps of methods that will learn from the same images; their tokens are cached as well.
        fresh: train from the beginning, even if the cache has the checkpoint; so is every stage of the training.
        on_step: called with (steps done, all steps, loss, all epochs), in every stage of the training.

    Raises:
        WeightsError: the checkpoint belongs to another method or another backbone.
        CellError: the method fails, a loss or a parameter is not finite, or tokens do not fit into half precision.
        DataError: an image of the auxiliary set cannot be read.
        UsageError: the method has a recipe but cannot be trained.
    """
    method = make_method(setup, backbone, seed)
    if setup.checkpoint is not None:
        load_checkpoint(setup, method, setup.checkpoint)
        return Detector(method, setup.checkpoint)
    if not setup.trains or aux is None:
        return Detector(method, None)
    path = checkpoint_path(setup, aux, seed)
    cell = training_cell(setup, aux, seed)
    finished = FinishedEpochs(path, setup.name, cell)
    with only_trainer(path, setup.name):
        if fresh:
            finished.remove()
        elif _load_from_cache(setup, method, path, cell):
            finished.remove()
            return Detector(method, path)
        trainable = _trainable(setup.name, method)
        earlier = earlier_stage(setup)
        if earlier is not None:  # trained, or loaded from its own checkpoint in the cache
            again = partial(train_or_load, workers=workers, image_cache=image_cache, fresh=fresh, on_step=on_step)
            first = again(earlier, backbone, aux, seed)
            trainable.network.load_state_dict(finite_state(setup.name, _trainable(setup.name, first.method)))
        batches = TrainingBatches(setup, aux, seed, workers, image_cache, pin=backbone.device.type == "cuda")
        tokens = training_tokens(setup, backbone, method, aux, cache_bytes=token_cache, co_trained=co_trained)
        with seeded(seed, backbone.device):
            state = _train(trainable, tokens, batches, on_step, finished)
        first_loss, last_loss = finished.first_loss, finished.last_loss
        about = cell | {"first_loss": first_loss, "last_loss": last_loss}
        kept = keep_checkpoint(path, state, setup.name, about)
        finished.remove()
    trained = Detector(method, path if kept else None, first_loss, last_loss, tokens.encoded, tokens.cached)
    return replace(trained, about=about, earlier_epochs=finished.epochs, earlier_seconds=finished.seconds)


def _train(
    method: Trainable,
    tokens: Callable[[LoadedBatch, torch.Tensor], Tokens],
    batches: TrainingBatches,
    on_step: OnStep,
    finished: FinishedEpochs,
) -> dict[str, torch.Tensor]:
    """Train, from the last finished epoch on, and return the trained state.

    Raises:
        CellError: as `fit` and `finite_state`; nothing is kept of a training that would end like this again.
    """
    name = batches.setup.name
    try:
        if batches.recipe.one_pass:
            (finished.last_loss,) = remember(method, tokens, batches, on_step)
            finished.first_loss = finished.last_loss
        else:
            with training_mode(method):
                deque(fit(method, tokens, batches, on_step, finished), maxlen=0)
        return finite_state(name, method)
    except DivergedError:
        finished.remove()
        raise


def _load_from_cache(setup: MethodSetup, method: Method, path: Path, cell: Mapping[str, Any]) -> bool:
    """Load the cached checkpoint of a training into the method; False if there is none that can be used."""
    try:
        if not path.is_file():
            return False
        _check_training(path, cell)
        load_checkpoint(setup, method, path)
    except (WeightsError, OSError) as failure:
        log.warning("the cached checkpoint cannot be used, so the method is trained again: %s", failure)
        return False
    return True


def _check_training(path: Path, cell: Mapping[str, Any]) -> None:
    """Check that a cached checkpoint comes from the training that its name stands for.

    Raises:
        WeightsError: it comes from another one, or does not say.
    """
    metadata = read_metadata(path)
    if metadata is None:
        raise WeightsError(f"{path} does not say which training it comes from")
    wanted: dict[str, Any] = json.loads(json.dumps(cell))
    other = [key for key, value in wanted.items() if metadata[1].get(key) != value]
    if other:
        raise WeightsError(f"{path} comes from another training: it differs in {', '.join(other)}")


def load_checkpoint(setup: MethodSetup, method: Method, path: Path) -> None:
    """Load a checkpoint into the method: one that zsadbench wrote, or the method's published one.

    Raises:
        WeightsError: the file is unreadable, unsafe, damaged, or belongs to another method or another backbone.
        CellError: the method fails to take the parameters.
    """
    trainable, state = _trainable(setup.name, method), read_state(setup.method.card, path)
    call_method(setup.name, "network", lambda: load_state(trainable.network, state, f"checkpoint '{path}'"))
    evaluation_mode(setup.name, method)


def _trainable(name: str, method: Method) -> Trainable:
    if not call_method(name, "network", isinstance, method, (Trainable, Remembering)):
        raise UsageError(f"'{name}' has a recipe, but its detector {type(method).__name__} lacks 'network' or 'loss'")
    return cast(Trainable, method)

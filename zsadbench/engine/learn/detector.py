"""Get the detector of a method: from a given checkpoint, from the cache of checkpoints, or by training."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from zsadbench.checkpoints import load_state, write_checkpoint
from zsadbench.clip import Backbone
from zsadbench.engine.encode.training_tokens import TrainingTokens
from zsadbench.engine.learn.loop import TrainingBatches, fit
from zsadbench.engine.plan.cell import checkpoint_path, training_cell
from zsadbench.engine.plan.method_setup import MethodSetup
from zsadbench.engine.plan.trained_state import read_state
from zsadbench.errors import UsageError, WeightsError
from zsadbench.types import Method, Taps, Trainable

if TYPE_CHECKING:
    from pathlib import Path

    from zsadbench.data import Dataset

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Detector:
    """A method that is ready to score, the checkpoint of its trained parameters, and its training if there was one.

    `first_loss` and `last_loss` are None unless it was trained just now; `encoded` and `cached` count how often the
    training encoded an image, and how often it read its tokens from the cache.
    """

    method: Method
    checkpoint: Path | None
    first_loss: float | None = None
    last_loss: float | None = None
    encoded: int = 0
    cached: int = 0


def make_method(setup: MethodSetup, backbone: Backbone, seed: int) -> Method:
    """Build the method with initial values drawn under `seed`."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return setup.method.card.build(backbone, setup.method.options)


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
    on_step: Callable[[int, int, float], None] = lambda done, total, loss: None,
) -> Detector:
    """Return the detector: from the given checkpoint, from the cache, or trained now and written into the cache.

    Args:
        setup: of the method.
        backbone: the frozen encoders.
        aux: the auxiliary set; None leaves trained parts at their initial values.
        seed: decides the initial values and the order of the images.
        workers: threads that read images.
        image_cache: bytes that resized images may take on disk; None for no cache.
        token_cache: bytes that tokens of auxiliary sets may take on disk; 0 for no cache.
        co_trained: taps of methods that will learn from the same images; their tokens are cached as well.
        fresh: train even if the cache has the checkpoint.
        on_step: called with (steps done, all steps, loss).

    Raises:
        WeightsError: the checkpoint belongs to another method or another backbone.
        CellError: the loss is not finite, or tokens do not fit into half precision.
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
    if not fresh and _load_from_cache(setup, method, path):
        return Detector(method, path)
    trainable = _trainable(method)
    batches = TrainingBatches(setup, aux, seed, workers, image_cache, pin=backbone.device.type == "cuda")
    tokens = TrainingTokens.of(setup, backbone, aux, token_cache, co_trained)
    losses = list(fit(trainable, tokens, batches, on_step))
    about = training_cell(setup, aux, seed) | {"first_loss": losses[0], "last_loss": losses[-1]}
    write_checkpoint(path, trainable.network.state_dict(), setup.name, about)
    return Detector(method, path, losses[0], losses[-1], tokens.encoded, tokens.cached)


def _load_from_cache(setup: MethodSetup, method: Method, path: Path) -> bool:
    """Load a cached checkpoint into the method; False if there is none that can be used."""
    if not path.is_file():
        return False
    try:
        load_checkpoint(setup, method, path)
    except WeightsError as failure:
        log.warning("the cached checkpoint cannot be used, so the method is trained again: %s", failure)
        return False
    return True


def load_checkpoint(setup: MethodSetup, method: Method, path: Path) -> None:
    """Load a checkpoint into the method: one that zsadbench wrote, or the method's published one.

    Raises:
        WeightsError: the file is unreadable, unsafe, or belongs to another method or another backbone.
    """
    load_state(_trainable(method).network, read_state(setup.method.card, path), f"checkpoint '{path}'")


def _trainable(method: Method) -> Trainable:
    if not isinstance(method, Trainable):
        raise UsageError(f"{type(method).__name__} has a recipe but neither 'network' nor 'loss'")
    return method

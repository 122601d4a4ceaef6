"""The training loop: frozen tower, trained head, the paper's recipe; checkpoints are cached by what made them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from zsadbench.checkpoints import load_state, write_checkpoint
from zsadbench.clip import Backbone
from zsadbench.engine.encode.token_cache import TokenCache
from zsadbench.engine.encode.towers import DTYPES
from zsadbench.engine.encode.training_tokens import FrozenTokens
from zsadbench.engine.learn.loop import Steps, fit
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
class Trained:
    """A detector ready to score, where its parameters came from, and its losses if it was trained just now.

    `encoded` and `remembered` count how often the training ran the tower on an image, and how often it did not need to.
    """

    method: Method
    checkpoint: Path | None
    first_loss: float | None = None
    last_loss: float | None = None
    encoded: int = 0
    remembered: int = 0


def make_method(setup: MethodSetup, backbone: Backbone, seed: int) -> Method:
    """Build the detector with its initial values drawn under `seed`."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return setup.method.card.build(backbone, setup.method.options)


def obtain(
    setup: MethodSetup,
    backbone: Backbone,
    aux: Dataset | None,
    seed: int,
    *,
    workers: int,
    image_cache: int | None = None,
    token_cache: int = 0,
    also: Sequence[Taps] = (),
    fresh: bool = False,
    on_step: Callable[[int, int, float], None] = lambda done, total, loss: None,
) -> Trained:
    """Return the trained detector: from the given checkpoint, from the cache, or by training now.

    Args:
        setup: the method and all that is fixed over a run.
        backbone: the frozen towers.
        aux: what to learn from; None leaves trained parts at their initial values.
        seed: initial values and order of the images.
        workers: threads that read images.
        image_cache: bytes that resized images may take on disk; None keeps none.
        token_cache: bytes that tokens of `aux` may take on disk; 0 keeps none.
        also: taps of methods that will learn from the same tokens: encoded along.
        fresh: train even where the cache has the checkpoint.
        on_step: called with (steps done, steps in all, loss).

    Raises:
        WeightsError: the checkpoint is another method's or another backbone's.
        CellError: the loss is not finite.
        DataError: an image of the auxiliary set cannot be read.
    """
    method = make_method(setup, backbone, seed)
    if setup.checkpoint is not None:
        load_checkpoint(setup, method, setup.checkpoint)
        return Trained(method, setup.checkpoint)
    if not setup.trains or aux is None:
        return Trained(method, None)
    path = checkpoint_path(setup, aux, seed)
    if not fresh and _from_cache(setup, method, path):
        return Trained(method, path)
    steps = Steps(setup, aux, seed, workers, image_cache, pin=backbone.device.type == "cuda")
    return _learnt(method, frozen_tokens(setup, backbone, aux, token_cache, also), steps, path, on_step)


def _learnt(
    method: Method, tokens: FrozenTokens, steps: Steps, path: Path, on_step: Callable[[int, int, float], None]
) -> Trained:
    """Train over all steps, and put what came of it into the cache."""
    losses = list(fit(_trainable(method), tokens, steps, steps.setup, on_step))
    about = training_cell(steps.setup, steps.aux, steps.seed) | {"first_loss": losses[0], "last_loss": losses[-1]}
    write_checkpoint(path, _trainable(method).network.state_dict(), steps.setup.name, about)
    return Trained(method, path, losses[0], losses[-1], tokens.encoded, tokens.remembered)


def frozen_tokens(
    setup: MethodSetup, backbone: Backbone, aux: Dataset, room: int, also: Sequence[Taps]
) -> FrozenTokens:
    """Where the training gets its tokens."""
    cache = TokenCache.for_training(setup, aux, backbone.device, room)
    precision = DTYPES[setup.precision]
    tokens = FrozenTokens(setup, aux, lambda images, taps: backbone.vision(images, taps, precision), cache, also)
    tokens.announce(f"{setup.name} on {aux.card.name}", room)
    return tokens


def _from_cache(setup: MethodSetup, method: Method, path: Path) -> bool:
    if not path.is_file():
        return False
    try:
        load_checkpoint(setup, method, path)
    except WeightsError as failure:
        log.warning("cached checkpoint is not usable and is made anew: %s", failure)
        return False
    return True


def load_checkpoint(setup: MethodSetup, method: Method, path: Path) -> None:
    """Load a checkpoint, ours or published, into the method."""
    load_state(_trainable(method).network, read_state(setup.method.card, path), f"checkpoint '{path}'")


def _trainable(method: Method) -> Trainable:
    if not isinstance(method, Trainable):
        raise UsageError(f"{type(method).__name__} has a recipe but neither 'network' nor 'loss'")
    return method

"""The training loop: batches of the auxiliary set → frozen tokens → loss of the method → one optimiser step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import cos, pi
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from zsadbench.checkpoints import first_not_finite
from zsadbench.data import TensorCache, batches
from zsadbench.engine.learn.epochs import FinishedEpochs, Training
from zsadbench.engine.learn.mosaics import draw_mosaics
from zsadbench.engine.machine.method_calls import call_method, checked_losses, checked_network
from zsadbench.engine.plan.method_setup import MethodSetup, training_preprocessing
from zsadbench.errors import CellError
from zsadbench.types import Augmenting, Batch, Losses, Recipe, Staged, Tokens, Trainable

if TYPE_CHECKING:
    import pandas as pd

    from zsadbench.data import Dataset, LoadedBatch
    from zsadbench.data.loading.batches import MaskRule


MASKS: dict[str, MaskRule] = {
    "nonzero-bilinear-half": "training",
    "nonzero-bicubic-grey": "training-grey",
    "nonzero-nearest": "training-nearest",
}
ADAM: dict[str, type[torch.optim.Adam]] = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
OnStep = Callable[[int, int, float, int], None]  # steps done, all steps, loss, all epochs
SMALLER = "nothing is kept of this training; a smaller recipe.lr may help"


class DivergedError(CellError):
    """A loss or a parameter is not finite: the same training would end like this again."""


@dataclass(frozen=True)
class TrainingBatches:
    """The batches of a whole training; each epoch has its own order of the images, decided by `seed` and epoch.

    `pin` puts the images into page-locked memory. `first_epoch`, counted from 0, is the one that it begins with.
    """

    setup: MethodSetup
    aux: Dataset
    seed: int
    workers: int
    image_cache: int | None
    pin: bool
    first_epoch: int = 0

    @property
    def recipe(self) -> Recipe:
        """The recipe on this auxiliary set."""
        return self.setup.method.recipe_on(self.aux.card.name)

    @property
    def epochs(self) -> int:
        """The number of epochs on this auxiliary set."""
        return self.setup.epochs_on(self.aux.card.name)

    def __len__(self) -> int:
        return self.epochs * self.per_epoch

    @property
    def per_epoch(self) -> int:
        """The number of batches in an epoch."""
        return -(-len(self.aux.manifest) // self.recipe.batch)

    def __iter__(self) -> Iterator[LoadedBatch]:
        preprocessing, size = training_preprocessing(self.setup), self.setup.image_size
        cache = TensorCache.for_set(self.aux, size, preprocessing, self.image_cache)
        manifest = permute_labels(self.aux.manifest, self.seed) if self.recipe.permuted else self.aux.manifest
        for epoch in range(self.first_epoch, self.epochs):
            yield from batches(
                manifest,
                size=size,
                preprocessing=preprocessing,
                pixels=self.setup.spec.config.pixels,
                masks=MASKS[self.recipe.mask],
                batch_size=self.recipe.batch,
                workers=self.workers,
                order=np.random.default_rng([self.seed, epoch]).permutation(len(self.aux.manifest)),
                cache=cache,
                pin=self.pin,
                files=self.aux.files,
                mosaics=draw_mosaics(manifest, self.recipe.mosaic, np.random.default_rng([self.seed, epoch, 1])),
            )


def permute_labels(manifest: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Return the manifest with masks, labels and defects permuted together over the images.

    A control: nothing can be learned from such a set.
    """
    order = np.random.default_rng([seed, len(manifest)]).permutation(len(manifest))
    return manifest.assign(**{name: manifest[name].to_numpy()[order] for name in ("mask", "label", "defect")})


def fit(
    method: Trainable,
    tokens: Callable[[LoadedBatch, torch.Tensor], Tokens],
    training_batches: TrainingBatches,
    on_step: OnStep,
    finished: FinishedEpochs | None = None,
) -> Iterator[float]:
    """Train on all batches and yield the total loss before each step, but of epochs that were finished before.

    Args:
        method: is trained in place.
        tokens: returns the tokens of a loaded batch and its images on the device.
        training_batches: of the whole training.
        on_step: called with (steps done, all steps, loss, all epochs).
        finished: keeps the state after each epoch, and has that of a process that was interrupted; None keeps nothing.

    Raises:
        CellError: the method fails, a loss or a parameter is not finite, or tokens do not fit into half precision.
        DataError: an image cannot be read.
    """
    name, aux, recipe = training_batches.setup.name, training_batches.aux, training_batches.recipe
    begin_stage(name, method, recipe)
    network = checked_network(name, method)
    optimiser = make_optimiser(method, recipe)
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimiser, list(recipe.halve_at), gamma=0.5)
    training = Training(network, optimiser, schedule)
    if finished is not None:
        finished.load(training)
    first = finished.epochs if finished is not None else 0
    words, classes = aux.card.words(name), aux.manifest["class"].tolist()
    device, per_epoch = next(network.parameters()).device, training_batches.per_epoch
    for number, loaded in enumerate(replace(training_batches, first_epoch=first), start=first * per_epoch + 1):
        set_learning_rate(optimiser, recipe, epoch=(number - 1) // per_epoch, epochs=training_batches.epochs)
        batch = as_batch(loaded, tuple(words[classes[row]] for row in loaded.rows), device)
        batch = augmented(name, method, batch, (training_batches.seed, number))
        loss = step(method, tokens(loaded, batch.images), batch, optimiser, name=name, number=number)
        schedule.step()
        _check_parameters(name, network, number)
        if finished is not None:
            finished.step(training, loss, number, per_epoch)
        on_step(number, len(training_batches), loss, training_batches.epochs)
        yield loss


def begin_stage(name: str, method: Trainable, recipe: Recipe) -> None:
    """Prepare a detector for the training stage of a recipe, if its training has several.

    Raises:
        CellError: the method fails, or has no stages.
    """
    if not recipe.stage:
        return
    if not isinstance(method, Staged):
        raise CellError(f"'{name}' has a recipe with the stage '{recipe.stage}', but its detector has no 'begin_stage'")
    call_method(name, "begin_stage", method.begin_stage, recipe.stage)


def augmented(name: str, method: Trainable, batch: Batch, seed: tuple[int, int]) -> Batch:
    """Return the batch as the method transforms it for training under a seed; unchanged without `augment`.

    Raises:
        CellError: the method fails.
    """
    if not isinstance(method, Augmenting):
        return batch
    generator = torch.Generator().manual_seed(int(np.random.default_rng(seed).integers(2**63)))
    return call_method(name, "augment", method.augment, batch, generator)


def make_optimiser(method: Trainable, recipe: Recipe) -> torch.optim.Optimizer:
    """Make the recipe's optimiser for every parameter that requires a gradient."""
    parameters = [parameter for parameter in method.network.parameters() if parameter.requires_grad]
    settings: dict[str, Any] = {"lr": recipe.lr, "weight_decay": recipe.weight_decay}
    if recipe.optimiser == "sgd":
        return torch.optim.SGD(parameters, momentum=recipe.momentum, **settings)
    return ADAM[recipe.optimiser](parameters, betas=recipe.betas, **settings)


def set_learning_rate(optimiser: torch.optim.Optimizer, recipe: Recipe, *, epoch: int, epochs: int = 1) -> None:
    """Set the learning rate of an epoch, counted from 0, of so many `epochs`."""
    rate = recipe.lr / (epoch + 1)
    if recipe.cosine_to is not None:
        rate = recipe.cosine_to + (recipe.lr - recipe.cosine_to) * (1 + cos(pi * epoch / epochs)) / 2
    if recipe.lr_by_epoch or recipe.cosine_to is not None:
        for group in optimiser.param_groups:
            group["lr"] = rate


def as_batch(loaded: LoadedBatch, class_words: tuple[str, ...], device: torch.device) -> Batch:
    """Put a loaded batch on the device, its masks as float32 from 0 to 1."""
    masks = torch.from_numpy(np.asarray(loaded.masks, dtype=np.float32))
    labels = torch.from_numpy(loaded.labels)
    return Batch(loaded.images.to(device, non_blocking=True), masks.to(device), labels.to(device), class_words)


def step(
    method: Trainable,
    tokens: Tokens,
    batch: Batch,
    optimiser: torch.optim.Optimizer,
    *,
    name: str = "",
    number: int = 1,
) -> float:
    """Take one optimiser step and return the total loss before it.

    Args:
        method: is trained in place.
        tokens: of the batch.
        batch: images, masks and labels.
        optimiser: of the parameters.
        name: of the method, for messages.
        number: of the step, for messages.

    Raises:
        CellError: the method fails, or the loss is not finite.
    """
    name, of = name or type(method).__name__, f" in step {number}"
    losses = checked_losses(name, call_method(name, "loss", method.loss, tokens, batch, of=of), of)
    loss = call_method(name, "loss", _go_back, losses, optimiser, of=of)
    if not np.isfinite(loss):
        bad = next((term for term, value in losses.items() if not bool(torch.as_tensor(value).isfinite())), "total")
        raise DivergedError(f"{name}: the loss '{bad}' is not finite at step {number}; {SMALLER}")
    call_method(name, "the optimiser", _go_down, optimiser, f"{name}: step {number} overflows; {SMALLER}", of=of)
    return loss


def _go_back(losses: Losses, optimiser: torch.optim.Optimizer) -> float:
    """Compute the gradients of the sum of the losses, and return the sum."""
    total: Any = sum(losses.values())
    optimiser.zero_grad(set_to_none=True)
    total.backward()
    return float(total.detach())


def _go_down(optimiser: torch.optim.Optimizer, overflow: str) -> None:
    """Take one step; where PyTorch finds that a number is too large for it, raise a `DivergedError` with this text."""
    try:
        optimiser.step()
    except RuntimeError as failure:
        if "overflow" in str(failure):
            raise DivergedError(overflow) from failure
        raise


def _check_parameters(name: str, network: torch.nn.Module, number: int) -> None:
    """Check that a step left all trained parameters finite; the device is waited for once.

    Raises:
        CellError: one is not.
    """
    trained = {key: parameter.detach() for key, parameter in network.named_parameters() if parameter.requires_grad}
    if bool(torch.stack([parameter.isfinite().all() for parameter in trained.values()]).all()):
        return
    raise DivergedError(f"{name}: '{first_not_finite(trained)}' is not finite after step {number}; {SMALLER}")


def _state_of(method: Trainable) -> dict[str, Any]:
    """Return the state dict of the trained part."""
    return dict(method.network.state_dict())


def finite_state(name: str, method: Trainable) -> dict[str, torch.Tensor]:
    """Return the state dict of the trained part after the last step.

    Raises:
        CellError: the method fails, or an entry is no finite tensor.
    """
    state = call_method(name, "network", _state_of, method)
    odd = next((key for key, value in state.items() if not isinstance(value, torch.Tensor)), None)
    if odd is not None:
        raise CellError(f"{name}: '{odd}' in the state of its network is no tensor, so no checkpoint can hold it")
    bad = first_not_finite(state)
    if bad is not None:
        raise DivergedError(f"{name}: '{bad}' is not finite after the last step; {SMALLER}")
    return state

"""The training loop: batches of the auxiliary set, the frozen encoder, the trained head, the paper's recipe."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from zsadbench.data import TensorCache, batches
from zsadbench.engine.encode.training_tokens import FrozenTokens
from zsadbench.engine.plan.method_setup import MethodSetup
from zsadbench.errors import CellError
from zsadbench.types import Batch, Recipe, Tokens, Trainable

if TYPE_CHECKING:
    import pandas as pd

    from zsadbench.data import Dataset, LoadedBatch
    from zsadbench.data.loading.batches import MaskRule


MASKS: dict[str, MaskRule] = {"nonzero-bilinear-half": "training", "nonzero-bicubic-grey": "training-grey"}
OPTIMISERS: dict[str, type[torch.optim.Adam]] = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}


@dataclass(frozen=True)
class Steps:
    """The batches of a whole training, epoch after epoch, each in its own seeded order."""

    setup: MethodSetup
    aux: Dataset
    seed: int
    workers: int
    image_cache: int | None
    pin: bool

    @property
    def recipe(self) -> Recipe:
        """The recipe on this auxiliary set."""
        return self.setup.method.recipe_on(self.aux.card.name)

    @property
    def epochs(self) -> int:
        """Epochs on it."""
        return self.setup.epochs_on(self.aux.card.name)

    def __len__(self) -> int:
        return self.epochs * -(-len(self.aux.manifest) // self.recipe.batch)

    def __iter__(self) -> Iterator[LoadedBatch]:
        taps, size = self.setup.method.card.taps(self.setup.method.options), self.setup.image_size
        cache = TensorCache.for_set(self.aux, size, taps.preprocessing, self.image_cache)
        manifest = permuted(self.aux.manifest, self.seed) if self.recipe.permuted else self.aux.manifest
        for epoch in range(self.epochs):
            order = np.random.default_rng([self.seed, epoch]).permutation(len(self.aux.manifest))
            yield from batches(
                manifest,
                size=size,
                preprocessing=taps.preprocessing,
                masks=MASKS[self.recipe.mask],
                batch_size=self.recipe.batch,
                workers=self.workers,
                order=order,
                cache=cache,
                pin=self.pin,
            )


def permuted(manifest: pd.DataFrame, seed: int) -> pd.DataFrame:
    """The manifest with masks and labels dealt out anew between the images: a control that nothing can be learned."""
    order = np.random.default_rng([seed, len(manifest)]).permutation(len(manifest))
    dealt = {name: manifest[name].to_numpy()[order] for name in ("mask", "label", "defect")}
    return manifest.assign(**dealt)


def fit(
    method: Trainable,
    tokens: FrozenTokens,
    steps: Steps,
    setup: MethodSetup,
    on_step: Callable[[int, int, float], None],
) -> Iterator[float]:
    """Train over all steps and yield the total loss before each of them."""
    optimiser = make_optimiser(method, steps.recipe)
    words = steps.aux.card.words(setup.name)
    names = steps.aux.manifest["class"].tolist()
    device = next(method.network.parameters()).device
    for number, loaded in enumerate(steps, start=1):
        classes = tuple(words[names[row]] for row in loaded.rows)
        batch = as_batch(loaded, classes, device)
        loss = step(method, tokens(loaded, batch.images), batch, optimiser)
        if not np.isfinite(loss):
            raise CellError(f"{setup.name}: the loss is {loss} at step {number}; a smaller recipe.lr may help")
        on_step(number, len(steps), loss)
        yield loss


def make_optimiser(method: Trainable, recipe: Recipe) -> torch.optim.Optimizer:
    """The recipe's optimiser over every parameter that asks for a gradient."""
    wanted = [parameter for parameter in method.network.parameters() if parameter.requires_grad]
    made = OPTIMISERS[recipe.optimiser]
    return made(wanted, lr=recipe.lr, betas=recipe.betas, weight_decay=recipe.weight_decay)


def as_batch(loaded: LoadedBatch, class_names: tuple[str, ...], device: torch.device) -> Batch:
    """A loaded batch on the device, its masks as floats from 0 to 1."""
    masks = torch.from_numpy(np.asarray(loaded.masks, dtype=np.float32))
    labels = torch.from_numpy(loaded.labels)
    return Batch(loaded.images.to(device, non_blocking=True), masks.to(device), labels.to(device), class_names)


def step(method: Trainable, tokens: Tokens, batch: Batch, optimiser: torch.optim.Optimizer) -> float:
    """One optimiser step; returns the total loss before it."""
    total: Any = sum(method.loss(tokens, batch).values())
    optimiser.zero_grad(set_to_none=True)
    total.backward()
    optimiser.step()
    return float(total.detach())

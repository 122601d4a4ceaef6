"""The training loop: frozen tower, trained head, the paper's recipe; checkpoints are cached by what made them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from zsadbench.checkpoints import load_state, write_checkpoint
from zsadbench.clip import Backbone, build, cache_folder
from zsadbench.data import TensorCache, batches
from zsadbench.engine.cells import Setting, training_cell
from zsadbench.engine.states import read_state
from zsadbench.engine.token_cache import TokenCache
from zsadbench.engine.tokens import FrozenTokens
from zsadbench.errors import CellError, UsageError, WeightsError
from zsadbench.records import identity, safe_name
from zsadbench.types import Batch, Method, Recipe, Taps, Tokens, Trainable

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from zsadbench.data import Dataset, LoadedBatch
    from zsadbench.data.loading import MaskRule

log = logging.getLogger(__name__)

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
MASKS: dict[str, MaskRule] = {"nonzero-bilinear-half": "training", "nonzero-bicubic-grey": "training-grey"}
OPTIMISERS: dict[str, type[torch.optim.Adam]] = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}


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


def build_towers(setting: Setting, device: torch.device) -> Backbone:
    """The frozen towers as the method of `setting` wants them."""
    taps = setting.method.card.taps(setting.method.options)
    return build(
        setting.spec,
        setting.image_size,
        activation=taps.activation,
        position=taps.position,
        device=device,
        compiling=setting.compiling,
        precision=DTYPES[setting.precision],
    )


def make_method(setting: Setting, backbone: Backbone, seed: int) -> Method:
    """Build the detector with its initial values drawn under `seed`."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return setting.method.card.build(backbone, setting.method.options)


def checkpoint_path(setting: Setting, aux: Dataset, seed: int) -> Path:
    """Where the cache keeps what this training makes."""
    key = identity(training_cell(setting, aux, seed))[:16]
    return cache_folder() / "checkpoints" / safe_name(setting.name) / f"{key}.safetensors"


def obtain(
    setting: Setting,
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
        setting: the method and all that is fixed over a run.
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
    method = make_method(setting, backbone, seed)
    if setting.checkpoint is not None:
        load_checkpoint(setting, method, setting.checkpoint)
        return Trained(method, setting.checkpoint)
    if not setting.trains or aux is None:
        return Trained(method, None)
    path = checkpoint_path(setting, aux, seed)
    if not fresh and _from_cache(setting, method, path):
        return Trained(method, path)
    steps = Steps(setting, aux, seed, workers, image_cache, pin=backbone.device.type == "cuda")
    return _learnt(method, frozen_tokens(setting, backbone, aux, token_cache, also), steps, path, on_step)


def _learnt(
    method: Method, tokens: FrozenTokens, steps: Steps, path: Path, on_step: Callable[[int, int, float], None]
) -> Trained:
    """Train over all steps, and put what came of it into the cache."""
    losses = list(fit(_trainable(method), tokens, steps, steps.setting, on_step))
    about = training_cell(steps.setting, steps.aux, steps.seed) | {"first_loss": losses[0], "last_loss": losses[-1]}
    write_checkpoint(path, _trainable(method).network.state_dict(), steps.setting.name, about)
    return Trained(method, path, losses[0], losses[-1], tokens.encoded, tokens.remembered)


def frozen_tokens(setting: Setting, backbone: Backbone, aux: Dataset, room: int, also: Sequence[Taps]) -> FrozenTokens:
    """Where the training gets its tokens."""
    cache = TokenCache.for_training(setting, aux, backbone.device, room)
    precision = DTYPES[setting.precision]
    tokens = FrozenTokens(setting, aux, lambda images, taps: backbone.vision(images, taps, precision), cache, also)
    tokens.announce(f"{setting.name} on {aux.card.name}", room)
    return tokens


def _from_cache(setting: Setting, method: Method, path: Path) -> bool:
    if not path.is_file():
        return False
    try:
        load_checkpoint(setting, method, path)
    except WeightsError as failure:
        log.warning("cached checkpoint is not usable and is made anew: %s", failure)
        return False
    return True


def load_checkpoint(setting: Setting, method: Method, path: Path) -> None:
    """Load a checkpoint, ours or published, into the method."""
    load_state(_trainable(method).network, read_state(setting.method.card, path), f"checkpoint '{path}'")


def _trainable(method: Method) -> Trainable:
    if not isinstance(method, Trainable):
        raise UsageError(f"{type(method).__name__} has a recipe but neither 'network' nor 'loss'")
    return method


@dataclass(frozen=True)
class Steps:
    """The batches of a whole training, epoch after epoch, each in its own seeded order."""

    setting: Setting
    aux: Dataset
    seed: int
    workers: int
    image_cache: int | None
    pin: bool

    @property
    def recipe(self) -> Recipe:
        """The recipe on this auxiliary set."""
        return self.setting.method.recipe_on(self.aux.card.name)

    @property
    def epochs(self) -> int:
        """Epochs on it."""
        return self.setting.epochs_on(self.aux.card.name)

    def __len__(self) -> int:
        return self.epochs * -(-len(self.aux.manifest) // self.recipe.batch)

    def __iter__(self) -> Iterator[LoadedBatch]:
        taps, size = self.setting.method.card.taps(self.setting.method.options), self.setting.image_size
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
    setting: Setting,
    on_step: Callable[[int, int, float], None],
) -> Iterator[float]:
    """Train over all steps and yield the total loss before each of them."""
    optimiser = make_optimiser(method, steps.recipe)
    words = steps.aux.card.words(setting.name)
    names = steps.aux.manifest["class"].tolist()
    device = next(method.network.parameters()).device
    for number, loaded in enumerate(steps, start=1):
        classes = tuple(words[names[row]] for row in loaded.rows)
        batch = as_batch(loaded, classes, device)
        loss = step(method, tokens(loaded, batch.images), batch, optimiser)
        if not np.isfinite(loss):
            raise CellError(f"{setting.name}: the loss is {loss} at step {number}; a smaller recipe.lr may help")
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

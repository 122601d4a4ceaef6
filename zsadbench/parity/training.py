"""What training gives in a fixture: losses, gradient norms, and the losses over three optimiser steps."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from zsadbench.engine.learn.loop import begin_stage, make_optimiser, set_learning_rate
from zsadbench.errors import UsageError
from zsadbench.parity.names import of_stage, of_variant
from zsadbench.types import Batch, Losses, LossTraceable, Recipe, Tokens, Traceable, Trainable, Variant

if TYPE_CHECKING:
    from torch import Tensor

    from zsadbench.engine.plan.options import ConfiguredMethod
    from zsadbench.parity.fixture import Array, Fixture

STEPS = 3  # optimiser steps
OF_STEPS = "train_"  # before a stage of the passes behind `loss_curve`

Encode = Callable[["Tensor", Sequence[str]], Tokens]


def _single(batch: Batch, row: int) -> Batch:
    """Return one image of a batch as a batch."""
    rows = slice(row, row + 1)
    return Batch(batch.images[rows], batch.masks[rows], batch.labels[rows], batch.class_names[rows])


def _cosine(schedule: str) -> dict[str, Any]:
    """Read a cosine schedule, one step per epoch, into fields of a recipe; empty for none.

    >>> _cosine("cosine, T_max 100, eta_min 1e-5, one step per epoch")
    {'epochs_else': 100, 'cosine_to': 1e-05}
    """
    found = re.search(r"cosine, T_max (\d+), eta_min ([\d.e+-]+)", schedule)
    return {"epochs_else": int(found[1]), "cosine_to": float(found[2])} if found else {}


def normal_batch(images: Tensor, class_name: str) -> Batch:
    """Return normal images of one class as a batch."""
    masks, labels = torch.zeros(len(images), *images.shape[2:]), torch.zeros(len(images), dtype=torch.int64)
    return Batch(images, masks, labels, (class_name,) * len(images))


def _total(parts: Losses) -> Any:
    """Add up the parts of a loss."""
    return sum(parts.values())


def to_numpy(tensor: Any) -> Array:
    """Return a tensor as a float32 array on the host."""
    return np.asarray(tensor.detach().float().cpu().numpy())


@dataclass
class TrainingRun:
    """The training of one fixture, recomputed by a method with certain options, in a variant of the fixture."""

    fixture: Fixture
    method: ConfiguredMethod
    variant: Variant

    def learn(self, detector: Trainable, encode: Encode, batch: Batch, tokens: Tokens) -> dict[str, Array]:
        """Compute what training gives: of the whole batch, or of every image as a batch of its own.

        The latter is for fixtures that name the image of gradients and optimiser steps, `training.image`.
        """
        row = self.fixture.about["training"].get("image")
        if row is None:
            own = self.method.card.taps(self.method.options).own_encoding
            return self._stages_of_training(detector, encode if own else lambda *_: tokens, batch)
        singles = [_single(batch, other) for other in range(len(batch.images))]
        losses: list[dict[str, Array]] = []
        with torch.no_grad():
            for single in singles:
                parts = detector.loss(encode(single.images, single.class_names), single)
                losses.append({name: to_numpy(part) for name, part in {**parts, "total": _total(parts)}.items()})
        produced = dict(self._training(detector, encode, singles[row], self._recipe()))
        return produced | {f"loss_{name}": np.stack([one[name] for one in losses]) for name in losses[0]}

    def _stages_of_training(self, detector: Trainable, encode: Encode, batch: Batch) -> dict[str, Array]:
        """Compute what training gives, stage by stage, each from the stored parameters."""
        stored, recipe = copy.deepcopy(detector.network.state_dict()), self.method.recipe
        produced: dict[str, Array] = {}
        while recipe is not None:
            begin_stage(self.method.card.name, detector, recipe)
            tensors = self._training(detector, encode, batch, self._recipe(recipe))
            for name, tensor in tensors:
                produced |= dict.fromkeys((of_stage(name, recipe.stage), of_variant(name, recipe.stage)), tensor)
            detector.network.load_state_dict(stored)
            detector.network.zero_grad(set_to_none=True)
            recipe = recipe.before
        return produced

    def _training(
        self, detector: Trainable, encode: Encode, batch: Batch, recipe: Recipe
    ) -> Iterator[tuple[str, Array]]:
        """Compute loss parts and gradient norms at the stored parameters, then the loss over three steps."""
        optimiser = make_optimiser(detector, recipe)
        tokens = encode(batch.images, batch.class_names)
        passes = [self._stages_of_step(detector, tokens, batch)]
        parts = detector.loss(tokens, batch)
        total = _total(parts)
        if isinstance(detector, LossTraceable):
            with torch.no_grad():
                yield from ((name, to_numpy(stage)) for name, stage in detector.loss_stages(tokens, batch).items())
        for name, part in {**parts, "total": total}.items():
            yield f"loss_{name}", to_numpy(part)
        total.backward()
        yield from self._gradient_norms(detector)
        curve = [total.detach()]
        for done in range(STEPS):
            set_learning_rate(optimiser, recipe, epoch=done, epochs=recipe.epochs_else)
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
            tokens = encode(batch.images, batch.class_names)
            passes.append(self._stages_of_step(detector, tokens, batch))
            loss = _total(detector.loss(tokens, batch))
            loss.backward()
            curve.append(loss.detach())
        yield from ((name, np.concatenate([stages[name] for stages in passes])) for name in passes[0])
        yield "loss_curve", to_numpy(torch.stack(curve))
        yield "loss_after_3_steps", to_numpy(curve[-1])

    def _stages_of_step(self, detector: Trainable, tokens: Tokens, batch: Batch) -> dict[str, Array]:
        """Compute the stages that `expected` holds as `train_STAGE`, of one of the passes behind `loss_curve`."""
        wanted = [name for name in self.fixture.tensors("expected.safetensors") if name.startswith(OF_STEPS)]
        if not wanted or not isinstance(detector, Traceable):
            return {}
        with torch.no_grad():
            stages = detector.stages(tokens, batch.class_names)
        return {name: to_numpy(stages[stage]) for name in wanted if (stage := name.removeprefix(OF_STEPS)) in stages}

    def _recipe(self, recipe: Recipe | None = None) -> Recipe:
        """Return the recipe of a stage, by default of the last, with the optimiser of the fixture."""
        recipe, training = recipe or self.method.recipe, self.fixture.about["training"]
        if recipe is not None and recipe.stage:
            training = training.get(f"{recipe.stage}_stage", training)
        if recipe is None:
            raise UsageError(f"the fixture trains, but '{self.method.card.name}' has no recipe")
        return replace(
            recipe,
            optimiser=training["optimiser"].lower(),
            lr=training["lr"] if self.variant.lr is None else self.variant.lr,
            betas=tuple(training.get("betas", recipe.betas)),
            momentum=training.get("momentum", recipe.momentum),
            weight_decay=training.get("weight_decay", recipe.weight_decay),
            **_cosine(training.get("schedule", "")),
        )

    def _gradient_norms(self, detector: Trainable) -> Iterator[tuple[str, Array]]:
        """Compute the L2 norm of every gradient, by the published name of the tensor."""
        official = self.method.card.official
        parameters = dict(detector.network.named_parameters())
        for published, name in (official.names() if official else {}).items():
            gradient = parameters[name].grad if name in parameters else None
            part, slash, tensor = published.rpartition("/")
            if gradient is not None:
                yield f"gradnorm{slash.replace('/', '_')}{part}/{tensor}", to_numpy(gradient.norm())

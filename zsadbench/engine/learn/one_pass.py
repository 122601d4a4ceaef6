"""Have a detector remember its auxiliary set in one pass, without an optimiser (`Recipe.one_pass`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, cast

import torch

from zsadbench.engine.learn.loop import OnStep, TrainingBatches, as_batch
from zsadbench.engine.machine.method_calls import call_method
from zsadbench.errors import CellError
from zsadbench.types import Batch, Remembering, Tokens

if TYPE_CHECKING:
    from zsadbench.data import LoadedBatch
    from zsadbench.types import Trainable


def remember(
    method: Trainable,
    tokens: Callable[[LoadedBatch, torch.Tensor], Tokens],
    training_batches: TrainingBatches,
    on_step: OnStep,
) -> Iterator[float]:
    """Give all batches to the method, and yield 0 in place of a loss.

    Args:
        method: remembers in place.
        tokens: returns the tokens of a loaded batch and its images on the device.
        training_batches: of the pass.
        on_step: called with (batches done, all batches, 0, all epochs).

    Raises:
        CellError: the method fails, or cannot remember an auxiliary set; an image cannot be read.
    """
    name, aux = training_batches.setup.name, training_batches.aux
    if not call_method(name, "remember_auxiliary", isinstance, method, Remembering):
        raise CellError(f"'{name}' has a recipe of one pass, but its detector has no 'remember_auxiliary'")
    words, classes = aux.card.words(name), aux.manifest["class"].tolist()
    device = next(method.network.buffers()).device

    def pairs() -> Iterator[tuple[Tokens, Batch]]:
        for number, loaded in enumerate(training_batches, start=1):
            batch = as_batch(loaded, tuple(words[classes[row]] for row in loaded.rows), device)
            yield tokens(loaded, batch.images), batch
            on_step(number, len(training_batches), 0.0, training_batches.epochs)

    with torch.no_grad():
        call_method(name, "remember_auxiliary", cast(Remembering, method).remember_auxiliary, pairs())
    yield 0.0

"""What learning costs: steps of the recipe on drawn images, with and without the tower."""

from __future__ import annotations

import copy
from math import ceil
from statistics import median
from typing import TYPE_CHECKING, Any

import torch

from zsadbench.clip.union import join
from zsadbench.data import find_card
from zsadbench.engine.encode.towers import DTYPES
from zsadbench.engine.learn.loop import make_optimiser, step
from zsadbench.engine.machine import memory, timing
from zsadbench.engine.machine.timing import seconds_of
from zsadbench.engine.plan.method_setup import taps_of
from zsadbench.profile.inputs import decode, drawn_files, preprocess, training_batch
from zsadbench.types import Trainable

if TYPE_CHECKING:
    from zsadbench.clip import Backbone
    from zsadbench.engine.plan.method_setup import MethodSetup
    from zsadbench.types import Method, Tokens

STEPS = 3  # that are timed, after one that is not
AUXILIARY = "mvtec"  # whose test part the publications learn from


def training_cost(setup: MethodSetup, backbone: Backbone, method: Method) -> dict[str, Any]:
    """Seconds a step and an epoch of MVTec AD's test part, and peak memory; all None for what does not learn.

    The second epoch reads remembered tokens, so that only the steps are left of it. The detector is left as it was.
    """
    names = ("batch", "seconds_step", "seconds_tower", "seconds_epoch", "seconds_epoch_remembered")
    empty = {"training": dict.fromkeys((*names, "peak_host_mib", "peak_device_mib"))}
    recipe = setup.method.recipe
    if recipe is None or not isinstance(method, Trainable):
        return empty
    kept = copy.deepcopy(method.network.state_dict())
    memory.reset_peak(backbone.device)
    memory.reset_peak_host()
    tower, steps = _timed(setup, backbone, method, recipe.batch)
    method.network.load_state_dict(kept)
    method.network.zero_grad(set_to_none=True)
    images = _auxiliary_images()
    per_epoch = ceil(images / recipe.batch)
    return {
        "training": {
            "batch": recipe.batch,
            "seconds_step": steps,
            "seconds_tower": tower,
            "seconds_epoch": images * tower + per_epoch * steps,
            "seconds_epoch_remembered": per_epoch * steps,
            "peak_host_mib": memory.peak_host_mib(),
            "peak_device_mib": memory.peak_device_mib(backbone.device),
        }
    }


def _timed(setup: MethodSetup, backbone: Backbone, method: Trainable, batch_size: int) -> tuple[float, float]:
    """Seconds of the tower for one image, and of one step on tokens that are there."""
    taps, device, dtype = taps_of(setup), backbone.device, DTYPES[setup.precision]
    made = preprocess(decode(drawn_files(batch_size)), setup.image_size, taps.preprocessing)
    batch = training_batch(made, device)
    images = batch.images
    recipe = setup.method.recipe
    assert recipe is not None  # noqa: S101 - what does not learn does not come here
    optimiser = make_optimiser(method, recipe)

    def encode() -> Tokens:
        """Image by image, as training does."""
        with torch.no_grad():
            each = [backbone.vision(images[row : row + 1], taps, dtype) for row in range(batch_size)]
        tokens = join(each)
        timing.wait_for(device)
        return tokens

    def learn() -> None:
        step(method, tokens, batch, optimiser)
        timing.wait_for(device)

    tokens = encode()
    learn()
    towers = [seconds_of(encode) for _ in range(STEPS)]
    return median(towers) / batch_size, median(seconds_of(learn) for _ in range(STEPS))


def _auxiliary_images() -> int:
    """Images in the test part of MVTec AD, by its card."""
    return sum(sum(pair) for pair in find_card(AUXILIARY).expected["test"].counts.values())

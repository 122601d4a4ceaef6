"""The cost of training: steps of the recipe on generated images, with and without the image tower."""

from __future__ import annotations

import copy
from math import ceil
from statistics import median
from typing import TYPE_CHECKING, Any

import torch

from zsadbench.clip.union import join
from zsadbench.data import find_card
from zsadbench.engine.encode.encoders import make_encoder
from zsadbench.engine.learn.loop import begin_stage, make_optimiser, step
from zsadbench.engine.machine import memory
from zsadbench.engine.machine.modes import training_mode
from zsadbench.engine.machine.timing import seconds_of, wait_for
from zsadbench.engine.plan.method_setup import earlier_stage, taps_of
from zsadbench.profile.inputs import decode, generated_files, preprocess, training_batch
from zsadbench.types import Trainable

if TYPE_CHECKING:
    from zsadbench.clip import Backbone
    from zsadbench.engine.plan.method_setup import MethodSetup
    from zsadbench.types import Method, Recipe, Tokens

STEPS = 3  # timed steps, after one that is not timed
AUXILIARY = "mvtec"  # the publications train on its test part
NAMES = (
    *("stage", "batch", "seconds_step", "seconds_tower", "seconds_epoch", "seconds_epoch_remembered"),
    *("peak_host_mib", "peak_device_mib"),
)


def training_cost(setup: MethodSetup, backbone: Backbone, method: Method) -> dict[str, Any]:
    """Measure seconds per step and per epoch on the test part of MVTec AD, and peak memory.

    `training` is the last stage, which most methods have alone; `training_before` is a list of the stages before it, in
    their order. `seconds_epoch_remembered` is that of an epoch which reads remembered tokens, so that only the steps
    remain; it is None for a method that encodes images itself, whose steps contain the encoders. All values are None
    for a method that does not train. The detector keeps its parameters, and is left in the last stage.
    """
    if setup.method.recipe is None or not isinstance(method, Trainable):
        return {"training": dict.fromkeys(NAMES), "training_before": []}
    stages = [setup]
    while (earlier := earlier_stage(stages[0])) is not None:
        stages.insert(0, earlier)
    *before, last = [_cost_of_stage(stage, backbone, method) for stage in stages]
    return {"training": last, "training_before": before}


def _cost_of_stage(setup: MethodSetup, backbone: Backbone, method: Trainable) -> dict[str, Any]:
    """Measure one stage of the training; its parameters are put back."""
    recipe = setup.method.recipe
    assert recipe is not None  # noqa: S101 - only called where the method trains
    state = copy.deepcopy(method.network.state_dict())
    with training_mode(method):
        begin_stage(setup.name, method, recipe)
        memory.reset_peak(backbone.device)
        memory.reset_peak_host()
        per_image, per_step = _time_training(setup, backbone, method, recipe)
    method.network.load_state_dict(state)
    method.network.zero_grad(set_to_none=True)
    images = sum(sum(counts) for counts in find_card(AUXILIARY).expected["test"].counts.values())
    steps, own = ceil(images / recipe.batch), taps_of(setup).own_encoding
    seconds = (per_step, per_image, steps * per_step + (0.0 if own else images * per_image))
    remembered = None if own else steps * per_step
    peaks = (memory.peak_host_mib(), memory.peak_device_mib(backbone.device))
    return dict(zip(NAMES, (recipe.stage, recipe.batch, *seconds, remembered, *peaks), strict=True))


def _time_training(setup: MethodSetup, backbone: Backbone, method: Trainable, recipe: Recipe) -> tuple[float, float]:
    """Measure the seconds of the image tower per image, and of one optimiser step on tokens in memory.

    The step of a method that encodes images itself contains the encoding, with gradients.
    """
    taps, device, encode_images = taps_of(setup), backbone.device, make_encoder(setup, backbone, method)
    images = preprocess(
        decode(generated_files(recipe.batch)), setup.image_size, taps.preprocessing, setup.spec.config.pixels
    )
    batch = training_batch(images, device)
    optimiser = make_optimiser(method, recipe)

    def encode() -> Tokens:
        """Encode image by image, as training does."""
        with torch.no_grad():
            tokens = [encode_images(batch.images[row : row + 1], ["object"]) for row in range(recipe.batch)]
        joined = join(tokens)
        wait_for(device)
        return joined

    def learn() -> None:
        seen = encode_images(batch.images, batch.class_names) if taps.own_encoding else tokens
        step(method, seen, batch, optimiser)
        wait_for(device)

    tokens = encode()
    learn()
    tower = median(seconds_of(encode) for _ in range(STEPS))
    return tower / recipe.batch, median(seconds_of(learn) for _ in range(STEPS))

"""Recompute the fixture of a method: stages, maps, losses, gradient norms and three optimiser steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, make_dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from zsadbench import registry
from zsadbench.checkpoints import load_state
from zsadbench.clip import Backbone, build, resolve
from zsadbench.engine.evaluate.finishing import finished_scores
from zsadbench.engine.evaluate.scoring import Scorer
from zsadbench.engine.machine.modes import evaluation_mode, training_mode
from zsadbench.engine.plan.options import ConfiguredMethod, configure
from zsadbench.errors import UsageError
from zsadbench.parity.given_tokens import tensors_on_tokens
from zsadbench.parity.names import of_variant, words_of
from zsadbench.parity.training import TrainingRun, normal_batch, to_numpy
from zsadbench.types import (
    Batch,
    FewShot,
    OwnEncoding,
    Parted,
    TextFirst,
    TextReplaceable,
    Tokens,
    Traceable,
    Trainable,
    Transductive,
    Variant,
)

if TYPE_CHECKING:
    from torch import Tensor

    from zsadbench.parity.fixture import Array, Fixture, Pairs

SUPPORT = "support"  # the entry of `inputs` with the images that the main results remember
IMAGES = "images"  # the entry of `inputs` with the images


def method_pairs(fixture: Fixture, options: Sequence[str]) -> Pairs:
    """Recompute every tensor of `expected`, in the order of the fixture.

    Results of a variant carry its name (see `of_variant`). A stage that only a variant computes, such as the tokens of
    a layer that the fixture's settings do not use, also counts without the name of the variant, or with that of a
    variant around it: `b_` is around `b_few_shot_`.

    Args:
        fixture: one of a method.
        options: `KEY=VALUE` options of the method, on top of the fixture's settings.
    """
    official = registry.method_card(fixture.method).official
    if official is None:
        raise UsageError(f"'{fixture.method}' has no published format, so no fixture can be read for it")
    settings = {**fixture.about["options"], "training": fixture.about.get("training", {})}
    base = official.options(settings)
    expected = fixture.tensors("expected.safetensors")
    if official.on_tokens is not None:
        found = tensors_on_tokens(fixture, _configure(fixture, base, options), official.on_tokens)
        return {name: (tensor.numpy(), found.get(name)) for name, tensor in expected.items()}
    variants = {name: _variant(variant) for name, variant in official.variants(settings).items()}
    produced: dict[str, Array] = {}
    backbones: dict[Any, Backbone] = {}
    for name, variant in variants.items():
        configured = _configure(fixture, {**base, **variant.options}, options)
        tensors = FixtureRun(fixture, configured, variant, backbones).produce()
        for outer in ("", *(other for other in variants if other.endswith("_") and name.startswith(other))):
            produced |= {full: tensors[key] for key in tensors if (full := of_variant(key, outer)) not in produced}
        produced |= {of_variant(key, name): tensor for key, tensor in tensors.items()}
    main = Variant(supports=SUPPORT if SUPPORT in fixture.tensors("inputs.safetensors") else "")
    produced |= FixtureRun(fixture, _configure(fixture, base, options), main, backbones).produce()
    return {name: (to_numpy(tensor), produced.get(name)) for name, tensor in expected.items()}


def _variant(variant: Variant | Mapping[str, Any]) -> Variant:
    return variant if isinstance(variant, Variant) else Variant(options=variant)


def _configure(fixture: Fixture, settings: Mapping[str, Any], options: Sequence[str]) -> ConfiguredMethod:
    """Configure the method: `settings` of the fixture become the defaults of its options; `options` change them."""
    card = registry.method_card(fixture.method)
    defaults = [
        (option.name, option.type, field(default=settings[option.name]))
        for option in fields(card.options)
        if option.name in settings
    ]
    with_defaults: Any = make_dataclass("FixtureOptions", defaults, bases=(card.options,), frozen=True)
    return configure(replace(card, options=with_defaults), options, (card.name,))


@dataclass
class FixtureRun:
    """One fixture recomputed by a method with certain options, in a variant of the fixture.

    `backbones` are those of earlier runs, which are used again.
    """

    fixture: Fixture
    method: ConfiguredMethod
    variant: Variant
    backbones: dict[Any, Backbone] = field(default_factory=dict)

    def produce(self) -> dict[str, Array]:
        """Compute every tensor that a fixture can hold, by name."""
        about, variant = self.fixture.about, self.variant
        inputs = self.fixture.tensors("inputs.safetensors")
        images = inputs["images"].float()[: variant.images]
        backbone, detector = self._build()
        learned = words_of(
            about, (about.get("image_classes") or list(about["class_names"]) * len(images))[: len(images)]
        )
        one_class = self._step() is not None and not variant.supports  # a finishing step over the images of a class
        class_names = learned[:1] * len(images) if one_class else learned
        if variant.text and isinstance(detector, TextReplaceable):
            detector.use_text(inputs[variant.text].float(), class_names)
        with torch.no_grad():
            tokens = self._encode(backbone, detector, images, class_names)
            if variant.supports and isinstance(detector, FewShot):
                supports = inputs[variant.supports].float()
                detector.remember(self._encode(backbone, detector, supports, class_names[:1] * len(supports)))
            stages = dict(detector.stages(tokens, class_names)) | self._finished(detector, tokens, class_names)
            if "image_classes" in about and isinstance(detector, TextFirst):  # one row per class, not per image
                first = [learned.index(name) for name in words_of(about, about["class_names"]) if name in learned]
                of_all = detector.stages(tokens, learned) if one_class else stages
                stages["text_features"] = of_all["text_features"][first]
        maps = self._maps(detector, tokens, class_names)
        produced = {name: to_numpy(tensor) for name, tensor in stages.items()} | maps
        if self._learns() and isinstance(detector, Trainable):
            batch = Batch(images, inputs["masks"].float()[: len(images)], inputs["labels"][: len(images)], learned)
            if variant.supports:
                batch = normal_batch(inputs[variant.supports].float(), learned[0])
            training = TrainingRun(self.fixture, self.method, variant)
            with training_mode(detector):
                produced |= training.learn(detector, partial(self._encode, backbone, detector), batch, tokens)
        return produced

    def _learns(self) -> bool:
        """Whether the fixture has losses of this variant: of the images, or of the normal ones that it names."""
        training = self.fixture.about.get("training") or {}
        return bool(training) and (self.variant.supports or IMAGES) == training.get("inputs", IMAGES)

    def _encode(self, backbone: Backbone, detector: Traceable, images: Tensor, class_names: Sequence[str]) -> Tokens:
        """Encode images with the shared image encoder, or with the method's own walk through the encoders."""
        taps = self.method.card.taps(self.method.options)
        if taps.own_encoding and isinstance(detector, OwnEncoding):
            return detector.encode(images, class_names)
        tokens: Tokens = backbone.vision(images, taps)
        return tokens

    def _build(self) -> tuple[Backbone, Traceable]:
        """Build the backbone of the set and the detector with the checkpoint of the fixture."""
        about, card = self.fixture.about, self.method.card
        taps = card.taps(self.method.options)
        architecture = self.fixture.path(about.get("backbone", "../backbone.json"))
        weights = self.fixture.path(about.get("weights", "../backbone.safetensors"))
        spec = resolve(str(architecture), str(weights), offline=True)
        key = (taps.activation, taps.position)
        if key not in self.backbones:
            self.backbones[key] = build(spec, about["image_size"], activation=key[0], position=key[1])
        backbone = self.backbones[key]
        detector = card.build(backbone, self.method.options)
        files = about.get(self.variant.checkpoint, [])
        if files and card.official and isinstance(detector, Trainable):
            state = card.official.read([self.fixture.path(name) for name in files])
            load_state(detector.network, state, f"checkpoint of {self.fixture.folder}")
        evaluation_mode(card.name, detector)
        if not isinstance(detector, Traceable):
            raise UsageError(f"'{card.name}' does not show its stages, so nothing can be compared")
        return backbone, detector

    def _finished(self, detector: Traceable, tokens: Tokens, class_names: Sequence[str]) -> dict[str, Tensor]:
        """Take the finishing step over all images of the fixture, if this form of the method has one."""
        step = self._step()
        if step is None or not isinstance(detector, Parted):
            return {}
        parts = detector.image_parts(tokens, class_names, detector.score(tokens, class_names))
        return {"score": torch.from_numpy(finished_scores(step, {name: to_numpy(parts[name]) for name in step.parts}))}

    def _step(self) -> Transductive | None:
        """Return the finishing step of this form of the method, if it has one."""
        step = self.method.card.transductive(self.method.options) if self.method.card.transductive else None
        return step if step is not None and (self.variant.supports or not step.with_supports) else None

    def _maps(self, detector: Traceable, tokens: Tokens, class_names: Sequence[str]) -> dict[str, Array]:
        """Make the anomaly maps as a run does, before and after smoothing, (batch, size, size)."""
        options, size = self.fixture.about["options"], self.variant.size or self.fixture.about["image_size"]
        sigma = float(options.get("sigma", self.method.card.smoothing)) if options.get("smoothing", True) else 0.0
        smoothed = Scorer(detector, torch.device("cpu"), size, sigma)
        unsmoothed = replace(smoothed, sigma=0.0)
        grid = smoothed.score(tokens, class_names).pixel
        scorers = {"map": unsmoothed, "map_smooth": smoothed}
        return {name: np.stack([wait() for wait in scorer.start_maps(grid)]) for name, scorer in scorers.items()}

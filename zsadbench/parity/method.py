"""Recompute the fixture of a method: stages, maps, losses, gradient norms and three optimiser steps."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
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
from zsadbench.engine.learn.loop import begin_stage, make_optimiser, set_learning_rate
from zsadbench.engine.plan.options import ConfiguredMethod, configure
from zsadbench.errors import UsageError
from zsadbench.parity.names import of_stage, of_variant, words_of
from zsadbench.types import (
    Batch,
    FewShot,
    Losses,
    LossTraceable,
    OwnEncoding,
    Parted,
    Recipe,
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

STEPS = 3  # optimiser steps
SUPPORT = "support"  # the entry of `inputs` with the images that the main results remember
IMAGES = "images"  # the entry of `inputs` with the images
OF_STEPS = "train_"  # before a stage of the passes behind `loss_curve`

Encode = Callable[["Tensor", Sequence[str]], Tokens]


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
    return {name: (_to_numpy(tensor), produced.get(name)) for name, tensor in expected.items()}


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


def _normal_batch(images: Tensor, class_name: str) -> Batch:
    """Return normal images of one class as a batch."""
    masks, labels = torch.zeros(len(images), *images.shape[2:]), torch.zeros(len(images), dtype=torch.int64)
    return Batch(images, masks, labels, (class_name,) * len(images))


def _total(parts: Losses) -> Any:
    """Add up the parts of a loss."""
    return sum(parts.values())


def _to_numpy(tensor: Any) -> Array:
    return np.asarray(tensor.detach().float().cpu().numpy())


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
        produced = {name: _to_numpy(tensor) for name, tensor in stages.items()} | maps
        if self._learns() and isinstance(detector, Trainable):
            batch = Batch(images, inputs["masks"].float()[: len(images)], inputs["labels"][: len(images)], learned)
            if variant.supports:
                batch = _normal_batch(inputs[variant.supports].float(), learned[0])
            produced |= self._learn(detector, partial(self._encode, backbone, detector), batch, tokens)
        return produced

    def _learns(self) -> bool:
        """Whether the fixture has losses of this variant: of the images, or of the normal ones that it names."""
        training = self.fixture.about.get("training") or {}
        return bool(training) and (self.variant.supports or IMAGES) == training.get("inputs", IMAGES)

    def _learn(self, detector: Trainable, encode: Encode, batch: Batch, tokens: Tokens) -> dict[str, Array]:
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
                losses.append({name: _to_numpy(part) for name, part in {**parts, "total": _total(parts)}.items()})
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
        if not isinstance(detector, Traceable):
            raise UsageError(f"'{card.name}' does not show its stages, so nothing can be compared")
        return backbone, detector

    def _finished(self, detector: Traceable, tokens: Tokens, class_names: Sequence[str]) -> dict[str, Tensor]:
        """Take the finishing step over all images of the fixture, if this form of the method has one."""
        step = self._step()
        if step is None or not isinstance(detector, Parted):
            return {}
        parts = detector.image_parts(tokens, class_names, detector.score(tokens, class_names))
        return {"score": torch.from_numpy(finished_scores(step, {name: _to_numpy(parts[name]) for name in step.parts}))}

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
                yield from ((name, _to_numpy(stage)) for name, stage in detector.loss_stages(tokens, batch).items())
        for name, part in {**parts, "total": total}.items():
            yield f"loss_{name}", _to_numpy(part)
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
        yield "loss_curve", _to_numpy(torch.stack(curve))
        yield "loss_after_3_steps", _to_numpy(curve[-1])

    def _stages_of_step(self, detector: Trainable, tokens: Tokens, batch: Batch) -> dict[str, Array]:
        """Compute the stages that `expected` holds as `train_STAGE`, of one of the passes behind `loss_curve`."""
        wanted = [name for name in self.fixture.tensors("expected.safetensors") if name.startswith(OF_STEPS)]
        if not wanted or not isinstance(detector, Traceable):
            return {}
        with torch.no_grad():
            stages = detector.stages(tokens, batch.class_names)
        return {name: _to_numpy(stages[stage]) for name in wanted if (stage := name.removeprefix(OF_STEPS)) in stages}

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
                yield f"gradnorm{slash.replace('/', '_')}{part}/{tensor}", _to_numpy(gradient.norm())

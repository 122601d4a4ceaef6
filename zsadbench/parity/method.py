"""What a method gives on its fixture: stages, maps, losses, gradient norms, three optimiser steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, make_dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from zsadbench import registry
from zsadbench.checkpoints import load_state
from zsadbench.clip import Backbone, build, resolve
from zsadbench.engine.evaluate.scoring import Scorer
from zsadbench.engine.learn.loop import make_optimiser
from zsadbench.engine.plan.options import Configured, configure
from zsadbench.errors import UsageError
from zsadbench.types import Batch, FewShot, LossTraceable, Recipe, Tokens, Traceable, Trainable

if TYPE_CHECKING:
    from zsadbench.parity.fixture import Array, Fixture
    from zsadbench.types import MethodCard, Official

STEPS = 3
OVER_STEPS = ("loss_curve", "loss_after_3_steps")


def method_pairs(fixture: Fixture, options: Sequence[str]) -> dict[str, tuple[Array, Array | None]]:
    """Expected and produced tensor by name, in the order of the fixture; None where nothing was produced.

    Results under other settings carry the name of the variant. What the fixture's own settings do not reach, such as
    tokens of a layer that only a variant uses, is taken from the variant.
    """
    expected = fixture.tensors("expected.safetensors")
    produced: dict[str, Array] = {}
    for name, changes in _variants(fixture).items():
        found = _Replay(fixture, _configured(fixture, options, changes)).produce()
        produced |= {key: value for key, value in found.items() if key not in produced}
        produced |= {of_variant(key, name): value for key, value in found.items()}
    produced |= _Replay(fixture, _configured(fixture, options)).produce()
    return {name: (_array(tensor), produced.get(name)) for name, tensor in expected.items()}


def of_variant(name: str, variant: str) -> str:
    """The name that a result under other settings has in `expected`.

    >>> [of_variant(name, "wide") for name in ("score", "gradnorm/gate", "loss_total", "loss_curve")]
    ['score_wide', 'gradnorm_wide/gate', 'loss_wide_total', 'loss_curve_wide']
    """
    if name.startswith("loss_") and name not in OVER_STEPS:
        return f"loss_{variant}_{name.removeprefix('loss_')}"
    group, slash, rest = name.partition("/")
    return f"{group}_{variant}{slash}{rest}"


def _array(tensor: Any) -> Array:
    return np.asarray(tensor.detach().float().cpu().numpy())


def _official(fixture: Fixture) -> Official:
    official = registry.method_card(fixture.method).official
    if official is None:
        raise UsageError(f"'{fixture.method}' has no published format, so no fixture can be read for it")
    return official


def _settings(fixture: Fixture) -> dict[str, Any]:
    return {**fixture.about["options"], "training": fixture.about.get("training", {})}


def _variants(fixture: Fixture) -> Mapping[str, Mapping[str, Any]]:
    return _official(fixture).variants(_settings(fixture))


def _configured(fixture: Fixture, options: Sequence[str], changes: Mapping[str, Any] | None = None) -> Configured:
    """The fixture's settings as options, changed as a variant has it, with what the user gave on top."""
    card = registry.method_card(fixture.method)
    stated = {**_official(fixture).options(_settings(fixture)), **(changes or {})}
    base = replace(card, options=_with_defaults(card, stated))  # type: ignore[arg-type]
    return configure(base, options, (card.name,))


def _with_defaults(card: MethodCard, stated: Mapping[str, Any]) -> Callable[..., Any]:
    """The options class with the fixture's settings as its defaults."""
    own = [(one.name, one.type, field(default=stated[one.name])) for one in fields(card.options) if one.name in stated]
    made: Callable[..., Any] = make_dataclass("FixtureOptions", own, bases=(card.options,), frozen=True)
    return made


@dataclass
class _Replay:
    """One fixture on its way through the method."""

    fixture: Fixture
    method: Configured

    def produce(self) -> dict[str, Array]:
        """Every tensor that can be compared."""
        inputs = self.fixture.tensors("inputs.safetensors")
        backbone, detector = self._built()
        taps = self.method.card.taps(self.method.options)
        names = _class_names(self.fixture.about, len(inputs["images"]))
        with torch.no_grad():
            tokens = backbone.vision(inputs["images"].float(), taps)
            if "support" in inputs and isinstance(detector, FewShot):
                detector.remember(backbone.vision(inputs["support"].float(), taps))
            stages = dict(detector.stages(tokens, names))
        maps = self._maps(detector, tokens, names)
        produced = {name: _array(tensor) for name, tensor in stages.items()} | maps
        if self.fixture.about.get("training") and isinstance(detector, Trainable):
            batch = Batch(inputs["images"].float(), inputs["masks"].float(), inputs["labels"], names)
            produced |= dict(self._training(detector, tokens, batch))
        return produced

    def _built(self) -> tuple[Backbone, Traceable]:
        about, card = self.fixture.about, self.method.card
        taps = card.taps(self.method.options)
        architecture = self.fixture.path(about.get("backbone", "../backbone.json"))
        weights = self.fixture.path(about.get("weights", "../backbone.safetensors"))
        spec = resolve(str(architecture), str(weights), offline=True)
        backbone = build(spec, about["image_size"], activation=taps.activation, position=taps.position)
        detector = card.build(backbone, self.method.options)
        files = about.get("checkpoint_files", [])
        if files and card.official and isinstance(detector, Trainable):
            state = card.official.read([self.fixture.path(name) for name in files])
            load_state(detector.network, state, f"checkpoint of {self.fixture.folder}")
        if not isinstance(detector, Traceable):
            raise UsageError(f"'{card.name}' does not show its stages, so nothing can be compared")
        return backbone, detector

    def _maps(self, detector: Traceable, tokens: Tokens, names: Sequence[str]) -> dict[str, Array]:
        """The anomaly maps as a run makes them, before and after smoothing, (batch, size, size)."""
        about = self.fixture.about
        sigma = float(about["options"].get("sigma", self.method.card.smoothing))
        smoothing = sigma if about["options"].get("smoothing", True) else 0.0
        scorer = Scorer(detector, torch.device("cpu"), about["image_size"], smoothing)
        grid = scorer.score(tokens, names).pixel
        unsmoothed = replace(scorer, sigma=0.0)
        return {
            name: np.stack([wait() for wait in each.start_maps(grid)])
            for name, each in (("map", unsmoothed), ("map_smooth", scorer))
        }

    def _training(self, detector: Trainable, tokens: Tokens, batch: Batch) -> Iterator[tuple[str, Array]]:
        """Loss parts and gradient norms at the stored parameters, then the loss over three steps."""
        recipe = self._recipe()
        optimiser = make_optimiser(detector, recipe)
        parts = detector.loss(tokens, batch)
        total: Any = sum(parts.values())
        if isinstance(detector, LossTraceable):
            with torch.no_grad():
                yield from ((name, _array(stage)) for name, stage in detector.loss_stages(tokens, batch).items())
        for name, part in {**parts, "total": total}.items():
            yield f"loss_{name}", _array(part)
        total.backward()
        yield from self._gradients(detector)
        curve = [total.detach()]
        for _ in range(STEPS):
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
            loss: Any = sum(detector.loss(tokens, batch).values())
            loss.backward()
            curve.append(loss.detach())
        yield "loss_curve", _array(torch.stack(curve))
        yield "loss_after_3_steps", _array(curve[-1])

    def _recipe(self) -> Recipe:
        training, recipe = self.fixture.about["training"], self.method.recipe
        if recipe is None:
            raise UsageError(f"the fixture trains, but '{self.method.card.name}' has no recipe")
        return replace(
            recipe,
            optimiser=training["optimiser"].lower(),
            lr=training["lr"],
            betas=tuple(training["betas"]),
            weight_decay=training["weight_decay"],
        )

    def _gradients(self, detector: Trainable) -> Iterator[tuple[str, Array]]:
        official = self.method.card.official
        own = dict(detector.network.named_parameters())
        for theirs, ours in (official.names() if official else {}).items():
            gradient = own[ours].grad if ours in own else None
            if gradient is not None:
                yield f"gradnorm/{theirs}", _array(gradient.norm())


def _class_names(about: Mapping[str, Any], count: int) -> tuple[str, ...]:
    named = about.get("image_classes") or list(about["class_names"]) * count
    return tuple(named[:count])

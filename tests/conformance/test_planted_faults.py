"""Methods with one planted fault each: the check that is named after it finds it, and no other fails."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from zsadbench.conformance.battery import run_checks
from zsadbench.conformance.subject import subject_of
from zsadbench.types import Macs, Recipe, Scores, Taps, Tokens


@pytest.fixture
def failed():
    """`failed(card)`: the names of the checks that fail, with what they found."""
    return lambda card: {finding.check: finding.found for finding in run_checks(subject_of(card)) if finding.failed}


def test_a_method_without_faults_passes(failed, make_card):
    assert failed(make_card()) == {}


def test_maps_of_a_wrong_shape(failed, make_card, good):
    class Flat(good):
        def score(self, tokens, class_names):
            scores = super().score(tokens, class_names)
            return Scores(scores.image, scores.pixel.flatten(1))

    found = failed(make_card(Flat))
    assert found.keys() == {"shapes"}
    assert "float32 (3, 25)" in found["shapes"]


def test_nan_in_a_map(failed, make_card, good):
    class Rooted(good):
        def score(self, tokens, class_names):
            scores = super().score(tokens, class_names)
            return Scores(scores.image, (scores.pixel - 0.5).sqrt())

    found = failed(make_card(Rooted))
    assert found.keys() == {"finite"}
    assert "of 75 pixel scores are NaN" in found["finite"]


def test_double_precision(failed, make_card, good):
    class Double(good):
        def score(self, tokens, class_names):
            return Scores(*(tensor.double() for tensor in super().score(tokens, class_names)))

    assert failed(make_card(Double)).keys() == {"values"}


def test_something_random(failed, make_card, good):
    class Random(good):
        def score(self, tokens, class_names):
            scores = super().score(tokens, class_names)
            return Scores(scores.image + 0.1 * torch.rand(len(scores.image)), scores.pixel)

    assert failed(make_card(Random)).keys() == {"determinism"}


def test_initial_values_without_the_seed(failed, make_card, good):
    drawn = iter(range(1000))

    class Unseeded(good):
        def __init__(self, backbone, options):
            super().__init__(backbone, options)
            nn.init.normal_(self.network["head"].weight, generator=torch.Generator().manual_seed(next(drawn)))

    assert failed(make_card(Unseeded)).keys() == {"determinism"}


def test_images_of_a_batch_are_mixed(failed, make_card, good):
    class Centred(good):
        def score(self, tokens, class_names):
            scores = super().score(tokens, class_names)
            return Scores(scores.image - scores.image.mean(), scores.pixel)

    assert failed(make_card(Centred)).keys() == {"batch"}


def test_the_place_in_the_batch_counts(failed, make_card, good):
    class Placed(good):
        def score(self, tokens, class_names):
            scores = super().score(tokens, class_names)
            return Scores(scores.image + 0.1 * torch.arange(len(scores.image)), scores.pixel)

    assert failed(make_card(Placed)).keys() == {"order"}


def test_the_class_of_the_first_image_is_taken_for_all(failed, make_card, good):
    class First(good):
        def score(self, tokens, class_names):
            return super().score(tokens, [class_names[0]] * len(class_names))

    assert failed(make_card(First)).keys() == {"classes"}


def test_something_is_kept_between_calls(failed, make_card, good):
    class Counting(good):
        calls = 0

        def score(self, tokens, class_names):
            self.calls += 1
            scores = super().score(tokens, class_names)
            return Scores(scores.image + 0.01 * self.calls, scores.pixel)

    assert failed(make_card(Counting)).keys() == {"state"}


def test_undeclared_use_of_the_test_images_of_a_class(failed, make_card, good):
    class Adapting(good):
        def __init__(self, backbone, options):
            super().__init__(backbone, options)
            self.seen = {}

        def score(self, tokens, class_names):
            scores = super().score(tokens, class_names)
            earlier = [self.seen.setdefault(name, []) for name in class_names]
            image = torch.stack([one - sum(seen) for one, seen in zip(scores.image, earlier, strict=True)])
            for one, seen in zip(scores.image, earlier, strict=True):
                seen[:] = [one]
            return Scores(image, scores.pixel)

    assert failed(make_card(Adapting)).keys() == {"transductive"}


def test_a_trained_part_without_a_gradient(failed, make_card, good):
    class Detached(good):
        def logits(self, tokens, class_names):
            lengths = torch.tensor([[float(len(name))] for name in class_names])
            bias = self.network["scale"](lengths).detach().float()
            return self.network["head"](self.patches(tokens)).float().squeeze(-1) + bias

    found = failed(make_card(Detached))
    assert found == {"gradients": "no gradient reaches 'scale.weight'"}


def test_a_part_outside_the_checkpoint_requires_a_gradient(failed, make_card, good):
    class Outside(good):
        def __init__(self, backbone, options):
            super().__init__(backbone, options)
            self.extra = nn.Linear(1, 1)

    assert failed(make_card(Outside)) == {"gradients": "'extra' requires a gradient and is no part of 'network'"}


def test_a_step_without_effect(failed, make_card):
    recipe = Recipe({}, 1, 2, 1e-30, 70, "cross-entropy")
    assert failed(make_card(recipe=recipe)) == {"training": "optimiser steps change no parameter"}


def test_a_buffer_that_no_checkpoint_holds(failed, make_card, good):
    class Forgetful(good):
        centre = 0.0

        def patches(self, tokens):
            return super().patches(tokens) - self.centre

        def loss(self, tokens, batch):
            losses = super().loss(tokens, batch)
            self.centre = super().patches(tokens).mean(dim=(0, 1)).detach()
            return losses

    assert failed(make_card(Forgetful)).keys() == {"save-load"}


def test_any_checkpoint_is_taken(failed, make_card, good):
    class Taking(nn.ModuleDict):
        def expect_state(self, state):
            for name in set(self) if "something.else" in state else ():
                del self[name]
            if "something.else" in state:
                self["something"] = nn.Module()
                self["something"].register_buffer("else", torch.zeros(2))

    class Careless(good):
        def __init__(self, backbone, options):
            super().__init__(backbone, options)
            self.network = Taking(self.network)

    assert failed(make_card(Careless)) == {"refusal": "no error on other tensors"}


def test_half_precision_is_handed_out(failed, make_card, good):
    class Half(good):
        def score(self, tokens, class_names):
            logits = self.network["head"](self.patches(tokens)).squeeze(-1)
            return Scores(logits.amax(dim=1), logits.reshape(-1, tokens.grid, tokens.grid))

    found = failed(make_card(Half, macs=lambda config, options, grid: Macs({}, {"head": 25 * 64}, 0)))
    assert found == {"bf16": "image scores are bfloat16; wanted is float32"}


def test_a_wrong_cost_formula(failed, make_card):
    def doubled(config, options, grid):
        return Macs({}, {"head": 2 * grid**2 * config.vision.width}, 0)

    found = failed(make_card(macs=doubled))
    assert found == {"cost": "head: stated are 3,200, counted 1,601 multiply-accumulates per image"}


def test_what_is_remembered_is_added_and_not_replaced(failed, make_card, good):
    class Adding(good):
        memory = None

        def remember(self, tokens):
            new = self.patches(tokens).flatten(0, 1)
            self.memory = new if self.memory is None else torch.cat([self.memory, new])

        def score(self, tokens, class_names):
            scores = super().score(tokens, class_names)
            if self.memory is None:
                return scores
            far = 1 - (self.patches(tokens) @ self.memory.T).amax(dim=-1)
            return Scores(far.amax(dim=1), far.reshape(-1, tokens.grid, tokens.grid))

    found = failed(make_card(Adding, few_shot=True))
    assert found == {"few-shot": "an empty batch does not remove what was remembered"}


def test_an_encoding_that_mixes_the_batch(failed, make_card, good):
    class Encoding(good):
        def encode(self, images, class_names):
            tokens = self.backbone.vision(images, Taps((24,))).layers[0]
            return Tokens((tokens - tokens.mean(dim=0, keepdim=True),), self.backbone.grid)

    found = failed(make_card(Encoding, taps=lambda options: Taps(own_encoding=True), macs=None))
    assert found.keys() == {"encode"}


def test_a_card_that_promises_what_the_detector_lacks(failed, make_card):
    found = failed(make_card(few_shot=True))
    assert found == {"build": "the card promises 'remember', which the detector Linear lacks"}


def test_a_preset_that_changes_nothing(failed, make_card):
    assert failed(make_card(presets={"deep": {"layer": 24}})) == {"card": "preset 'deep' changes nothing"}


def test_a_kind_on_which_it_does_not_score(failed, make_card, good):
    class Reading(good):
        def __init__(self, backbone, options):
            super().__init__(backbone, options)
            backbone.text.sentence_features(["a bolt"])

    found = failed(make_card(Reading, kinds=("clip", "vision-only")))
    assert found.keys() == {"kinds"}


def test_missing_facts_are_no_faults(make_card):
    by_check = {finding.check: finding for finding in run_checks(subject_of(replace(make_card(), macs=None)))}
    assert by_check["cost"].result == "not declared"
    assert by_check["speed"].result == "informative"
    assert not any(finding.failed for finding in by_check.values())


def findings_of(card):
    return {finding.check: finding for finding in run_checks(subject_of(card))}


@pytest.mark.parametrize("raised", [SystemExit(0), NameError("name 'words' is not defined")])
def test_an_exception_of_a_method_is_a_failed_check_that_names_its_line(make_card, good, raised):
    class Leaving(good):
        def loss(self, tokens, batch):
            raise raised

    found = findings_of(make_card(Leaving))
    line = Leaving.loss.__code__.co_firstlineno + 1
    assert found["loss"].found == (
        f"'planted': loss raised {type(raised).__name__}: {raised} (test_planted_faults.py:{line})"
    )
    assert "mend this exception" in found["loss"].remedy
    assert [finding.check for finding in found.values() if finding.failed] == ["loss"]
    assert list(found)[-1] == "speed"


def test_a_method_that_leaves_while_it_scores_is_a_failed_check(make_card, good):
    class Leaving(good):
        def score(self, tokens, class_names):
            raise SystemExit

    found = findings_of(make_card(Leaving))["shapes"]
    assert found.failed
    assert found.found.startswith("SystemExit (test_planted_faults.py:")
    assert "mend this exception" in found.remedy


def test_an_interruption_ends_the_checks(make_card, good):
    class Interrupted(good):
        def score(self, tokens, class_names):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        findings_of(make_card(Interrupted))


def test_dropout_inside_the_network_is_off_while_images_are_scored(failed, make_card, good):
    trained = []

    class Dropping(good):
        def __init__(self, backbone, options):
            super().__init__(backbone, options)
            self.network["drop"] = nn.Dropout(0.5)
            self.network["frozen"] = nn.Dropout(0.5).eval()

        def patches(self, tokens):
            return self.network["drop"](super().patches(tokens))

        def loss(self, tokens, batch):
            trained.append((self.network["drop"].training, self.network["frozen"].training))
            return super().loss(tokens, batch)

    assert failed(make_card(Dropping)) == {}
    assert set(trained) == {(True, False)}


def test_dropout_outside_the_network_is_named_by_the_remedy(make_card, good):
    class Dropping(good):
        def patches(self, tokens):
            return nn.functional.dropout(super().patches(tokens), 0.5)

    found = findings_of(make_card(Dropping))["determinism"]
    assert found.failed
    assert "keep dropout inside 'network'" in found.remedy


def test_the_remedy_of_half_precision_is_that_of_its_fault(make_card, good):
    class Wide(good):
        def score(self, tokens, class_names):
            return Scores(*(100 * tensor for tensor in super().score(tokens, class_names)))

    class Half(good):
        def score(self, tokens, class_names):
            logits = self.network["head"](self.patches(tokens)).squeeze(-1)
            return Scores(logits.amax(dim=1), logits.reshape(-1, tokens.grid, tokens.grid))

    remedies = [findings_of(make_card(faulty, macs=None))["bf16"].remedy for faulty in (Wide, Half)]
    assert ["map_range" in remedy for remedy in remedies] == [True, False]
    assert ["float()" in remedy for remedy in remedies] == [False, True]

"""What every registered method keeps; a newcomer is tested by being registered."""

import inspect
import re
import subprocess
import sys
from dataclasses import FrozenInstanceError, asdict, fields, is_dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from zsadbench import registry
from zsadbench.clip import place_taps
from zsadbench.clip.towers import autocast
from zsadbench.errors import UsageError, WeightsError
from zsadbench.types import (
    Batch,
    FewShot,
    Method,
    OwnEncoding,
    Paper,
    Parted,
    Remembering,
    Taps,
    TextFirst,
    Tokens,
    Traceable,
    Trainable,
    WholeClass,
)

METHODS = registry.names("methods")
NAMES = ["bolt", "metal_nut", "bolt"]

pytestmark = pytest.mark.parametrize("name", METHODS)


@pytest.fixture
def card(name):
    return registry.method_card(name)


@pytest.fixture
def encode_with(card, tiny_backbone):
    """`encode_with(detector, images, names)`: what the detector gets of images, through the door that it uses."""

    def encode(detector, images, names):
        taps = card.taps(getattr(detector, "options", card.options()))
        return detector.encode(images, names) if taps.own_encoding else tiny_backbone.vision(images, taps)

    return encode


@pytest.fixture
def make(card, tiny_backbone, encode_with, tiny_images):
    """`make(**options)`: the method on the tiny backbone, always the same, with normal images if needed."""

    def build(**options):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            detector = card.build(tiny_backbone, card.options(**options))
        if card.needs_shots(card.options(**options)):
            with torch.no_grad():
                detector.remember(encode_with(detector, tiny_images.flip(-1), NAMES))
        return detector

    return build


@pytest.fixture
def scores_alone(card):
    """Skip where no image is scored by itself."""
    if whole_class(card):
        pytest.skip("scores whole classes")


def whole_class(card):
    step = card.transductive(card.options()) if card.transductive else None
    return step is not None and step.whole_class


@pytest.fixture
def seen(make, encode_with, tiny_images):
    with torch.no_grad():
        return encode_with(make(), tiny_images, NAMES)


def part(tokens, rows):
    layers, values = ([layer[rows] for layer in path] for path in (tokens.layers, tokens.value_layers))
    colours = None if tokens.colours is None else tokens.colours[rows]
    parts = {name: tensor[rows] for name, tensor in tokens.parts.items()}
    return Tokens(tuple(layers), tokens.grid, tuple(values), colours, parts)


def test_the_card_is_complete(card, name):
    assert card.name == name
    assert isinstance(card.paper, Paper)
    assert card.paper.title
    assert 2015 < card.paper.year < 2100
    assert card.smoothing >= 0
    taken = {protocol.name for protocol in registry.protocols()}
    for protocol in card.protocols:
        assert protocol.name.startswith(f"paper:{name}")
        assert protocol.name in taken


def test_options_are_frozen_plain_values_with_valid_defaults(card):
    options = card.options()
    assert is_dataclass(options)
    assert hash(options) == hash(card.options())
    assert options == card.options(**asdict(options)), "options survive being written down"
    for field in fields(options)[:1]:
        with pytest.raises(FrozenInstanceError):
            setattr(options, field.name, None)
    for value in asdict(options).values():
        items = value if isinstance(value, tuple) else (value,)
        assert all(isinstance(item, str | int | float | bool | None) for item in items)


def test_presets_and_bound_options_exist(card):
    names = {field.name for field in fields(card.options)}
    assert card.weight_bound <= names
    for preset in card.presets.values():
        assert card.options(**preset) != card.options()


def test_taps_fit_the_reference_tower(card):
    taps = card.taps(card.options())
    assert isinstance(taps, Taps)
    placed = place_taps(taps, 24)
    assert (placed.blocks, placed.value_blocks) == (tuple(sorted(taps.blocks)), tuple(sorted(taps.value_blocks)))


def test_the_card_needs_no_torch(name):
    code = (
        f"import sys\nfrom zsadbench.registry import method_card\ncard = method_card({name!r})\n"
        "card.taps(card.options())\nassert not {'torch', 'open_clip'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.usefixtures("scores_alone")
def test_scores_have_their_shapes_and_are_finite(make, seen, tiny_backbone):
    detector = make()
    assert isinstance(detector, Method)
    with torch.no_grad():
        scores = detector.score(seen, NAMES)
    assert scores.image.shape == (3,)
    assert scores.pixel.shape[0] == 3
    assert scores.pixel.shape[1:] in {(seen.grid, seen.grid), (tiny_backbone.image_size, tiny_backbone.image_size)}
    for tensor in scores:
        assert tensor.dtype == torch.float32
        assert tensor.isfinite().all()
    assert scores.image.std() > 0
    assert scores.pixel.std() > 0


@pytest.fixture
def outputs(encode_with, tiny_images):
    """`outputs(detector, rows)`: scores, map and parts of some images, encoded together through its door."""

    def score(detector, rows):
        names = [NAMES[row] for row in rows]
        tokens = encode_with(detector, tiny_images[rows], names)
        scores = detector.score(tokens, names)
        parts = detector.image_parts(tokens, names, scores) if isinstance(detector, Parted) else {}
        return [*scores, *parts.values()]

    return score


@pytest.mark.usefixtures("scores_alone")
def test_images_do_not_influence_each_other(make, influence, outputs):
    assert influence(make, outputs) <= 1e-5, "use of other images must be declared as a transductive step"


def test_images_do_not_influence_each_other_with_a_memory(make, card, influence, outputs, seen):
    if not card.few_shot:
        pytest.skip("has no few-shot form")

    def reminded():
        detector = make()
        detector.remember(part(seen, [1]))
        return detector

    assert influence(reminded, outputs) <= 1e-5


def test_a_transductive_step_is_a_function_of_its_parts(make, card, seen):
    step = card.transductive(card.options()) if card.transductive else None
    if step is None or step.whole_class:
        pytest.skip("has no such step")
    detector = make()
    assert isinstance(detector, Parted)
    assert any(protocol.across_images == "transductive" for protocol in card.protocols)
    with torch.no_grad():
        parts = detector.image_parts(seen, NAMES, detector.score(seen, NAMES))
    assert set(step.parts) <= parts.keys()
    known = {name: parts[name].double().numpy() for name in step.parts}
    finished = step.finish(known)
    assert finished.shape == (3,)
    for order in ([2, 0, 1], [1, 0, 2]):
        assert step.finish({name: values[order] for name, values in known.items()}) == pytest.approx(finished[order])
    pairs = ([0, 1], [0, 2], [1, 2])
    some = [step.finish({name: values[pair] for name, values in known.items()}) for pair in pairs]
    assert any(found != pytest.approx(finished[pair]) for found, pair in zip(some, pairs, strict=True)), (
        "why declare it?"
    )
    for few in ({name: values[:1] for name, values in known.items()}, {name: 0 * v for name, v in known.items()}):
        assert np.isfinite(step.finish(few)).all()


@pytest.mark.usefixtures("scores_alone")
def test_the_same_seed_gives_the_same_method(make, seen):
    with torch.no_grad():
        first, second, again = make(), make(), None
        one, two = first.score(seen, NAMES), second.score(seen, NAMES)
        again = first.score(seen, NAMES)
    for left, right, third in zip(one, two, again, strict=True):
        assert torch.equal(left, right)
        assert torch.equal(left, third)


@pytest.mark.usefixtures("scores_alone")
def test_every_preset_scores(make, card, encode_with, tiny_images):
    for preset in card.presets.values():
        detector = make(**preset)
        with torch.no_grad():
            tokens = encode_with(detector, tiny_images, NAMES)
            assert detector.score(tokens, NAMES).pixel.isfinite().all()


def test_an_encoding_of_its_own_treats_every_image_alone(make, card, encode_with, tiny_images):
    detector = make()
    assert isinstance(detector, OwnEncoding) == card.taps(card.options()).own_encoding
    if not isinstance(detector, OwnEncoding):
        pytest.skip("reads the shared encoding")
    with torch.no_grad():
        whole = encode_with(detector, tiny_images, NAMES)
        for rows in ([0], [1], [2, 0]):
            some = encode_with(detector, tiny_images[rows], [NAMES[row] for row in rows])
            for one, all_ in zip(tensors_of(some), tensors_of(part(whole, rows)), strict=True):
                assert one.shape == all_.shape
                assert (one - all_).abs().max() <= 1e-5


def tensors_of(tokens):
    return [*tokens.layers, *tokens.value_layers, *tokens.parts.values()]


def test_inside_the_encoders_it_walks_and_leaves_open_clip_alone(name):
    folder = Path(inspect.getfile(registry.entry_point("methods", name).load().build)).parent
    for path in folder.glob("*.py"):
        assert not re.search(
            r"import open_clip|from open_clip|\.visual\b|\.resblocks\b|\.transformer\b", path.read_text()
        ), path


@pytest.mark.usefixtures("scores_alone")
def test_half_precision_stays_near(make, card, encode_with, tiny_images):
    low, high = card.map_range
    with torch.inference_mode():
        exact, rough = ([], [])
        for scores, precision in ((exact, torch.float32), (rough, torch.bfloat16)):
            detector = make()
            with autocast("cpu", precision):
                scores.extend(detector.score(encode_with(detector, tiny_images, NAMES), NAMES))
    for one, other in zip(exact, rough, strict=True):
        assert other.dtype == torch.float32
        assert (one - other).abs().max() <= 0.02 * (high - low)


@pytest.mark.usefixtures("scores_alone")
def test_stages_include_the_scores(make, seen):
    detector = make()
    if not isinstance(detector, Traceable):
        pytest.skip("shows no stages")
    with torch.no_grad():
        stages, scores = detector.stages(seen, NAMES), detector.score(seen, NAMES)
    assert torch.allclose(stages["score"], scores.image, atol=1e-5)
    of_the_map = "map" if "map" in stages else "map_grid"  # of a method that enlarges its maps itself
    assert torch.allclose(stages[of_the_map], scores.pixel, atol=1e-5)


def test_training_goes_where_it_should(make, card, encode_with, tiny_backbone, tiny_images):
    detector = make()
    seen = encode_with(detector, tiny_images, NAMES)
    optimised = card.recipe is not None and not card.recipe.one_pass
    assert isinstance(detector, Trainable) == optimised
    if not optimised:
        pytest.skip("learns nothing by gradients")
    masks = torch.zeros(3, tiny_backbone.image_size, tiny_backbone.image_size)
    masks[0, 5:30, 5:30] = 1
    losses = detector.loss(seen, Batch(tiny_images, masks, torch.tensor([1, 0, 1]), tuple(NAMES)))
    assert all(value.shape == () and value.isfinite() for value in losses.values())
    sum(losses.values()).backward()
    assert all(p.grad is not None for p in detector.network.parameters() if p.requires_grad)
    for tower in (tiny_backbone.vision, tiny_backbone.text):
        assert all(p.grad is None for p in tower.parameters())


def test_few_shots_are_remembered_and_forgotten(make, card, seen):
    detector = make()
    assert isinstance(detector, FewShot) == card.few_shot
    if not card.few_shot:
        pytest.skip("has no few-shot form")
    normal = part(seen, [1])
    with torch.no_grad():
        before = detector.score(seen, NAMES)
        detector.remember(normal)
        known = detector.score(seen, NAMES)
        assert known.pixel[1].mean() < known.pixel[[0, 2]].mean(), "what was remembered is the least strange"
        for rows in ([0], [2, 1]):
            some = detector.score(part(seen, rows), [NAMES[row] for row in rows])
            assert (some.image - known.image[rows]).abs().max() <= 1e-5
            assert (some.pixel - known.pixel[rows]).abs().max() <= 1e-5
        detector.remember(part(seen, [0, 2]))
        assert not torch.equal(detector.score(seen, NAMES).pixel, known.pixel)
        detector.remember(part(seen, []))
        if card.needs_shots(card.options()):
            with pytest.raises(UsageError, match="normal images"):
                detector.score(seen, NAMES)
        else:
            assert torch.equal(detector.score(seen, NAMES).pixel, before.pixel)


def test_an_auxiliary_set_is_remembered_in_any_batches(make, card, seen, tiny_backbone):
    if card.recipe is None or not card.recipe.one_pass:
        pytest.skip("remembers no auxiliary set")
    masks = torch.zeros(3, tiny_backbone.image_size, tiny_backbone.image_size)
    masks[0, : tiny_backbone.image_size // 2] = 1
    labels = torch.tensor([1, 0, 1])

    def batches(*groups):
        for rows in groups:
            names = tuple(NAMES[row] for row in rows)
            yield part(seen, rows), Batch(torch.empty(0), masks[rows], labels[rows], names)

    found = []
    for groups in ([[0, 1, 2]], [[2], [0, 1]], [[1], [2], [0]]):
        detector = make()
        assert isinstance(detector, Remembering)
        before = detector.score(seen, NAMES)
        with torch.no_grad():
            detector.remember_auxiliary(batches(*groups))
        found.append(detector.score(seen, NAMES))
        assert not torch.equal(found[-1].pixel, before.pixel)
        again = make()
        again.network.expect_state(detector.network.state_dict())
        again.network.load_state_dict(detector.network.state_dict())
        assert torch.equal(again.score(seen, NAMES).pixel, found[-1].pixel)
    for other in found[1:]:
        assert (other.pixel - found[0].pixel).abs().max() <= 1e-6
        assert (other.image - found[0].image).abs().max() <= 1e-6


def test_a_whole_class_is_scored_the_same_in_any_order_and_batches(make, card, encode_with, tiny_images):
    if not whole_class(card):
        pytest.skip("scores every image by itself")
    detector, images = make(), torch.cat([tiny_images.roll(shift, dims=-1) for shift in (0, 5, 11)])
    assert isinstance(detector, WholeClass)
    assert any(protocol.across_images == "transductive" for protocol in card.protocols)
    with torch.no_grad():
        seen = encode_with(detector, images, [NAMES[0]] * len(images))
        with pytest.raises(UsageError):
            detector.score(seen, [NAMES[0]] * len(images))
        found = []
        for groups in ([range(9)], [range(4), range(4, 9)], [[8, 0, 3], [1], [7, 2], [6, 5, 4]]):
            detector.begin_class(NAMES[0])
            for rows in groups:
                detector.gather(part(seen, list(rows)))
            scores = list(detector.score_class())
            order = torch.tensor([row for rows in groups for row in rows]).argsort()
            found.append([torch.cat(tensors)[order] for tensors in zip(*scores, strict=True)])
    for image, pixel in found:
        assert image.isfinite().all()
        assert pixel.isfinite().all()
        assert pixel.std() > 0
        assert (image - found[0][0]).abs().max() <= 1e-5
        assert (pixel - found[0][1]).abs().max() <= 1e-5


def test_a_state_comes_back(make, card, seen):
    if card.recipe is None:
        pytest.skip("learns nothing")
    trained, fresh = make(), make()
    with torch.no_grad():
        for parameter in trained.network.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)))
        fresh.network.load_state_dict(trained.network.state_dict())
        assert torch.equal(trained.score(seen, NAMES).pixel, fresh.score(seen, NAMES).pixel)


def test_files_that_are_not_its_own_are_refused(make, card, tmp_path):
    if card.official is None:
        pytest.skip("publishes no files")
    path = tmp_path / "foreign.pth"
    torch.save({"something": torch.zeros(2)}, path)
    with pytest.raises(WeightsError):
        card.official.read([path])
    ours = make().network.state_dict().keys() if card.recipe else set()
    assert set(card.official.names().values()) <= set(ours)


def test_wrong_option_names_do_not_pass(card):
    with pytest.raises((TypeError, UsageError)):
        card.options(no_such_option=1)


@pytest.mark.usefixtures("scores_alone")
def test_text_that_was_encoded_beforehand_is_all_that_scoring_wants(make, seen, tiny_backbone, monkeypatch):
    detector, later = make(), make()
    if not isinstance(detector, TextFirst):
        pytest.skip("it may want text for an image")
    detector.encode_text(sorted(set(NAMES)))
    scores = later.score(seen, NAMES)
    monkeypatch.setattr(tiny_backbone.text, "forward", None)
    assert all(torch.equal(one, other) for one, other in zip(detector.score(seen, NAMES), scores, strict=True))

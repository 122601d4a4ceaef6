"""Mosaics of training images, pixel by pixel: which images, where, with which mask, how often, on which sets."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from zsadbench import registry
from zsadbench.card_faults import faults_of
from zsadbench.data import batches, load_dataset
from zsadbench.engine import estimate
from zsadbench.engine.encode.towers import build_towers
from zsadbench.engine.learn.detector import train_or_load
from zsadbench.engine.learn.loop import TrainingBatches
from zsadbench.engine.learn.mosaics import draw_mosaics
from zsadbench.engine.plan.jobs import make_plan
from zsadbench.engine.plan.request import TOKEN_CACHE
from zsadbench.errors import UsageError

MEAN, DEVIATION = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
PUBLISHED = {"aprilgan": "by_defect", "adaclip": "distinct"}


def frame(**counts):
    """A manifest of one class per key, with so many images per kind of defect."""
    rows = [
        {"class": name, "defect": defect}
        for name, defects in counts.items()
        for defect, count in defects.items()
        for _ in range(count)
    ]
    return pd.DataFrame(rows)


def drawn(rows, rule, times, seed=0):
    """All mosaics of so many epochs, as (replaced position, four positions)."""
    found = (draw_mosaics(rows, rule, np.random.default_rng([seed, epoch])) for epoch in range(times))
    return [item for mosaics in found for item in mosaics.items()]


# --- what is drawn --------------------------------------------------------------------------------

ROWS = frame(nut={"good": 2, "scratch": 18}, pill={"good": 20, "crack": 5, "dent": 5})


@pytest.mark.parametrize("rule", ["by_defect", "distinct"])
def test_a_fifth_of_the_images_is_replaced_by_images_of_their_class(rule):
    found, classes = drawn(ROWS, rule, 400), ROWS["class"].to_numpy()
    assert len(found) / (400 * len(ROWS)) == pytest.approx(0.2, abs=0.01)
    assert set(dict(found)) == set(range(len(ROWS))), "every image is replaced at some time"
    assert all(set(classes[list(four)]) == {classes[position]} for position, four in found)
    assert drawn(ROWS, rule, 3, seed=1) == drawn(ROWS, rule, 3, seed=1) != drawn(ROWS, rule, 3)


def test_defects_are_drawn_uniformly_and_then_images_of_them():
    tiles = [one for _, four in drawn(ROWS, "by_defect", 400) for one in four]
    defects = Counter(zip(ROWS["class"][tiles], ROWS["defect"][tiles], strict=True))
    nuts, pills = (sum(count for (name, _), count in defects.items() if name == one) for one in ("nut", "pill"))
    assert defects["nut", "good"] / nuts == pytest.approx(1 / 2, abs=0.03)
    for defect in ("good", "crack", "dent"):
        assert defects["pill", defect] / pills == pytest.approx(1 / 3, abs=0.03)
    of_crack = Counter(one for one in tiles if ROWS["defect"][one] == "crack")
    assert len(of_crack) == 5
    assert max(of_crack.values()) < 1.2 * min(of_crack.values())
    assert any(len(set(four)) < 4 for _, four in drawn(ROWS, "by_defect", 5)), "an image may be drawn again"


def test_four_different_images_of_the_whole_class():
    found = drawn(ROWS, "distinct", 400)
    assert all(len(set(four)) == 4 for _, four in found)
    nuts = [ROWS["defect"][one] for _, four in found for one in four if ROWS["class"][one] == "nut"]
    assert nuts.count("good") / len(nuts) == pytest.approx(2 / 20, abs=0.02)
    few = drawn(frame(nut={"good": 1, "scratch": 2}), "distinct", 50)
    assert few, "a class of three images has mosaics, in which images are repeated"
    assert drawn(ROWS, "none", 50) == []


# --- what a mosaic looks like ---------------------------------------------------------------------


def mosaic_by_hand(rows, tiles, size, rule):
    """The tensor and the mask of a mosaic: pixel after pixel, then Pillow, then the formula."""
    images = [np.asarray(Image.open(rows["path"][one]).convert("RGB")) for one in tiles]
    height, width = images[0].shape[:2]
    picture, white = np.zeros((2 * height, 2 * width, 3), np.uint8), np.zeros((2 * height, 2 * width), np.uint8)
    for number, one in enumerate(tiles):
        mask = np.asarray(Image.open(rows["mask"][one]).convert("L")) if rows["label"][one] else None
        for y in range(height):
            for x in range(width):
                where = y + (height if number >= 2 else 0), x + (width if number in (1, 3) else 0)
                picture[where] = images[number][y, x]
                white[where] = 255 if mask is not None and mask[y, x] != 0 else 0
    resized = np.array(Image.fromarray(picture).resize((size, size), Image.Resampling.BICUBIC), np.float32) / 255
    tensor = (torch.from_numpy(resized) - torch.tensor(MEAN)) / torch.tensor(DEVIATION)
    return tensor.permute(2, 0, 1), np.asarray(Image.fromarray(white).resize((size, size), rule)) / 255


@pytest.fixture
def bottles(mini):
    """The manifest of the bottles of mvtec."""
    manifest = load_dataset("mvtec", [mini], allow_partial=True).manifest
    return manifest[manifest["class"] == "bottle"].reset_index(drop=True)


@pytest.mark.parametrize("preprocessing", ["rgb_first", "resize_first"])
def test_a_mosaic_is_four_images_at_their_own_size_then_resized(bottles, preprocessing):
    normal, anomalous = (bottles.index[bottles["label"] == label].tolist() for label in (0, 1))
    tiles = (anomalous[0], normal[-1], anomalous[-1], anomalous[0])
    several = {"batch_size": 2, "order": [1, 0], "workers": 0, "size": 42, "preprocessing": preprocessing}
    (loaded,) = batches(bottles, masks="training", mosaics={0: tiles}, **several)
    tensor, mask = mosaic_by_hand(bottles, tiles, 42, Image.Resampling.BILINEAR)
    assert torch.allclose(loaded.images[1], tensor, atol=1e-6)
    assert np.array_equal(loaded.masks[1], mask > 0.5)
    assert loaded.masks[1].any()
    assert (loaded.mosaics.tolist(), loaded.labels.tolist()) == ([False, True], bottles["label"][[1, 0]].tolist())
    (plain,) = batches(bottles, masks="training", **several)
    assert torch.equal(loaded.images[0], plain.images[0])
    assert np.array_equal(loaded.masks[0], plain.masks[0])
    for rule, published in (
        ("training-grey", Image.Resampling.BICUBIC),
        ("training-nearest", Image.Resampling.NEAREST),
    ):
        (loaded,) = batches(bottles, masks=rule, mosaics={0: tiles}, **several)
        assert np.allclose(loaded.masks[1], mosaic_by_hand(bottles, tiles, 42, published)[1], atol=1e-6)


def test_a_mask_lies_on_its_image(tmp_path):
    """Every image has a square of its own colour in its own place and size, which is its mask; one is not marked."""
    squares = {  # colour, place, and the size of the image
        (255, 0, 0): ((4, 4, 12, 12), 32),
        (0, 255, 0): ((16, 8, 28, 28), 32),
        (0, 0, 255): ((40, 8, 56, 24), 64),
        (255, 255, 0): ((8, 8, 24, 24), 32),
    }
    rows = []
    for number, (colour, ((left, top, right, bottom), side)) in enumerate(squares.items()):
        picture, mask = np.zeros((side, side, 3), np.uint8), np.zeros((side, side), np.uint8)
        picture[top:bottom, left:right], mask[top:bottom, left:right] = colour, 255
        paths = tmp_path / f"{number}.png", tmp_path / f"{number}_mask.png"
        Image.fromarray(picture).save(paths[0])
        Image.fromarray(mask).save(paths[1])
        rows.append({"path": str(paths[0]), "relative": paths[0].name, "mask": str(paths[1]), "label": number < 3})
    manifest = pd.DataFrame(rows).astype({"label": int})
    (loaded,) = batches(manifest, size=64, masks="training", mosaics={3: (0, 1, 2, 3)}, order=[3], workers=0)
    brightness = loaded.images[0] * torch.tensor(DEVIATION).view(3, 1, 1) + torch.tensor(MEAN).view(3, 1, 1)
    coloured = brightness.amax(dim=0).numpy() > 0.5
    coloured[32:, 32:] = False  # the last one is normal
    assert np.array_equal(loaded.masks[0].astype(bool), coloured)
    quarters = [(loaded.masks[0][y : y + 32, x : x + 32]).sum() for y in (0, 32) for x in (0, 32)]
    assert quarters == [8 * 8, 12 * 20, 8 * 8, 0], "that of 64 pixels has the size of the first"
    assert loaded.labels.tolist() == [0], "the label is that of the replaced image"


# --- in a training --------------------------------------------------------------------------------


@pytest.fixture
def planned(request_for):
    """`planned(method, **changes)`: the job of a method that learns from mvtec."""

    def make(method, **changes):
        several = {"methods": (method,), "targets": ("colondb",), "aux": "mvtec", "allow_partial": True}
        (job,) = make_plan(request_for(**{**several, **changes})).jobs
        return job

    return make


@pytest.mark.parametrize(("method", "rule"), PUBLISHED.items())
def test_mosaics_are_those_of_mvtec_alone_and_can_be_switched_off(planned, method, rule):
    job = planned(method)
    assert job.cell["recipe"]["mosaic"] == rule
    off = planned(method, options=("recipe.mosaic=none",))
    elsewhere = planned(method, aux="btad")
    assert "mosaic" not in off.cell["recipe"]
    assert "mosaic" not in elsewhere.cell["recipe"]
    assert off.path != job.path
    count = len(job.aux.manifest)
    found = {
        name: sum(int(loaded.mosaics.sum()) for loaded in TrainingBatches(one.setup, one.aux, 0, 0, None, pin=False))
        for name, one in (("on", job), ("off", off), ("elsewhere", elsewhere))
    }
    assert 0 < found["on"] < count / 2
    assert (found["off"], found["elsewhere"]) == (0, 0)


def test_only_two_methods_have_them_and_other_values_are_refused(planned):
    cards = [registry.method_card(name) for name in registry.names("methods")]
    rules = {
        card.name: card.recipe.on["mvtec"]["mosaic"] for card in cards if card.recipe and "mvtec" in card.recipe.on
    }
    assert rules == PUBLISHED
    with pytest.raises(UsageError, match=r"'recipe\.mosaic' is 'maybe'; it takes one of: none, by_defect, distinct"):
        planned("aprilgan", options=("recipe.mosaic=maybe",))
    card = registry.method_card("aprilgan")
    assert faults_of(replace(card, recipe=replace(card.recipe, mosaic="maybe"))) == [
        "'recipe.mosaic' is 'maybe'; it is one of none, by_defect, distinct"
    ]


def test_an_epoch_has_the_same_mosaics_whenever_and_however_it_is_read(planned):
    job = planned("aprilgan", epochs=3)
    whole = TrainingBatches(job.setup, job.aux, 0, 0, None, pin=False)
    later = list(replace(whole, first_epoch=2, workers=2))
    last = list(whole)[-len(later) :]
    assert any(loaded.mosaics.any() for loaded in later)
    for one, other in zip(later, last, strict=True):
        assert torch.equal(one.images, other.images)
        assert np.array_equal(one.masks, other.masks)
        assert np.array_equal(one.mosaics, other.mosaics)
    first = list(whole)[: len(later)]
    assert {row for one in first for row in one.rows[one.mosaics]} != {
        row for one in last for row in one.rows[one.mosaics]
    }


def test_the_tokens_of_mosaics_are_not_cached(planned):
    job = planned("aprilgan", epochs=3)
    replaced = sum(int(loaded.mosaics.sum()) for loaded in TrainingBatches(job.setup, job.aux, 0, 0, None, pin=False))
    towers, curves, counts = build_towers(job.setup, torch.device("cpu")), [], []
    for budget in (0, TOKEN_CACHE, TOKEN_CACHE):
        curve = []
        made = train_or_load(
            *(job.setup, towers, job.aux, 0),
            workers=0,
            token_cache=budget,
            fresh=True,
            on_step=lambda done, total, loss, epochs, curve=curve: curve.append(loss),
        )
        curves.append(curve)
        counts.append(made.encoded)
    assert curves[0] == curves[1] == curves[2]
    assert counts[0] == 3 * len(job.aux.manifest)
    assert replaced < counts[1] < counts[0]
    estimated = estimate._count_encoded([job], TOKEN_CACHE)
    assert estimated == len(job.aux.manifest) + int(3 * 0.2 * len(job.aux.manifest)), (
        "once, and the mosaics in addition"
    )
    assert counts[2] < counts[1], "a later training encodes mosaics, and what was only seen in them"
    assert counts[2] >= replaced

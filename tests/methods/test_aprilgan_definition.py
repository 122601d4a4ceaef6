"""APRIL-GAN word for word: two probabilities per pixel, one patch at a time, against the code."""

import numpy as np
import pytest
import torch
from torch.nn.functional import cosine_similarity, interpolate

from zsadbench.errors import UsageError
from zsadbench.registry import method_card
from zsadbench.types import Batch
from zsadbench_methods.aprilgan.about import scale_maxima
from zsadbench_methods.aprilgan.prompts import TEMPLATES, sentences_of

CARD = method_card("aprilgan")
NAMES = ["bolt", "metal_nut", "bolt"]
SIZE = 70


@pytest.fixture(scope="module")
def detector(widened):
    return widened("aprilgan")


@pytest.fixture(scope="module")
def seen(detector, tiny_backbone, tiny_images):
    with torch.no_grad():
        return tiny_backbone.vision(tiny_images, CARD.taps(detector.options))


def text_by_hand(backbone, name):
    sides = []
    for sentences in sentences_of(name):
        features = torch.stack([backbone.text.sentence_features([sentence])[0] for sentence in sentences])
        mean = (features / features.norm(dim=-1, keepdim=True)).mean(dim=0)
        sides.append(mean / mean.norm())
    return torch.stack(sides)


def probabilities_by_hand(detector, layer, number, text):
    """Both probabilities of one image per pixel, (2, size, size): linear, unit, 100 · cosine, enlarge, softmax."""
    linear = detector.network.linear[number]
    patches = layer[1:] @ linear.weight.T + linear.bias
    logits = 100 * (patches / patches.norm(dim=-1, keepdim=True)) @ text.T  # (patches, 2)
    grid = logits.T.reshape(1, 2, 5, 5)
    return interpolate(grid, (SIZE, SIZE), mode="bilinear", align_corners=True)[0].softmax(dim=0)


def test_the_text_is_a_mean_of_unit_sentences(detector, tiny_backbone):
    with torch.no_grad():
        assert torch.allclose(
            detector.text_features(["metal_nut"])[0], text_by_hand(tiny_backbone, "metal_nut"), atol=1e-5
        )


def test_zero_shot_is_the_formula(detector, seen, tiny_backbone):
    with torch.no_grad():
        found = detector.score(seen, NAMES)
        for row, name in enumerate(NAMES):
            text = detector.text_features([name])[0]
            maps = [probabilities_by_hand(detector, layer[row], k, text)[1] for k, layer in enumerate(seen.layers)]
            assert torch.allclose(found.pixel[row], sum(maps), atol=3e-5)
            vision = tiny_backbone.vision
            image = vision.norm(seen.layers[-1][row, 0]) @ vision.projection
            probability = (100 * cosine_similarity(image, text, dim=-1)).softmax(dim=0)[1]
            assert torch.allclose(found.image[row], probability, atol=1e-5)


def test_few_shot_adds_the_distance_to_the_nearest_patch(widened, seen, tiny_backbone, tiny_images):
    detector = widened("aprilgan", memory_layers=(6, 24), map_share=0.25)
    with torch.no_grad():
        zero_shot = detector.score(seen, NAMES)
        detector.remember(tiny_backbone.vision(tiny_images[1:], CARD.taps(detector.options)))
        few_shot = detector.score(seen, NAMES)
        added = 0
        for layer in (seen.layers[0], seen.layers[3]):
            known = layer[1:, 1:].flatten(0, 1)
            distances = [min(1 - cosine_similarity(patch, one, dim=0) for one in known) for patch in layer[0, 1:]]
            grid = torch.stack(distances).reshape(1, 1, 5, 5)
            added = added + interpolate(grid, (SIZE, SIZE), mode="bilinear", align_corners=True)[0, 0]
        assert torch.allclose(few_shot.pixel[0], zero_shot.pixel[0] + added, atol=3e-5)
        scaled = 0.75 * zero_shot.image + 0.25 * few_shot.pixel.amax(dim=(1, 2)) / (4 + 2 * 2)
        assert torch.allclose(few_shot.image, scaled, atol=1e-6)
        parts = detector.image_parts(seen, NAMES, few_shot)
        assert torch.allclose(parts["class_token"], zero_shot.image, atol=1e-6)
        assert torch.equal(parts["map_max"], few_shot.pixel.amax(dim=(1, 2)))


def test_the_published_score_scales_maxima_over_the_class():
    parts = {"class_token": np.array([0.2, 0.4, 0.9]), "map_max": np.array([2.0, 4.0, 3.0])}
    assert scale_maxima(parts, 0.5) == pytest.approx([0.1, 0.7, 0.7])
    assert scale_maxima({**parts, "map_max": np.full(3, 2.0)}, 0.5) == pytest.approx([0.1, 0.2, 0.45])


def masks_of(rows):
    masks = torch.zeros(3, SIZE, SIZE)
    masks[0, 10:30, 20:50] = 1
    masks[2, 60:, :5] = 1
    return masks[rows]


@pytest.mark.parametrize("rows", [[0, 1, 2], [0]])
def test_the_losses_are_the_formulas(detector, seen, tiny_images, rows):
    tokens = seen._replace(layers=tuple(layer[rows] for layer in seen.layers))
    batch = Batch(tiny_images[rows], masks_of(rows), torch.tensor([1, 0, 1])[rows], tuple(NAMES[row] for row in rows))
    with torch.no_grad():
        found = detector.loss(tokens, batch)
        for number, block in enumerate((6, 12, 18, 24)):
            focal, overlaps = [], []
            for row, name in enumerate(batch.class_names):
                text, mask = detector.text_features([name])[0], batch.masks[row]
                both = probabilities_by_hand(detector, tokens.layers[number][row], number, text)
                target = torch.stack([1 - mask, mask]).clamp(1e-5, 1 - 1e-5)
                matched = (target * both).sum(dim=0) + 1e-5
                focal.append(-((1 - matched) ** 2) * matched.log())
                for a, t in zip(both[1], mask, strict=True) if len(rows) == 1 else [(both[1], mask)]:
                    overlaps.append((2 * (a * t).sum() + 1) / (a.sum() + t.sum() + 1))
            assert torch.allclose(found[f"focal_l{block:02d}"], torch.stack(focal).mean(), atol=1e-5)
            assert torch.allclose(found[f"dice_l{block:02d}"], 1 - torch.stack(overlaps).mean(), atol=1e-5)


def test_a_single_image_may_count_as_one(widened, seen, tiny_images):
    tokens = seen._replace(layers=tuple(layer[:1] for layer in seen.layers))
    batch = Batch(tiny_images[:1], masks_of([0]), torch.tensor([1]), ("bolt",))
    with torch.no_grad():
        by_row, by_image = (widened("aprilgan", dice_by_row=each).loss(tokens, batch) for each in (True, False))
    assert by_row["focal_l06"] == by_image["focal_l06"]
    assert abs(by_row["dice_l06"] - by_image["dice_l06"]) > 1e-3


def test_the_sentences():
    normal, abnormal = sentences_of("metal_nut")
    assert (len(normal), len(abnormal), len(set(TEMPLATES))) == (245, 175, 35)
    assert normal[0] == "a bad photo of a metal_nut."
    assert normal[35] == "a bad photo of a flawless metal_nut."
    assert abnormal[-1] == "this is one metal_nut with damage in the scene."
    assert abnormal[35] == "a bad photo of a broken metal_nut."


def test_gradients_reach_the_linear_layers_alone(detector, seen, tiny_images, tiny_backbone):
    batch = Batch(tiny_images, masks_of([0, 1, 2]), torch.tensor([1, 0, 1]), tuple(NAMES))
    detector.network.zero_grad()
    sum(detector.loss(seen, batch).values()).backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in detector.network.parameters())
    assert all(parameter.grad is None for parameter in tiny_backbone.text.parameters())


BAD = [
    *({"layers": ()}, {"layers": (6, 6)}, {"memory_layers": (25,)}, {"logit_scale": 0}, {"map_share": 1.5}),
    *({"focal_gamma": -1}, {"focal_smoothing": 0.5}),
]


@pytest.mark.parametrize("options", BAD, ids=str)
def test_bad_options(options):
    with pytest.raises(UsageError):
        CARD.options(**options)

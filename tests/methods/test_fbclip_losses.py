"""FB-CLIP's losses, element by element."""

from math import exp, log

import pytest
import torch
from torch.nn.functional import interpolate

from zsadbench.types import Scores
from zsadbench_methods.fbclip.losses import all_losses, consistency
from zsadbench_methods.fbclip.options import Options
from zsadbench_methods.parts.losses import dice, focal


def random(*shape, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def slow_focal(probability, target, gamma):
    terms = []
    for p, t in zip(probability.flatten().tolist(), target.flatten().tolist(), strict=True):
        cut = [max(log(x), -100.0) if x > 0 else -100.0 for x in (p, 1 - p)]
        matched = p * t + (1 - p) * (1 - t)
        terms.append(-(t * cut[0] + (1 - t) * cut[1]) * (1 - matched) ** gamma)
    return sum(terms) / len(terms)


@pytest.mark.parametrize("gamma", [0.0, 2.0, 4.0])
def test_focal(gamma):
    p, t = random(4, 5), (random(4, 5, seed=1) > 0.5).float()
    p[0, 0], t[0, 0], p[0, 1], t[0, 1] = 0.0, 1.0, 1.0, 1.0  # wholly wrong, wholly right
    assert focal(p, t, gamma).item() == pytest.approx(slow_focal(p, t, gamma), rel=1e-5)


def test_focal_of_a_certain_mistake_is_cut_at_100():
    assert focal(torch.zeros(1), torch.ones(1), 4.0).item() == 100.0


def test_dice():
    p, t = random(3, 4, 4), (random(3, 4, 4, seed=2) > 0.7).float()
    t[1] = 0
    ratios = [(2 * (p[b] * t[b]).sum() + 1) / (p[b].sum() + t[b].sum() + 1) for b in range(3)]
    assert dice(p, t).item() == pytest.approx(1 - sum(ratios).item() / 3, rel=1e-5)
    assert dice(t, t).item() == pytest.approx(0, abs=1e-6)
    assert dice(torch.zeros(1, 4, 4), torch.zeros(1, 4, 4)).item() == 0


@pytest.mark.parametrize("margin", [0.0, 1.0, 5.0])
def test_consistency(margin):
    tokens, text = random(3, 7, 5, seed=3) - 0.3, random(2, 5, seed=4) - 0.3
    text = text / text.norm(dim=-1, keepdim=True)
    entropy, hinge = 0.0, 0.0
    for image in tokens:
        w = image.mean(dim=0)
        a, b = ((w / w.norm()) @ text.T / 0.07).tolist()
        shares = [1 / (1 + exp(b - a)), 1 / (1 + exp(a - b))]
        entropy -= sum(share * log(share + 1e-8) for share in shares) / 3
        hinge += max(0.0, margin - abs(a - b)) / 3
    assert consistency(tokens, text, 0.07, margin).item() == pytest.approx(entropy + 0.5 * hinge, rel=1e-4)


def test_all_of_them(batch):
    scores = Scores(random(3, seed=5), random(3, 5, 5, seed=6))
    last, text = random(3, 26, 8, seed=7), torch.eye(2, 8)
    options = Options(focal_gamma=3.0, dice_weight=0.5, scr_weight=0.25, scr_margin=2.0, temperature=0.1)
    losses = all_losses(scores, last, text, batch, options)
    enlarged = interpolate(scores.pixel[:, None], size=(70, 70), mode="bilinear", align_corners=False)[:, 0]
    assert losses["image_focal"].item() == pytest.approx(slow_focal(scores.image, batch.labels.float(), 3.0), rel=1e-5)
    assert losses["pixel_focal"].item() == pytest.approx(slow_focal(enlarged, batch.masks, 3.0), rel=1e-4)
    assert losses["pixel_dice_weighted"].item() == pytest.approx(0.5 * dice(enlarged, batch.masks).item(), rel=1e-5)
    scr = consistency(last, text, 0.1, 2.0).item()
    assert losses["consistency_weighted"].item() == pytest.approx(0.25 * scr, rel=1e-5)
    assert all(value.shape == () for value in losses.values())


def test_certain_maps_give_finite_losses(batch):
    scores = Scores(torch.tensor([0.0, 1.0, 1.0]), torch.ones(3, 5, 5))
    losses = all_losses(scores, random(3, 26, 8), torch.eye(2, 8), batch, Options())
    assert all(value.isfinite() for value in losses.values())


def test_a_map_that_rounding_pushed_past_one_is_taken_as_one(batch):
    scores = Scores(torch.ones(3), torch.full((3, 5, 5), 1.0 + 2e-7))
    exact = all_losses(scores._replace(pixel=torch.ones(3, 5, 5)), random(3, 26, 8), torch.eye(2, 8), batch, Options())
    assert all_losses(scores, random(3, 26, 8), torch.eye(2, 8), batch, Options()) == exact

"""AF-CLIP's losses, element by element; the alignment pair by pair, the aliased gradient as it came about."""

from math import log

import pytest
import torch
from torch.nn.functional import interpolate

from zsadbench.types import Scores
from zsadbench_methods.afclip.alignment import alignment
from zsadbench_methods.afclip.losses import AliasedFocal, loss_terms, patch_target, weighted
from zsadbench_methods.afclip.options import Options
from zsadbench_methods.parts.losses import focal


def random(*shape, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


# --- targets ---------------------------------------------------------------------------------------


def test_the_target_of_a_patch_is_the_mean_of_its_middle():
    masks = (random(2, 70, 70) > 0.5).float()
    target = patch_target(masks, 5)
    for b in range(2):
        for row in range(5):
            for column in range(5):
                middle = masks[b, 14 * row + 6 : 14 * row + 8, 14 * column + 6 : 14 * column + 8].mean().item()
                wanted = middle if middle == 0.5 else float(middle > 0.5)
                assert target[b, row, column] == wanted
    assert {0.0, 0.5, 1.0} == set(target.unique().tolist())


# --- alignment -------------------------------------------------------------------------------------


def slow_alignment(features, target, *, pooled):
    """Every pair of patches of an image, the pair of a patch with itself included; means over the whole batch."""
    pairs = {"mixed": [], "normal": [], "abnormal": []}
    for image, marks in zip(features.double(), target, strict=True):
        unit = image / image.norm(dim=-1, keepdim=True)
        for i, one in enumerate(marks.tolist()):
            for j, other in enumerate(marks.tolist()):
                if {one, other} <= {0.0, 1.0}:
                    kind = "mixed" if one != other else "abnormal" if one else "normal"
                    pairs[kind].append((unit[i] @ unit[j]).item())
    if not pairs["mixed"]:
        return 0.0
    alike = [pairs["normal"] + pairs["abnormal"]] if pooled else [pairs["normal"], pairs["abnormal"]]
    mixed = sum(pairs["mixed"]) / len(pairs["mixed"])
    return sum(max(mixed - sum(kind) / len(kind), 0.0) for kind in alike)


def contrary(seed):
    """Tokens whose normal and abnormal patches resemble each other more than their own kind: the hinge is open."""
    features = torch.randn(3, 12, 6, generator=torch.Generator().manual_seed(seed))
    target = torch.tensor([0.0, 1.0, 0.5]).repeat(4).expand(3, -1).clone()
    features[:, 1::3] = features[:, 0::3] + 0.1 * features[:, 1::3]
    target[1] = 0.0
    return features, target


@pytest.mark.parametrize("how", ["pooled", "separate"])
@pytest.mark.parametrize("seed", range(5))
def test_the_linear_alignment_is_the_quadratic_one(how, seed):
    features, target = contrary(seed)
    found = alignment(features, target, Options(alignment=how))
    assert found.item() == pytest.approx(slow_alignment(features, target, pooled=how == "pooled"), abs=1e-6)


def test_both_sides_of_the_hinge_occur():
    values = [alignment(*contrary(seed), Options()).item() for seed in range(5)]
    tidy = torch.cat([torch.ones(1, 3, 4), -torch.ones(1, 3, 4)], dim=1)
    assert max(values) > 0
    assert alignment(tidy, torch.tensor([[0.0, 0, 0, 1, 1, 1]]), Options()).item() == 0


def quadratic(features, target):
    """The published form: a matrix of all pairs of patches an image."""
    unit = torch.nn.functional.normalize(features, dim=-1)
    signs = torch.where(target == 0, -1.0, target)
    cosines, kinds = unit @ unit.transpose(1, 2), signs.unsqueeze(2) * signs.unsqueeze(1)
    return (cosines[kinds == -1].mean() - cosines[kinds == 1].mean()).clamp_min(0)


def test_its_gradient_is_that_of_the_quadratic_form():
    features, target = contrary(1)
    features.requires_grad_()
    gradients = []
    for form in (quadratic(features, target), alignment(features, target, Options())):
        assert form > 0
        gradients.append(torch.autograd.grad(form, features)[0])
    assert torch.allclose(*gradients, atol=1e-7)


@pytest.mark.parametrize("value", [0.0, 1.0, 0.5])
def test_without_a_mixed_pair_there_is_nothing_to_align(value):
    features = torch.randn(2, 6, 4).requires_grad_()
    for how in ("pooled", "separate"):
        lost = alignment(features, torch.full((2, 6), value), Options(alignment=how))
        assert lost.item() == 0
        lost.backward()
    assert features.grad.isfinite().all()


# --- the aliased gradient --------------------------------------------------------------------------


def published_way(probability, target, gamma):
    """The product rule by hand: the values of the forward pass, and −1 for 0 wherever backward reads the target."""
    gradients = []
    for p, t in zip(probability.flatten().tolist(), target.flatten().tolist(), strict=True):
        seen = -1.0 if t == 0 else t
        rest = 1 - (p * t + (1 - p) * (1 - t))
        entropy = -(t * log(p) + (1 - t) * log(1 - p))
        slope_of_entropy = (p - seen) / (p * (1 - p))
        slope_of_match = seen - (1 - t)  # d(p·t)/dp reads the target anew, d((1 − p)·(1 − t))/dp a value of its own
        gradients.append(slope_of_entropy * rest**gamma - entropy * gamma * rest ** (gamma - 1) * slope_of_match)
    return torch.tensor(gradients).view_as(probability) / probability.numel()


@pytest.mark.parametrize("gamma", [1.0, 2.0, 4.0])
def test_the_published_gradient(gamma):
    p, t = random(4, 6).clamp(0.05, 0.95).requires_grad_(), (random(4, 6, seed=1) * 3).floor().clamp_max(2) / 2
    assert set(t.unique().tolist()) == {0.0, 0.5, 1.0}
    lost = AliasedFocal.apply(p, t, gamma)
    assert lost.item() == focal(p, t, gamma).item()
    (found,) = torch.autograd.grad(3 * lost, p)
    assert torch.allclose(found, 3 * published_way(p.detach(), t, gamma), rtol=1e-4)


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_the_gradient_of_a_normal_patch_in_closed_form(p):
    probability = torch.tensor([p], requires_grad=True)
    (found,) = torch.autograd.grad(AliasedFocal.apply(probability, torch.zeros(1), 4.0), probability)
    assert found.item() == pytest.approx(p**3 * (1 + p) / (1 - p) - 8 * p**3 * log(1 - p), rel=1e-4)
    (intended,) = torch.autograd.grad(focal(probability, torch.zeros(1), 4.0), probability)
    assert intended.item() == pytest.approx(p**4 / (1 - p) - 4 * p**3 * log(1 - p), rel=1e-4)


def test_other_patches_keep_their_gradient():
    p, t = random(8).clamp(0.05, 0.95).requires_grad_(), torch.tensor([1.0, 0.5] * 4)
    aliased, intended = (torch.autograd.grad(f(p, t, 4.0), p)[0] for f in (AliasedFocal.apply, focal))
    assert torch.allclose(aliased, intended, atol=1e-6)


def test_certain_patches_have_finite_gradients():
    p = torch.tensor([0.0, 1.0, 0.0, 1.0], requires_grad=True)
    AliasedFocal.apply(p, torch.tensor([0.0, 0.0, 1.0, 1.0]), 4.0).backward()
    assert p.grad.isfinite().all()


# --- all of them -----------------------------------------------------------------------------------


def terms(batch, **options):
    image, pixel = random(3, seed=5).requires_grad_(), random(3, 5, 5, seed=6).requires_grad_()
    found = loss_terms(Scores(image, pixel), torch.tensor(0.25), batch, Options(**options))
    return found, image, pixel


def test_every_term(batch):
    found, image, pixel = terms(batch, focal_gamma=3.0)
    target = patch_target(batch.masks, 5)
    small = interpolate(batch.masks[:, None], (5, 5), mode="bilinear", align_corners=False)[:, 0]
    assert torch.equal(target, small.round()), "no patch of this batch lies on the fence"
    assert found["image_focal"].item() == focal(image, batch.labels.float(), 3.0).item()
    assert found["pixel_focal"].item() == focal(pixel, target, 3.0).item()
    assert found["pixel_l1"].item() == pytest.approx((pixel - target).abs().sum().item() / 75, rel=1e-5)
    assert found["alignment"].item() == 0.25


def test_the_weights(batch):
    found, _, _ = terms(batch)
    parts = weighted(found, Options(pixel_weight=2.0, alignment_weight=3.0))
    assert parts["image_focal"] == found["image_focal"]
    assert parts["pixel_focal_weighted"] == 2 * found["pixel_focal"]
    assert parts["pixel_l1_weighted"] == 2 * found["pixel_l1"]
    assert parts["alignment_weighted"].item() == 0.75


def test_the_alias_comes_with_the_alignment_and_touches_the_patches_alone(batch):
    def gradients(**options):
        found, image, pixel = terms(batch, **options)
        total = found["image_focal"] + found["pixel_focal"] + found["pixel_l1"]
        return torch.autograd.grad(total, (image, pixel))

    aliased, intended, unaligned = gradients(), gradients(target_alias=False), gradients(alignment="none")
    assert torch.equal(aliased[0], intended[0])
    assert (aliased[1] - intended[1]).abs().max() > 1e-4
    assert torch.equal(intended[1], unaligned[1])

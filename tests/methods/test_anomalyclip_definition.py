"""AnomalyCLIP word for word: slow, one image and one token at a time, in double precision, then compared."""

from math import exp, log

import pytest
import torch
from torch.nn.functional import interpolate

from zsadbench_methods.anomalyclip.losses import loss_terms, smoothed_focal, weighted
from zsadbench_methods.anomalyclip.options import Options
from zsadbench_methods.parts.losses import dice

NAMES = ["bolt"] * 3


def random(*shape, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def anomalyclip(widened):
    return lambda **options: widened("anomalyclip", **options)


@pytest.fixture(scope="module")
def tokens(make_tokens):
    return make_tokens(layers=1, values=2)


# --- the definition --------------------------------------------------------------------------------


def unit(vector):
    return vector / vector.norm()


def slow_norm(x, layer):
    x = x.double()
    centred = x - x.mean(dim=-1, keepdim=True)
    return centred / (x.var(dim=-1, unbiased=False, keepdim=True) + 1e-5).sqrt() * layer.weight + layer.bias


def slow_text(detector):
    """Both sentences over all 77 places; the deep prompts in place of places 1 to m before every later block."""
    text, prompts, options = detector.backbone.text, detector.network.prompts, detector.options
    rows = []
    for context, words in ((prompts.normal, ""), (prompts.abnormal, f"{options.damage_word} ")):
        ids = text.tokenize([f"{'X ' * options.context}{words}{options.class_word}."])
        embedded = text.embed(ids).clone()
        embedded[0, 1 : 1 + options.context] = context
        x = embedded + text.positional_embedding
        for number, block in enumerate(text.transformer.resblocks):
            if 1 <= number < options.deep_depth:
                deep = prompts.deep[number - 1]
                x = x.clone()
                x[0, 1 : 1 + options.deep_length] = deep.half().float() if options.deep_half else deep
            x = block(x, attn_mask=text.causal_mask)
        end = ids[0].tolist().index(49407)
        rows.append(unit(text.norm(x[0, end]) @ text.projection))
    return torch.stack(rows)


def slow_scores(detector, tokens):
    text, options = slow_text(detector).double(), detector.options
    vision = detector.backbone.vision
    projection = vision.projection.double()
    layers = tokens.value_layers if options.value_value else tokens.layers[: len(options.layers)]
    images, maps = [], []

    def probability(feature):
        normal, abnormal = (exp((unit(feature) @ row).item() / options.temperature) for row in text)
        return abnormal / (normal + abnormal)

    for b in range(len(tokens.layers[0])):
        cls = tokens.layers[-1][b, 0]
        images.append(probability((slow_norm(cls, vision.norm) if options.cls_norm else cls.double()) @ projection))
        features = [slow_norm(layer[b, 1:], vision.norm) @ projection for layer in layers]
        by_layer = [[probability(patch) for patch in layer] for layer in features]
        halves = [[(p + 1 - (1 - p)) / 2 for p in layer] for layer in by_layer]
        maps.append(torch.tensor(halves).sum(dim=0).reshape(tokens.grid, tokens.grid))
    return torch.tensor(images), torch.stack(maps)


SETTINGS = [
    {"layers": (12, 24)},
    {"layers": (12, 24), "deep_half": False, "deep_length": 2, "temperature": 0.2},
    {"layers": (12, 24), "cls_norm": True, "class_word": "part", "damage_word": "broken"},
    {"layers": (12, 24), "deep_depth": 1, "context": 5},
]


@pytest.mark.parametrize("options", SETTINGS)
def test_scores_are_their_definition(anomalyclip, tokens, options):
    detector = anomalyclip(**options)
    with torch.no_grad():
        image, pixel = slow_scores(detector, tokens)
        found = detector.score(tokens, NAMES)
    assert (found.image - image).abs().max() < 2e-5
    assert (found.pixel - pixel).abs().max() < 2e-5
    assert pixel.std() > 0.01


def test_plain_patches_are_their_definition(anomalyclip, make_tokens):
    detector, plain = anomalyclip(layers=(6, 12), value_value=False), make_tokens(layers=3)
    with torch.no_grad():
        image, pixel = slow_scores(detector, plain)
        found = detector.score(plain, NAMES)
    assert (found.image - image).abs().max() < 2e-5
    assert (found.pixel - pixel).abs().max() < 2e-5


@pytest.mark.parametrize("options", SETTINGS)
def test_text_features_are_their_definition(anomalyclip, options):
    detector = anomalyclip(**options)
    with torch.no_grad():
        assert (detector.text_features() - slow_text(detector)).abs().max() < 5e-6


def test_rounding_of_deep_prompts_shows_in_the_text_and_in_the_gradient(anomalyclip):
    rounded, exact = anomalyclip(), anomalyclip(deep_half=False)
    assert (rounded.text_features() - exact.text_features()).abs().max() > 5e-6
    for detector in (rounded, exact):
        detector.text_features()[0, :8].sum().backward()
    gradients = [detector.network.prompts.deep[0].grad for detector in (rounded, exact)]
    assert torch.allclose(*gradients, rtol=2e-2, atol=1e-5)
    assert not torch.equal(*gradients)


# --- losses ----------------------------------------------------------------------------------------


def slow_focal(probability, target, gamma, s):
    terms = []
    for p, t in zip(probability.flatten().tolist(), target.flatten().tolist(), strict=True):
        wanted = [min(max(1 - t, s), 1 - s), min(max(t, s), 1 - s)]
        matched = wanted[0] * (1 - p) + wanted[1] * p + s
        terms.append(-((1 - matched) ** gamma) * log(matched))
    return sum(terms) / len(terms)


@pytest.mark.parametrize(("gamma", "smoothing"), [(2.0, 1e-5), (0.0, 0.1), (3.0, 0.0)])
def test_smoothed_focal(gamma, smoothing):
    p, t = random(4, 5).clamp(0.01, 0.99), (random(4, 5, seed=1) > 0.5).float()
    assert smoothed_focal(p, t, gamma, smoothing).item() == pytest.approx(slow_focal(p, t, gamma, smoothing), rel=1e-4)


def test_a_certain_mistake_has_a_finite_loss():
    lost = smoothed_focal(torch.tensor([0.0, 1.0]), torch.tensor([1.0, 0.0]), 2.0, 1e-5)
    assert lost.item() == pytest.approx(-((1 - 2e-5) ** 2) * log(2e-5), rel=1e-3)


def test_all_of_them(batch):
    logit, maps = random(3, seed=2) * 4 - 2, random(3, 2, 5, 5, seed=3)
    options = Options(image_weight=0.5, pixel_weight=3.0, focal_gamma=2.5)
    terms = loss_terms(logit, maps, batch, options)
    entropy = 0.0
    for value, label in zip(logit.tolist(), batch.labels.tolist(), strict=True):
        entropy -= log(1 / (1 + exp(-value if label else value))) / 3
    assert terms["image_cross_entropy"].item() == pytest.approx(entropy, rel=1e-5)
    full = interpolate(maps, size=(70, 70), mode="bilinear", align_corners=False)
    sums = {"pixel_focal": 0.0, "pixel_dice_abnormal": 0.0, "pixel_dice_normal": 0.0}
    for layer in range(2):
        sums["pixel_focal"] += slow_focal(full[:, layer], batch.masks, 2.5, 1e-5)
        sums["pixel_dice_abnormal"] += dice(full[:, layer], batch.masks).item()
        sums["pixel_dice_normal"] += dice(1 - full[:, layer], 1 - batch.masks).item()
    for name, value in sums.items():
        assert terms[name].item() == pytest.approx(value, rel=1e-4), name
    parts = weighted(terms, options)
    assert parts["image_cross_entropy_weighted"].item() == pytest.approx(0.5 * entropy, rel=1e-5)
    assert parts["pixel_total_weighted"].item() == pytest.approx(3 * sum(sums.values()), rel=1e-5)
    assert parts.keys() == {"image_cross_entropy_weighted", "pixel_total_weighted"}

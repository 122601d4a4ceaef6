"""FAPrompt word for word: slow, one image, one sentence and one patch at a time, then compared."""

from math import exp, log

import pytest
import torch
from torch.nn.functional import interpolate

from zsadbench_methods.faprompt.losses import loss_terms, orthogonality, weighted
from zsadbench_methods.faprompt.options import Options
from zsadbench_methods.parts.losses import dice

NAMES = ["bolt"] * 3


@pytest.fixture(scope="module")
def faprompt(widened):
    return lambda **options: widened("faprompt", **options)


@pytest.fixture(scope="module")
def tokens(make_tokens):
    return make_tokens(layers=1, values=1)


# --- the definition --------------------------------------------------------------------------------


def unit(vector):
    return vector / vector.norm()


def slow_norm(x, layer):
    x = x.double()
    centred = x - x.mean(dim=-1, keepdim=True)
    return centred / (x.var(dim=-1, unbiased=False, keepdim=True) + 1e-5).sqrt() * layer.weight + layer.bias


def slow_sentence(detector, own, words):
    """One sentence over all 77 places: the shared tokens, tokens of its own, then words; (joint,), not normalised."""
    text, prompts, options = detector.backbone.text, detector.network.prompts, detector.options
    learned = torch.cat([prompts.normal, own])
    ids = text.tokenize([f"{'X ' * len(learned)}{words}"])
    embedded = text.embed(ids).clone()
    embedded[0, 1 : 1 + len(learned)] = learned
    x = embedded + text.positional_embedding
    for number, block in enumerate(text.transformer.resblocks):
        if 1 <= number < options.deep_depth:
            deep = prompts.deep[number - 1]
            x = x.clone()
            x[0, 1 : 1 + options.deep_length] = deep.half().float() if options.deep_half else deep
        x = block(x, attn_mask=text.causal_mask)
    return text.norm(x[0, ids[0].tolist().index(49407)]) @ text.projection


def slow_text(detector, prior):
    """The normal sentence and the unit mean of the abnormal ones, whose tokens are shifted by `prior`: (2, joint)."""
    prompts, options = detector.network.prompts, detector.options
    normal = slow_sentence(detector, prompts.normal[:0], f"{options.class_word}.")
    words = f"{options.damage_word} {options.class_word}."
    abnormal = [slow_sentence(detector, own + prior, words) for own in prompts.abnormal]
    return torch.stack([unit(normal), unit(sum(abnormal) / len(abnormal))]).double(), abnormal


def slow_scores(detector, tokens):
    """Per image: score, map, prior and the text of its second pass."""
    options, vision, network = detector.options, detector.backbone.vision, detector.network
    projection = vision.projection.double()

    def probability(feature, text):
        normal, abnormal = (exp((feature @ row).item() / options.temperature) for row in text)
        return abnormal / (normal + abnormal)

    for cls, layer in zip(tokens.layers[-1][:, 0], tokens.value_layers[0], strict=True):
        image = unit((slow_norm(cls, vision.norm) if options.cls_norm else cls.double()) @ projection)
        patches = [unit(feature) for feature in slow_norm(layer[1:], vision.norm) @ projection]
        text, _ = slow_text(detector, torch.zeros(64))
        first = [probability(patch, text) for patch in patches]
        order = list(range(len(patches)))
        if options.select == "topk":
            order.sort(key=lambda number: -first[number])
        chosen = torch.cat([patches[number] for number in order[: options.selected]])
        one, two = network.prior.linear1, network.prior.linear2
        hidden = (one.weight.double() @ chosen + one.bias).clamp_min(0)
        prior = two.weight.double() @ hidden + two.bias
        text, _ = slow_text(detector, prior.float())
        second = [probability(patch, text) for patch in patches]
        score = (probability(image, text) + (2 * max(first) + max(second)) / 3) / 2
        pixels = [(p + 1 - (1 - p) + q + 1 - (1 - q)) / 4 for p, q in zip(first, second, strict=True)]
        yield score, torch.tensor(pixels).reshape(tokens.grid, tokens.grid), prior, text


SETTINGS = [
    {},
    {"select": "topk"},
    {"select": "topk", "selected": 3, "prompts": 4, "prior_width": 16, "abnormal_context": 3},
    {"deep_half": False, "deep_length": 2, "temperature": 0.2, "context": 3},
    {"cls_norm": True, "class_word": "part", "damage_word": "broken"},
    {"deep_depth": 1, "prompts": 1},
]


@pytest.mark.parametrize("options", SETTINGS, ids=str)
def test_scores_are_their_definition(faprompt, tokens, options):
    detector = faprompt(**options)
    with torch.no_grad():
        images, maps, priors, texts = (list(part) for part in zip(*slow_scores(detector, tokens), strict=True))
        found, passes = detector.score(tokens, NAMES), detector.passes(tokens, detector.sentence_features())
    assert (found.image - torch.tensor(images)).abs().max() < 2e-5
    assert (found.pixel - torch.stack(maps)).abs().max() < 2e-5
    assert (passes.prior - torch.stack(priors)).abs().max() < 2e-5
    assert (passes.conditioned - torch.stack(texts)).abs().max() < 1e-5
    assert found.pixel.std() > 0.01
    assert passes.conditioned[0, 1] @ passes.conditioned[2, 1] < 0.9999, "the texts of two images differ"
    assert (passes.first_map - passes.second_map).abs().max() > 0.01


def test_sentences_are_their_definition(faprompt):
    detector = faprompt()
    with torch.no_grad():
        text, abnormal = slow_text(detector, torch.zeros(64))
        found = detector.sentence_features()
    assert (found[1:] - torch.stack(abnormal)).abs().max() < 1e-5
    assert (found[0] / found[0].norm() - text[0]).abs().max() < 1e-6
    assert found[1:].std(dim=0).min() > 1e-4, "abnormal sentences differ"


def test_the_most_abnormal_patches_are_other_ones_than_the_first(faprompt, tokens):
    first, topk = faprompt(), faprompt(select="topk")
    with torch.no_grad():
        one, other = (detector.passes(tokens, detector.sentence_features()) for detector in (first, topk))
    assert torch.equal(one.first_map, other.first_map)
    assert not torch.equal(one.selected, other.selected)
    for row in range(3):
        order = other.first_map[row].argsort(descending=True)[:10]
        assert torch.equal(other.selected[row], unit_patches(topk, tokens)[row, order])
        assert torch.equal(one.selected[row], unit_patches(topk, tokens)[row, :10])


def unit_patches(detector, tokens):
    with torch.no_grad():
        return torch.nn.functional.normalize(detector.patch_features(tokens)[:, 1:], dim=-1)


def test_rounding_of_deep_prompts_shows_in_the_text_and_in_the_gradient(faprompt):
    rounded, exact = faprompt(), faprompt(deep_half=False)
    assert (rounded.sentence_features() - exact.sentence_features()).abs().max() > 5e-6
    for detector in (rounded, exact):
        detector.sentence_features()[0, :8].sum().backward()
    gradients = [detector.network.prompts.deep[0].grad for detector in (rounded, exact)]
    assert torch.allclose(*gradients, rtol=2e-2, atol=1e-4)
    assert not torch.equal(*gradients)


# --- losses ----------------------------------------------------------------------------------------


def slow_focal(probability, target, gamma, s):
    terms = []
    for p, t in zip(probability.flatten().tolist(), target.flatten().tolist(), strict=True):
        wanted = [min(max(1 - t, s), 1 - s), min(max(t, s), 1 - s)]
        matched = wanted[0] * (1 - p) + wanted[1] * p + s
        terms.append(-((1 - matched) ** gamma) * log(matched))
    return sum(terms) / len(terms)


def slow_image_focal(logits, labels, gamma):
    """Binary cross-entropy of logits, whose exponential is the matched probability."""
    terms = []
    for z, y in zip(logits, labels, strict=True):
        entropy = max(z, 0) - z * y + log(1 + exp(-abs(z)))
        terms.append((1 - exp(-entropy)) ** gamma * entropy)
    return sum(terms) / len(terms)


@pytest.mark.parametrize("as_logit", [True, False])
def test_losses_are_their_definition(faprompt, tokens, batch, as_logit):
    options = Options(probability_as_logit=as_logit, focal_gamma=2.5)
    detector = faprompt()
    with torch.no_grad():
        passes = detector.passes(tokens, detector.sentence_features())
        terms = loss_terms(passes, 5, batch, options)
        image = detector.score(tokens, NAMES).image.tolist()
    labels = batch.labels.tolist()
    for name, probability in (("pass1", passes.first_map), ("pass2", passes.second_map)):
        full = interpolate(probability.view(3, 1, 5, 5), size=(70, 70), mode="bilinear", align_corners=False)[:, 0]
        assert terms[f"{name}_focal"].item() == pytest.approx(slow_focal(full, batch.masks, 2.5, 1e-5), rel=1e-4)
        assert terms[f"{name}_dice_abnormal"].item() == pytest.approx(dice(full, batch.masks).item(), rel=1e-5)
        assert terms[f"{name}_dice_normal"].item() == pytest.approx(dice(1 - full, 1 - batch.masks).item(), rel=1e-5)
    signed = [z if y else -z for z, y in zip(passes.logit.tolist(), labels, strict=True)]
    entropy = sum(log(1 + exp(-z)) for z in signed) / 3
    assert terms["image_cross_entropy"].item() == pytest.approx(entropy, rel=1e-5)
    logits = image if as_logit else [log(p / (1 - p)) for p in image]
    assert terms["image_focal"].item() == pytest.approx(slow_image_focal(logits, labels, 2.5), rel=1e-4)
    prior = sum(value**2 for value in passes.prior[1].tolist()) / 64  # image 1 alone is normal
    assert terms["prior"].item() == pytest.approx(prior, rel=1e-5)


def test_orthogonality_sums_over_pairs():
    features = torch.randn(4, 8, generator=torch.Generator().manual_seed(0))
    pairs = [(j, k) for j in range(4) for k in range(j + 1, 4)]
    wanted = sum(abs((unit(features[j]) @ unit(features[k])).item()) for j, k in pairs)
    assert orthogonality(features).item() == pytest.approx(wanted, rel=1e-5)
    assert orthogonality(features[:1]).item() == 0


def test_the_prior_loss_is_a_sum_over_normal_images(faprompt, tokens, batch):
    detector = faprompt()
    with torch.no_grad():
        passes = detector.passes(tokens, detector.sentence_features())
        found = [
            loss_terms(passes, 5, batch._replace(labels=torch.tensor(labels)), Options())["prior"].item()
            for labels in ([0, 1, 1], [1, 0, 1], [1, 1, 0], [0, 0, 0], [1, 1, 1])
        ]
    assert sum(found[:3]) == pytest.approx(found[3], rel=1e-5)
    assert found[4] == 0


def test_terms_are_weighted():
    names = ("focal", "dice_abnormal", "dice_normal")
    terms = {f"pass{k}_{name}": torch.tensor(10.0**k) for k in (1, 2) for name in names}
    rest = {"image_cross_entropy": 3.0, "image_focal": 4.0, "orthogonality": 5.0, "prior": 6.0}
    terms |= {name: torch.tensor(value) for name, value in rest.items()}
    options = Options(image_weight=2, pass2_weight=3, orthogonality_weight=4, prior_weight=5)
    assert {name: value.item() for name, value in weighted(terms, options).items()} == {
        "pass1_total": 30,
        "pass2_total_weighted": 900,
        "image_weighted": 14,
        "orthogonality_weighted": 20,
        "prior_weighted": 30,
    }
    published = sum(weighted(terms, Options()).values()).item()
    assert published == pytest.approx(30 + 0.5 * 300 + 3 + 4 + 0.1 * 5 + 6)

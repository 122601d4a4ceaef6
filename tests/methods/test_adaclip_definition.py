"""AdaCLIP word for word: one image, one sentence and one patch at a time, open_clip's own blocks, against the code."""

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans
from torch.nn.functional import interpolate

from zsadbench.errors import UsageError
from zsadbench.registry import method_card
from zsadbench.types import Batch
from zsadbench_methods.adaclip.fusion import cluster_patches, fused_feature
from zsadbench_methods.adaclip.sentences import TEMPLATES, sentences_of

CARD = method_card("adaclip")
NAMES = ["bolt", "metal_nut", "tooth-brush"]
SIZE, GRID, BLOCKS = 70, 5, (6, 12, 18, 24)
LABELS = torch.tensor([1, 0, 1])


def unit(vector):
    return vector / vector.norm(dim=-1, keepdim=True)


# --- the twin --------------------------------------------------------------------------------------


class Twin:
    """The published order of operations for one image; `network` holds the trained tensors."""

    def __init__(self, backbone, network, options):
        self.visual, self.text = backbone.vision.visual, backbone.text
        self.positions, self.network, self.options = backbone.vision.positions, network, options

    def plain_feature(self, image):
        tokens = self.embedded(image)
        for block in self.visual.transformer.resblocks:
            tokens = block(tokens)
        return self.visual.ln_post(tokens[0, 0]) @ self.visual.proj

    def embedded(self, image):
        patches = self.visual.conv1(image.unsqueeze(0)).flatten(2).transpose(1, 2)
        cls = self.visual.class_embedding.expand(1, 1, -1)
        return self.visual.ln_pre(torch.cat([cls, patches], dim=1) + self.positions)

    def prompt(self, tower, source, block):
        learned = self.network.get_submodule(tower)
        dynamic = torch.stack([linear.weight @ source + linear.bias for linear in learned.dynamic])
        static = learned.static[block]
        both = {"hybrid": static + dynamic, "static": static, "dynamic": dynamic}[self.options.prompts]
        return both.half().float() if self.options.prompt_half else both

    def prompted_image(self, image, source):
        options, tokens, taps = self.options, self.embedded(image), []
        length = options.prompt_length if options.prompted != "text" else 0
        for number, block in enumerate(self.visual.transformer.resblocks):
            if length and number < options.prompt_depth:
                kept = tokens if number == 0 else tokens[:, :-length]
                tokens = torch.cat([kept, self.prompt("vision", source, number).unsqueeze(0)], dim=1)
            tokens = block(tokens)
            if number + 1 in options.layers:
                taps.append(tokens[0, : tokens.shape[1] - length])
        return taps, self.visual.ln_post(tokens[0, 0]) @ self.visual.proj

    def sentence(self, sentence, source):
        ids = self.text.tokenize([sentence])
        states = self.text.token_embedding(ids) + self.text.positional_embedding
        for number, block in enumerate(self.text.transformer.resblocks):
            if self.options.prompted != "vision" and 1 <= number < self.options.prompt_depth:
                for place, token in enumerate(self.prompt("text", source, number), start=1):
                    states = torch.cat([states[:, :place], token.expand(1, 1, -1), states[:, place + 1 :]], dim=1)
            states = block(states, attn_mask=self.text.causal_mask)
        end = ids[0].tolist().index(49407)
        return self.text.norm(states[0, end]) @ self.text.projection

    def texts(self, name, source):
        sides = sentences_of(name)
        means = [torch.stack([unit(self.sentence(one, source)) for one in side]).mean(dim=0) for side in sides]
        return torch.stack([unit(mean) for mean in means])

    def run(self, image, name):
        """Text, logits per layer (2, grid, grid), image score, map; and what the fusion took."""
        options, source = self.options, self.plain_feature(image)
        taps, cls = self.prompted_image(image, source)
        text = self.texts(name, source)
        heads = zip(self.network.patches, taps, strict=True)
        features = [unit(layer[1:] @ linear.weight.T + linear.bias) for linear, layer in heads]
        logits = [options.logit_scale * each @ text.T for each in features]  # (patches, 2)
        probability = (sum(logits) / len(logits)).softmax(dim=1)[:, 1]
        linear = self.network.class_token
        feature = unit(linear.weight @ cls + linear.bias)
        if options.hsf != "none":
            feature = unit(options.hsf_share * self.fused(features, probability) + (1 - options.hsf_share) * feature)
        score = (options.logit_scale * feature @ text.T).softmax(dim=0)[1]
        grids = torch.stack([each.T.reshape(2, GRID, GRID) for each in logits])
        full = interpolate(grids, (SIZE, SIZE), mode="bilinear", align_corners=options.corners)
        both = full.mean(dim=0).softmax(dim=0)
        return {"text": text, "taps": taps, "full": full, "score": score, "map": (both[1] + 1 - both[0]) / 2}

    def fused(self, features, probability):
        """Centres of all clusters of the most abnormal patches, under NumPy's global generator as published."""
        options, order = self.options, probability.argsort(descending=True).tolist()
        published = options.hsf == "all_clusters"
        chosen = order[: options.clusters * options.patches_per_cluster] if published else order
        if published:
            rows = [torch.cat([each[patch] for each in features]) for patch in chosen]
        else:
            rows = [sum(each[patch] for each in features) / len(features) for patch in chosen]
        state = np.random.get_state()
        np.random.seed(options.kmeans_seed)
        clusters = min(options.clusters, len(rows))
        labels = KMeans(clusters, n_init=1).fit(torch.stack(rows).detach().numpy()).labels_.tolist()
        np.random.set_state(state)
        centres, means = [], []
        for cluster in range(clusters):
            members = [patch for patch, label in zip(chosen, labels, strict=True) if label == cluster]
            centres.append(torch.stack([each[patch] for each in features for patch in members]).mean(dim=0))
            means.append(torch.stack([probability[patch] for patch in members]).mean())
        if published:
            return unit(torch.stack(centres).mean(dim=0))
        return unit(centres[int(torch.stack(means).argmax())])

    def losses(self, image, name, mask, label):
        """Every term for a batch of one image."""
        found = self.run(image, name)

        def focal(both, target):
            soft = torch.stack([1 - target, target]).clamp(1e-5, 1 - 1e-5)
            matched = (soft * both).sum(dim=0) + 1e-5
            return (-((1 - matched) ** 2) * matched.log()).mean()

        def dice(probability, target):
            rows = zip(probability, target, strict=True)
            return 1 - torch.stack([(2 * (a * t).sum() + 1) / (a.sum() + t.sum() + 1) for a, t in rows]).mean()

        of_image = torch.stack([1 - found["score"], found["score"]])
        terms = {"classification_focal": focal(of_image, label.float())}
        for block, logits in zip(self.options.layers, found["full"], strict=True):
            both = logits.softmax(dim=0)
            terms[f"focal_l{block:02d}"] = focal(both, mask)
            terms[f"dice_abnormal_l{block:02d}"] = dice(both[1], mask)
            terms[f"dice_normal_l{block:02d}"] = dice(both[0], 1 - mask)
        return terms


SETTINGS = [
    {},
    {"clusters": 4, "patches_per_cluster": 3, "hsf_share": 0.6},
    {"hsf": "highest_cluster", "clusters": 4},
    {"prompts": "static", "prompted": "vision", "hsf": "none"},
    {"prompts": "dynamic", "prompted": "text", "prompt_half": False, "corners": False},
    {"layers": (3, 20), "prompt_depth": 2, "prompt_length": 3, "logit_scale": 30.0, "kmeans_seed": 5},
]


@pytest.mark.parametrize("options", SETTINGS, ids=str)
def test_every_step_is_the_published_one(widened, tiny_backbone, tiny_images, options):
    detector = widened("adaclip", **options)
    twin = Twin(tiny_backbone, detector.network, detector.options)
    with torch.no_grad():
        tokens = detector.encode(tiny_images, NAMES)
        scores = detector.score(tokens, NAMES)
        rows = range(3) if not options else [2]
        for row in rows:
            found = twin.run(tiny_images[row], NAMES[row])
            assert torch.allclose(tokens.parts["text_features"][row], found["text"], atol=1e-5)
            for layer, tap in zip(tokens.layers, found["taps"], strict=True):
                assert torch.allclose(layer[row], tap, atol=1e-4)
            assert torch.allclose(scores.pixel[row], found["map"], atol=1e-4)
            assert torch.allclose(scores.image[row], found["score"], atol=1e-4)


def masks():
    some = torch.zeros(3, SIZE, SIZE)
    some[0, 10:30, 20:50] = 1
    some[2, 60:, :5] = 1
    return some


def test_the_losses_and_their_gradients_are_the_published_ones(widened, tiny_backbone, tiny_images):
    detector, other = (widened("adaclip", prompt_half=False) for _ in range(2))
    twin = Twin(tiny_backbone, other.network, other.options)
    tokens = detector.encode(tiny_images[:1], NAMES[:1])
    found = detector.loss(tokens, Batch(tiny_images[:1], masks()[:1], LABELS[:1], ("bolt",)))
    expected = twin.losses(tiny_images[0], "bolt", masks()[0], LABELS[0])
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert torch.allclose(found[name], value, atol=1e-5), name
    sum(found.values()).backward()
    sum(expected.values()).backward()
    for (name, one), theirs in zip(detector.network.named_parameters(), other.network.parameters(), strict=True):
        if one.requires_grad:
            assert torch.allclose(one.grad, theirs.grad, rtol=1e-3, atol=1e-4 * float(theirs.grad.norm())), name
        else:
            assert theirs.grad is None or not theirs.grad.any(), name


def test_a_batch_averages_whole_images(widened, tiny_images):
    detector = widened("adaclip")
    with torch.no_grad():
        tokens = detector.encode(tiny_images, NAMES)
        found = detector.loss(tokens, Batch(tiny_images, masks(), LABELS, tuple(NAMES)))
        assert all(value.isfinite() for value in found.values())
        one = detector.encode(tiny_images[:1], NAMES[:1])
        batch = Batch(tiny_images[:1], masks()[:1], LABELS[:1], ("bolt",))
        by_row = detector.loss(one, batch)
        whole = widened("adaclip", dice_by_row=False).loss(one, batch)
    assert by_row["focal_l06"] == whole["focal_l06"]
    assert abs(by_row["dice_abnormal_l06"] - whole["dice_abnormal_l06"]) > 1e-3
    assert abs(by_row["dice_normal_l06"] - whole["dice_normal_l06"]) > 1e-3


# --- parts -----------------------------------------------------------------------------------------


def test_what_no_block_takes_in_is_not_trained(widened):
    frozen = {name for name, one in widened("adaclip").network.named_parameters() if not one.requires_grad}
    assert frozen == {f"text.static.{number}" for number in (0, 2, 3)}, "the tiny text tower has two blocks"
    for options, kept in (({"prompted": "vision"}, "vision."), ({"prompted": "text"}, "text.")):
        named = widened("adaclip", **options).network.named_parameters()
        prompts = {name for name, one in named if one.requires_grad and name.startswith(("vision.", "text."))}
        assert prompts
        assert all(name.startswith(kept) for name in prompts)
    for kind in ("static", "dynamic"):
        named = widened("adaclip", prompts=kind).network.named_parameters()
        prompts = {name for name, one in named if one.requires_grad and name.startswith(("vision.", "text."))}
        assert {name.split(".")[1] for name in prompts} == {kind}


def test_static_prompts_begin_narrow(tiny_backbone):
    network = CARD.build(tiny_backbone, CARD.options()).network
    values = torch.cat([prompt.flatten() for prompt in network.vision.static])
    assert values.std().item() == pytest.approx(0.02, rel=0.1)


def test_the_numbers_drawn_elsewhere_do_not_matter(widened, tiny_images):
    detector = widened("adaclip", clusters=4)
    with torch.no_grad():
        tokens = detector.encode(tiny_images, NAMES)
        before = np.random.get_state()[1].copy()
        first = detector.score(tokens, NAMES).image
        assert (np.random.get_state()[1] == before).all(), "the global generator is left alone"
        np.random.random(3)
        assert torch.equal(detector.score(tokens, NAMES).image, first)


@pytest.mark.parametrize("hsf", ["all_clusters", "highest_cluster"])
def test_equal_patches_are_fused_without_a_warning(hsf):
    options = CARD.options(hsf=hsf)
    features = torch.ones(1, 4, 9, 8) / 8**0.5
    clustered = cluster_patches(features, torch.full((1, 9), 0.5), options)
    assert clustered.weights.sum() == pytest.approx(1)
    assert torch.allclose(fused_feature(features, clustered), features[:, 0, 0])


def test_few_patches_are_a_cluster_each():
    generator = torch.Generator().manual_seed(2)
    features = unit(torch.randn(2, 4, 9, 8, generator=generator))
    clustered = cluster_patches(features, torch.rand(2, 9, generator=generator), CARD.options())
    assert [sorted(labels) for labels in clustered.labels.tolist()] == [list(range(9))] * 2
    assert torch.allclose(fused_feature(features, clustered), unit(features.mean(dim=(1, 2))), atol=1e-6)


def test_the_sentences():
    normal, abnormal = sentences_of("metal_nut")
    assert (len(normal), len(abnormal), len(set(TEMPLATES))) == (28, 20, 4)
    assert normal[0] == "a bad photo of a metal_nut."
    assert normal[5] == "a low resolution photo of the flawless metal_nut."
    assert abnormal[-1] == "a cropped photo of the metal_nut with damage."
    assert sentences_of("tooth-brush")[1][0] == "a bad photo of a damaged tooth brush."


BAD = [
    *({"layers": ()}, {"layers": (6, 6)}, {"layers": (25,)}, {"prompt_depth": 0}, {"prompt_length": 8}),
    *({"clusters": 0}, {"patches_per_cluster": 0}, {"kmeans_seed": -1}, {"logit_scale": 0}, {"hsf_share": 1.5}),
    *({"focal_gamma": -1}, {"focal_smoothing": 0.5}),
]


@pytest.mark.parametrize("options", BAD, ids=str)
def test_bad_options(options):
    with pytest.raises(UsageError):
        CARD.options(**options)

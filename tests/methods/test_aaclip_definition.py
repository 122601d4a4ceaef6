"""AA-CLIP word for word: one image, one sentence, one head at a time, open_clip's own blocks, against the code."""

import math

import numpy as np
import pytest
import torch
from torch.nn.functional import interpolate, leaky_relu

from zsadbench.errors import UsageError
from zsadbench.registry import method_card
from zsadbench.types import Batch
from zsadbench_methods.aaclip.about import scale_parts
from zsadbench_methods.aaclip.maps import blur
from zsadbench_methods.aaclip.names import IMAGE_STAGE, TEXT_STAGE
from zsadbench_methods.aaclip.prompts import sentences_of

CARD = method_card("aaclip")
NAMES = ["dark bottle", "a black zipper", "dark bottle"]
SIZE, GRID = 70, 5
LABELS = torch.tensor([1, 0, 1])


def unit(vector):
    return vector / vector.norm(dim=-1, keepdim=True)


# --- the twin --------------------------------------------------------------------------------------


class Twin:
    """The published order of operations; `network` holds the trained tensors."""

    def __init__(self, backbone, network, options):
        self.visual, self.text = backbone.vision.visual, backbone.text
        self.positions, self.network, self.options = backbone.vision.positions, network, options

    def adapted(self, token, weight, share):
        mixed = leaky_relu(weight @ token, 0.01)
        return share * mixed * token.norm() / mixed.norm() + (1 - share) * token

    def adapted_all(self, tokens, adapters, number, share):
        if number >= len(adapters):
            return tokens
        weight = adapters[number][0].weight
        return torch.stack([torch.stack([self.adapted(token, weight, share) for token in one]) for one in tokens])

    def sentence(self, sentence):
        ids = self.text.tokenize([sentence])
        states = self.text.token_embedding(ids) + self.text.positional_embedding
        for number, block in enumerate(self.text.transformer.resblocks):
            states = block(states, attn_mask=self.text.causal_mask)
            states = self.adapted_all(states, self.network.text.adapters, number, self.options.text_share)
        end = ids[0].tolist().index(49407)
        return leaky_relu(self.network.text.head[0].weight @ self.text.norm(states[0, end]), 0.01)

    def anchors(self, name):
        sides = sentences_of(name)
        return torch.stack([unit(sum(unit(self.sentence(one)) for one in side) / len(side)) for side in sides])

    def embedded(self, image):
        patches = self.visual.conv1(image.unsqueeze(0)).flatten(2).transpose(1, 2)
        cls = self.visual.class_embedding.expand(1, 1, -1)
        return self.visual.ln_pre(torch.cat([cls, patches], dim=1) + self.positions)

    def taps(self, image):
        tokens, kept = self.embedded(image), []
        for number, block in enumerate(self.visual.transformer.resblocks):
            tokens = block(tokens)
            tokens = self.adapted_all(tokens, self.network.image.adapters, number, self.options.image_share)
            if number in (5, 11, 17, 23):
                kept.append(self.visual.ln_post(tokens[0, 1:]))
        return kept

    def head(self, linear, token):
        if self.options.relu:
            return leaky_relu(linear[0].weight @ token, 0.01)
        return linear.weight @ token

    def features(self, taps):
        heads = zip(self.network.image.patches, taps, strict=True)
        return [torch.stack([unit(self.head(linear, patch)) for patch in tap]) for linear, tap in heads]

    def image_feature(self, taps):
        patches = [unit(self.head(self.network.image.image, patch)) for patch in taps[-1]]
        return sum(patches) / len(patches)

    def enlarged(self, grid):
        full = interpolate(grid.view(1, 1, GRID, GRID), (SIZE, SIZE), mode="bilinear", align_corners=True)
        return full[0, 0]

    def run(self, image, name):
        """The map, and the score of the image before anything is scaled."""
        taps, text = self.taps(image), self.anchors(name)
        total = torch.zeros(SIZE, SIZE)
        for features in self.features(taps):
            logits = 100 * features @ text.T
            grid = ((logits[:, 1] + 1 - logits[:, 0]) / 2).view(GRID, GRID)
            total = total + self.enlarged(self.blurred(grid))
        return total, (self.image_feature(taps) @ text[1] + 1) / 2

    def blurred(self, grid):
        side, sigma = (7, 1.0) if self.options.domain == "industrial" else (9, 1.5)
        reach = side // 2
        weights = [math.exp(-((place - reach) ** 2) / (2 * sigma**2)) for place in range(side)]
        total = sum(weights)

        def mirrored(place):
            place = abs(place)
            return 2 * (GRID - 1) - place if place >= GRID else place

        found = torch.zeros(GRID, GRID)
        for row in range(GRID):
            for column in range(GRID):
                for down, a in enumerate(weights):
                    for right, b in enumerate(weights):
                        source = grid[mirrored(row + down - reach), mirrored(column + right - reach)]
                        found[row, column] += a * b / total**2 * source
        return found

    # --- training ---

    def map_terms(self, logits, masks):
        """The three terms of one layer: logits per image, (2, patches)."""
        both = [torch.stack([self.enlarged(side) for side in one]).softmax(dim=0) for one in logits]
        pixels, dices = [], ([], [])
        for one, mask in zip(both, masks, strict=True):
            soft = torch.stack([1 - mask, mask]).clamp(1e-5, 1 - 1e-5)
            matched = (soft * one).sum(dim=0) + 1e-5
            pixels.append(-((1 - matched) ** 2) * matched.log())
            for side, target in ((0, 1 - mask), (1, mask)):
                overlap = (one[side] * target).sum()
                dices[side].append((2 * overlap + 1) / (one[side].sum() + target.sum() + 1))
        return [torch.stack(pixels).mean(), *(1 - sum(found) / len(found) for found in dices)]

    def image_losses(self, images, names, masks):
        texts, layers = [self.anchors(name) for name in names], [[], [], [], []]
        entropies = []
        for image, text, label in zip(images, texts, LABELS, strict=True):
            taps = self.taps(image)
            logits = text @ self.image_feature(taps)
            entropies.append(-logits.log_softmax(dim=0)[label])
            for layer, features in zip(layers, self.features(taps), strict=True):
                layer.append(100 * text @ features.T)
        return {"cross_entropy": sum(entropies) / 3}, [self.map_terms(layer, masks) for layer in layers]

    def surgery(self, images):
        """Tokens after the last block, per image; a token attends to the same place in all images."""
        tokens = torch.cat([self.embedded(image) for image in images])
        for number, block in enumerate(self.visual.transformer.resblocks):
            if number < 5 or self.options.surgery == "none":
                tokens = block(tokens)
                continue
            attention, width = block.attn, tokens.shape[-1]
            weight, bias = attention.in_proj_weight[-width:], attention.in_proj_bias[-width:]
            values = block.ln_1(tokens) @ weight.T + bias  # (images, places, width)
            if self.options.surgery == "official":
                values = values.transpose(0, 1)
            rows = []
            for row in values:
                heads = row.chunk(attention.num_heads, dim=-1)
                rows.append(torch.cat([(v @ v.T / math.sqrt(v.shape[-1])).softmax(dim=-1) @ v for v in heads], dim=-1))
            attended = torch.stack(rows)
            if self.options.surgery == "official":
                attended = attended.transpose(0, 1)
            tokens = tokens + attention.out_proj(attended)
            tokens = tokens + block.mlp(block.ln_2(tokens))
        return tokens

    def text_losses(self, images, names, masks):
        texts, frozen = [self.anchors(name) for name in names], self.surgery(images)
        logits = []
        for image, text, tokens in zip(images, texts, frozen, strict=True):
            plain = self.embedded(image)
            for block in self.visual.transformer.resblocks:
                plain = block(plain)
            whole = unit(self.visual.ln_post(plain[0, 0]) @ self.visual.proj)
            patches = [unit(self.visual.ln_post(token) @ self.visual.proj) + whole for token in tokens[1:]]
            logits.append(100 * text @ torch.stack(patches).T)
        cosine = sum(text[0] @ text[1] for text in texts) / len(texts)
        return [*self.map_terms(logits, masks), 0.1 * cosine**2]


@pytest.fixture
def pair(tiny_backbone, widened):
    """`pair(**options)`: the detector, its weights far from where they start, and its twin."""

    def make(**options):
        detector = widened("aaclip", **options)
        return detector, Twin(tiny_backbone, detector.network, detector.options)

    return make


@pytest.fixture
def masks():
    made = torch.zeros(3, SIZE, SIZE)
    made[0, 10:40, 20:50] = 1.0
    made[2, 60:, :5] = 1.0
    return made


# --- inference -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options", [{}, {"relu": True}, {"text_share": 0.4, "image_share": 0.3}, {"text_adapters": 1, "image_adapters": 2}]
)
@torch.no_grad()
def test_maps_and_parts_are_the_published_ones(pair, tiny_images, options):
    detector, twin = pair(**options)
    tokens = detector.encode(tiny_images, NAMES)
    scores = detector.score(tokens, NAMES)
    parts = detector.image_parts(tokens, NAMES, scores)
    for row, name in enumerate(NAMES):
        expected, raw = twin.run(tiny_images[row], name)
        assert (scores.pixel[row] - expected).abs().max() <= 2e-3
        assert parts["image_raw"][row] == pytest.approx(float(raw), abs=1e-5)
        assert parts["map_max"][row] == pytest.approx(float(expected.max()), abs=2e-3)
        assert parts["map_min"][row] == pytest.approx(float(expected.min()), abs=2e-3)
    for name, found in zip(NAMES, detector.anchors(NAMES), strict=True):
        assert torch.allclose(found, twin.anchors(name), atol=1e-5)


@torch.no_grad()
def test_the_medical_domain_blurs_more_and_takes_the_maximum_alone(pair, tiny_images, monkeypatch):
    detector, twin = pair(domain="medical")
    tokens = detector.encode(tiny_images, NAMES)
    scores = detector.score(tokens, NAMES)
    expected, _ = twin.run(tiny_images[0], NAMES[0])
    assert (scores.pixel[0] - expected).abs().max() <= 2e-3
    maxima = scores.pixel.amax(dim=(1, 2))
    assert torch.allclose(scores.image, ((2 * maxima / 4 - 1) / 100 + 2) / 4, atol=1e-6)


def test_a_blur_keeps_a_constant_and_fits_small_grids():
    for grid in (1, 2, 3, 37):
        for domain in ("industrial", "medical"):
            assert torch.allclose(blur(torch.full((2, grid, grid), 3.0), domain), torch.full((2, grid, grid), 3.0))


@torch.no_grad()
def test_the_score_of_one_image_lies_between_0_and_1(pair, tiny_images):
    detector, _ = pair()
    tokens = detector.encode(tiny_images, NAMES)
    scores = detector.score(tokens, NAMES)
    raw = detector.image_parts(tokens, NAMES, scores)["image_raw"]
    assert ((scores.image > 0) & (scores.image < 1)).all()
    alone = pair(score_share=1.0)[0]
    alone.network.load_state_dict(detector.network.state_dict())
    assert torch.allclose(alone.score(tokens, NAMES).image, raw)


# --- the finishing step ----------------------------------------------------------------------------


def test_the_finishing_step_scales_over_all_pixels_of_the_class():
    maps = np.random.default_rng(0).normal(size=(4, 6, 6))
    raw = np.array([0.3, 0.9, 0.5, 0.1])
    parts = {"map_min": maps.min(axis=(1, 2)), "map_max": maps.max(axis=(1, 2)), "image_raw": raw}
    scaled = (maps - maps.min()) / (maps.max() - maps.min())
    expected = 0.5 * scaled.max(axis=(1, 2)) + 0.5 * (raw - 0.1) / 0.8
    for options, wanted in ((CARD.options(), expected), (CARD.options(domain="medical"), scaled.max(axis=(1, 2)))):
        step = CARD.transductive(options)
        assert step.finish({name: parts[name] for name in step.parts}) == pytest.approx(wanted)
    unscaled = {**parts, "image_raw": np.array([0.3, 1.0, 0.5, 0.1])}
    assert scale_parts(unscaled, 1.0) == pytest.approx(unscaled["image_raw"]), "a maximum of exactly 1"


# --- training --------------------------------------------------------------------------------------


@torch.no_grad()
def test_the_loss_of_the_image_stage(pair, tiny_images, masks):
    detector, twin = pair()
    batch = Batch(tiny_images, masks, LABELS, tuple(NAMES))
    found = detector.loss(detector.encode(tiny_images, NAMES), batch)
    expected, layers = twin.image_losses(tiny_images, NAMES, masks)
    for block, terms in zip((6, 12, 18, 24), layers, strict=True):
        names = (f"l{block:02d}_{part}" for part in ("focal", "dice_normal", "dice_abnormal"))
        expected |= dict(zip(names, terms, strict=True))
    assert found.keys() == expected.keys()
    for name, term in expected.items():
        assert float(found[name]) == pytest.approx(float(term), abs=2e-5, rel=1e-4), name


@pytest.mark.parametrize("surgery", ["official", "vv_tokens", "none"])
@torch.no_grad()
def test_the_loss_of_the_text_stage_is_that_of_the_last_layer(pair, tiny_images, masks, surgery):
    detector, twin = pair(surgery=surgery)
    detector.begin_stage(TEXT_STAGE)
    batch = Batch(tiny_images, masks, LABELS, tuple(NAMES))
    found = detector.loss(detector.encode(tiny_images, NAMES), batch)
    names = ("l24_focal", "l24_dice_normal", "l24_dice_abnormal", "orthogonality_weighted")
    expected = dict(zip(names, twin.text_losses(tiny_images, NAMES, masks), strict=True))
    assert found.keys() == expected.keys()
    for name, term in expected.items():
        assert float(found[name]) == pytest.approx(float(term), abs=2e-5, rel=1e-4), name


@torch.no_grad()
def test_published_surgery_looks_across_the_batch_and_the_intended_one_does_not(pair, tiny_images):
    changed = tiny_images.clone()
    changed[2] = -changed[2]
    for surgery, crosses in (("official", True), ("vv_tokens", False)):
        detector, _ = pair(surgery=surgery)
        detector.begin_stage(TEXT_STAGE)
        one, other = (detector.encode(images, NAMES).layers[-1][0] for images in (tiny_images, changed))
        assert bool((one - other).abs().max() > 1e-2) == crosses


def test_every_stage_trains_its_own_part(pair, tiny_images, masks):
    detector, _ = pair()
    batch = Batch(tiny_images, masks, LABELS, tuple(NAMES))
    for stage, own in ((TEXT_STAGE, "text"), (IMAGE_STAGE, "image"), (TEXT_STAGE, "text")):
        detector.begin_stage(stage)
        detector.network.zero_grad(set_to_none=True)
        sum(detector.loss(detector.encode(tiny_images, NAMES), batch).values()).backward()
        moved = {name.split(".")[0] for name, p in detector.network.named_parameters() if p.grad is not None}
        assert moved == {own}
        unused = [name for name, p in detector.network.get_submodule(own).named_parameters() if p.grad is None]
        assert unused == (["adapters.2.0.weight"] if own == "text" else []), "this text encoder has two blocks"


def test_all_layers_of_the_text_stage_if_wanted(pair, tiny_images, masks):
    one, every = pair()[0], pair(text_layers="all")[0]
    batch, found = Batch(tiny_images, masks, LABELS, tuple(NAMES)), []
    for detector in (one, every):
        detector.begin_stage(TEXT_STAGE)
        with torch.no_grad():
            found.append(detector.loss(detector.encode(tiny_images, NAMES), batch))
    assert len(found[1]) == 13
    assert torch.equal(found[0]["l24_focal"], found[1]["l24_focal"])
    assert float(found[1]["orthogonality_weighted"]) == pytest.approx(4 * float(found[0]["orthogonality_weighted"]))


def test_anchors_follow_the_weights(pair):
    detector, _ = pair()
    before = detector.anchors(NAMES[:1])
    with torch.no_grad():
        detector.network.text.head[0].weight.add_(torch.randn(32, 64, generator=torch.Generator().manual_seed(1)))
    assert not torch.allclose(detector.anchors(NAMES[:1]), before, atol=1e-3)


# --- sentences and options -------------------------------------------------------------------------


def test_the_sentences():
    normal, abnormal = sentences_of("a black zipper")
    assert (len(normal), len(abnormal)) == (6, 10)
    assert normal[:4] == [
        "a black zipper.",
        "a photo of a black zipper.",
        "a a black zipper.",
        "a photo of a a black zipper.",
    ]
    assert abnormal[4:6] == ["a a black zipper with flaw.", "a photo of a a black zipper with flaw."]


@pytest.mark.parametrize(
    "options",
    [
        *({"layers": ()}, {"layers": (0, 24)}, {"layers": (6, 6)}, {"text_adapters": -1}, {"image_adapters": -1}),
        *({"surgery_from": 0}, {"text_share": 1.5}, {"image_share": -0.1}, {"score_share": 2.0}, {"logit_scale": 0.0}),
        *({"image_scale": 0.0}, {"orthogonality_weight": -1.0}, {"focal_gamma": -1.0}, {"focal_smoothing": 0.5}),
    ],
)
def test_impossible_options_are_refused(options):
    with pytest.raises(UsageError):
        CARD.options(**options)

"""WinCLIP word for word: one window at a time, one patch at a time, against the batched code."""

from itertools import product

import pytest
import torch
from torch.nn.functional import cosine_similarity, interpolate

from zsadbench.errors import UsageError, WeightsError
from zsadbench_methods.winclip import CARD
from zsadbench_methods.winclip.prompts import ANOMALIB, CANONICAL, sentences_of
from zsadbench_methods.winclip.windows import TOKENS, encode_windows, harmonic_mean, patches_of_windows

GRID = 5
NAMES = ["bolt", "metal_nut", "bolt"]


@pytest.fixture
def winclip(tiny_backbone):
    """`winclip(**options)` builds the detector; `widen` spreads its text features, which are almost parallel."""

    def make(**options):
        detector = CARD.build(tiny_backbone, CARD.options(**options))
        generator = torch.Generator().manual_seed(3)
        for name in set(NAMES):
            detector.use_text(torch.randn(2, 32, generator=generator), [name])
        return detector

    return make


def windows_by_hand(scale):
    """Patches of every window, (row, column) by (row, column)."""
    places = range(GRID - scale + 1)
    return [
        [(top + down) * GRID + left + right for down, right in product(range(scale), range(scale))]
        for top, left in product(places, places)
    ]


def encoded_by_hand(backbone, image):
    """Features of one image: whole, patches, windows by scale; every sequence by itself."""
    visual = backbone.vision.visual
    tokens = backbone.vision.walk.embed(image.unsqueeze(0))[0]

    def through(rows):
        states = visual.transformer(visual.ln_pre(tokens[rows]).unsqueeze(0))[0]
        return visual.ln_post(states)

    whole = through(list(range(1 + GRID**2)))
    windows = {k: [through([0, *(1 + p for p in w)])[0] @ visual.proj for w in windows_by_hand(k)] for k in (2, 3)}
    return whole[0] @ visual.proj, whole[1:], windows


def probability(feature, text, temperature):
    cosines = torch.stack([cosine_similarity(feature, side, dim=0) for side in text]) / temperature
    return cosines.softmax(dim=0)[1]


def nearest(feature, known):
    return min((1 - cosine_similarity(feature, one, dim=0)) / 2 for one in known)


def test_windows_are_all_squares_in_raster_order():
    for scale in (1, 2, 3, 5):
        assert patches_of_windows(GRID, scale).tolist() == windows_by_hand(scale)


def test_zero_and_few_shot_are_the_formulas(winclip, tiny_backbone, tiny_images):
    detector = winclip()
    with torch.no_grad():
        tokens = detector.encode(tiny_images, NAMES)
        zero_shot = detector.score(tokens, NAMES)
        detector.remember(detector.encode(tiny_images[1:], NAMES[1:]))
        few_shot = detector.score(tokens, NAMES)
        references = [encoded_by_hand(tiny_backbone, image) for image in tiny_images[1:]]
        for row, name in enumerate(NAMES[:1]):
            text = detector.text_features([name])[0]
            whole, patches, windows = encoded_by_hand(tiny_backbone, tiny_images[row])
            s_image = probability(whole, text, 0.07)
            maps = [torch.zeros(GRID**2), torch.zeros(GRID**2)]
            for patch in range(GRID**2):
                inverse, distances = 1 / s_image, [nearest(patches[patch], [p for r in references for p in r[1]])]
                for scale in (2, 3):
                    over = [k for k, members in enumerate(windows_by_hand(scale)) if patch in members]
                    scores = [probability(windows[scale][k], text, 0.07) for k in over]
                    known = [window for reference in references for window in reference[2][scale]]
                    inverse = inverse + sum(1 / score for score in scores) / len(over)
                    distances.append(len(over) / sum(1 / nearest(windows[scale][k], known) for k in over))
                maps[0][patch], maps[1][patch] = 3 / inverse, sum(distances) / 3
            assert torch.allclose(zero_shot.image[row], s_image, atol=1e-5)
            assert torch.allclose(zero_shot.pixel[row].flatten(), maps[0], atol=1e-5)
            assert torch.allclose(few_shot.image[row], (s_image + maps[1].max()) / 2, atol=1e-5)
            assert torch.allclose(few_shot.pixel[row].flatten(), (maps[0] + maps[1]) / 2, atol=1e-5)


def test_the_other_convention_is_the_mean_of_normality(winclip, tiny_backbone, tiny_images):
    detector = winclip(**CARD.presets["caoyunkang"])
    with torch.no_grad():
        tokens = detector.encode(tiny_images[:1], NAMES[:1])
        found, text = detector.score(tokens, NAMES[:1]), detector.text_features(NAMES[:1])[0]
        _, _, windows = encoded_by_hand(tiny_backbone, tiny_images[0])
        for patch in range(GRID**2):
            means = []
            for scale in (2, 3):
                over = [k for k, members in enumerate(windows_by_hand(scale)) if patch in members]
                means.append(sum(1 / (1 - probability(windows[scale][k], text, 0.01)) for k in over) / len(over))
            z = 1 - 2 / sum(means)
            assert torch.allclose(found.pixel[0].flatten()[patch], z / 2, atol=1e-5)
        enlarged = interpolate(found.pixel.unsqueeze(1), (70, 70), mode="bilinear", align_corners=False)
        assert torch.equal(found.image, enlarged.amax(dim=(1, 2, 3)))


def test_a_window_that_scores_zero_decides_and_others_are_not_touched():
    cover = torch.tensor([[1.0, 1.0, 0.0], [0.0, 1.0, 1.0]])
    found = harmonic_mean(torch.tensor([[0.0, 0.5]]), cover)
    assert torch.allclose(found, torch.tensor([[0.0, 0.0, 0.5]]), atol=1e-6)


def test_windows_in_several_passes_are_the_same(tiny_backbone, tiny_images, monkeypatch):
    walk = tiny_backbone.vision.walk
    with torch.no_grad():
        normed, patches = walk.first_norm(walk.embed(tiny_images)), patches_of_windows(GRID, 2)
        whole = encode_windows(walk, normed, patches)
        monkeypatch.setattr("zsadbench_methods.winclip.windows.TOKENS", 35)
        assert torch.allclose(encode_windows(walk, normed, patches), whole, atol=1e-6)
    assert TOKENS > 35


def test_the_captions():
    assert len(set(CANONICAL)) == len(CANONICAL) == 22
    assert len(ANOMALIB) == 21
    assert set(CANONICAL) - set(ANOMALIB) == {"a cropped photo of a {}", "a jpeg corrupted photo of a {}"}
    assert ANOMALIB.count("a jpeg corrupted photo of the {}") == 2
    normal, abnormal = sentences_of(CARD.options(), "metal_nut")
    assert (len(normal), len(abnormal)) == (147, 84)
    assert all(sentence.endswith(".") and "metal_nut" in sentence for sentence in normal + abnormal)
    assert "a photo of the metal_nut without damage for visual inspection." in normal
    normal, abnormal = sentences_of(CARD.options(templates="canonical", period=False), "bolt")
    assert (len(normal), len(abnormal)) == (154, 88)
    assert not any(sentence.endswith(".") for sentence in normal + abnormal)


def test_text_is_the_plain_mean_of_the_sentences(tiny_backbone):
    detector = CARD.build(tiny_backbone, CARD.options())
    normal, abnormal = sentences_of(detector.options, "bolt")
    expected = torch.stack([tiny_backbone.text.sentence_features(side).mean(dim=0) for side in (normal, abnormal)])
    assert torch.allclose(detector.text_features(["bolt"])[0], expected, atol=1e-5)
    unit = CARD.build(tiny_backbone, CARD.options(normalise_text=True)).text_features(["bolt"])[0]
    assert torch.allclose(unit.norm(dim=-1), torch.ones(2), atol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scales": ()}, "scales"),
        ({"scales": (2, 2)}, "scales"),
        ({"scales": (0,)}, "scales"),
        ({"temperature": 0}, "t"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(UsageError, match=message):
        CARD.options(**options)


def test_windows_larger_than_the_image_are_refused(tiny_backbone):
    with pytest.raises(UsageError, match="windows of 6 patches, the image has 5 a side"):
        CARD.build(tiny_backbone, CARD.options(scales=(2, 6)))


def test_there_is_nothing_to_import(tmp_path):
    with pytest.raises(WeightsError, match="trains nothing"):
        CARD.official.read([tmp_path / "any.pth"])

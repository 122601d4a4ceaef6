"""Plain CLIP, the baseline: every token against two sentences."""

import pytest
import torch
from torch.nn.functional import cosine_similarity

from zsadbench.errors import UsageError
from zsadbench.registry import method_card
from zsadbench.types import Method, Trainable

CARD = method_card("clip")
NAMES = ["bolt", "metal nut", "bolt"]


@pytest.fixture
def baseline(tiny_backbone):
    return lambda **options: CARD.build(tiny_backbone, CARD.options(**options))


@pytest.fixture(scope="module")
def seen(tiny_backbone, tiny_images):
    return tiny_backbone.vision(tiny_images, CARD.taps(CARD.options()))


def test_scores_are_the_softmax_of_two_cosines(baseline, seen, tiny_backbone):
    scores = baseline(temperature=0.05).score(seen, NAMES)
    for row, name in enumerate(NAMES):
        sentences = [f"a photo of a normal {name}.", f"a photo of a damaged {name}."]
        normal, damaged = tiny_backbone.text.sentence_features(sentences)
        for token in range(26):
            joint = tiny_backbone.vision.norm(seen.layers[0][row, token]) @ tiny_backbone.vision.projection
            gap = cosine_similarity(joint, damaged, dim=0) - cosine_similarity(joint, normal, dim=0)
            found = scores.image[row] if token == 0 else scores.pixel[row].flatten()[token - 1]
            assert abs(found - torch.sigmoid(gap / 0.05)) < 1e-5


def test_each_class_is_encoded_once(baseline, seen, tiny_backbone):
    runs = []
    hook = tiny_backbone.text.register_forward_pre_hook(lambda *_: runs.append(1))
    detector = baseline()
    for _ in range(2):
        detector.score(seen, NAMES)
    hook.remove()
    assert len(runs) == 2


def test_the_class_name_is_read(baseline, seen):
    detector = baseline()
    bolts, nuts = detector.score(seen, ["bolt"] * 3), detector.score(seen, ["metal nut"] * 3)
    mixed = detector.score(seen, NAMES)
    assert (bolts.pixel - nuts.pixel).abs().max() > 1e-4
    assert torch.allclose(mixed.pixel[1], nuts.pixel[1], atol=1e-6)
    assert torch.allclose(mixed.pixel[2], bolts.pixel[2], atol=1e-6)


def test_it_learns_nothing(baseline):
    detector = baseline()
    assert isinstance(detector, Method)
    assert not isinstance(detector, Trainable)
    assert CARD.recipe is None


@pytest.mark.parametrize("wrong", [{"normal": "a photo"}, {"anomalous": "{} and {}"}, {"temperature": -1}])
def test_options_that_cannot_be_right_are_refused(wrong):
    with pytest.raises(UsageError, match="option"):
        CARD.options(**wrong)

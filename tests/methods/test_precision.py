"""Heads in half precision: only products of matrices are, and results stay near those in single precision."""

import pytest
import torch

from zsadbench.clip.towers import autocast
from zsadbench.registry import method_card

HEADS = ("fbclip", "afclip", "anomalyclip")
TEXT_PER_IMAGE = ("faprompt",)


@pytest.fixture
def scored(widened, make_tokens):
    """`scored(name, precision)`: scores of the same tokens."""

    def score(name, precision):
        detector = widened(name)
        taps = method_card(name).taps(detector.options)
        tokens = make_tokens(layers=len(taps.blocks), values=len(taps.value_blocks), grid=7)
        with torch.inference_mode(), autocast("cpu", precision):
            return detector.score(tokens, ["bolt"] * 3)

    return score


@pytest.mark.parametrize("precision", [torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("name", HEADS + TEXT_PER_IMAGE)
def test_scores_are_near_and_single(scored, name, precision):
    exact, rough = scored(name, torch.float32), scored(name, precision)
    for one, other in zip(exact, rough, strict=True):
        assert other.dtype == torch.float32
        assert other.isfinite().all()
        assert 0 < (one - other).abs().max() < 0.02


@pytest.mark.parametrize("name", HEADS)
def test_features_of_the_text_do_not_depend_on_who_asks_first(widened, name):
    first, second = widened(name), widened(name)
    with torch.inference_mode(), autocast("cpu", torch.bfloat16):
        first.encode_text(["bolt"])
    second.encode_text(["bolt"])
    assert torch.equal(first._cached_text(), second._cached_text())


def test_masks_and_weights_of_views_are_found_in_single_precision(fbclip, make_tokens):
    detector, tokens = fbclip(), make_tokens(grid=7)

    def computed():
        foregrounds = detector.foregrounds(tokens)
        views = [view.tokens for layer_views in detector.views(tokens, foregrounds) for view in layer_views]
        return views, foregrounds

    exact = computed()
    with torch.inference_mode(), autocast("cpu", torch.bfloat16):
        rough = computed()
    for one, other in zip(exact[0], rough[0], strict=True):
        assert torch.equal(one, other)
    for one, other in zip(exact[1], rough[1], strict=True):
        assert torch.equal(one.score, other.score)
        assert torch.equal(one.is_foreground, other.is_foreground)

"""FB-CLIP as a detector: prompts, what is trained, what is remembered, laws of batches, memory."""

import pytest
import torch

from zsadbench.errors import UsageError
from zsadbench.types import Method, Tokens, Traceable, Trainable
from zsadbench_methods.fbclip.foreground import Foreground, find_foreground
from zsadbench_methods.fbclip.model import Head
from zsadbench_methods.fbclip.options import Options

NAMES = ["bolt", "nut", "bolt"]
STREAM_SHAPES = {
    **{"scale": (), "norm.weight": (1024,), "norm.bias": (1024,)},
    **{f"to_{letter}.weight": (512, 1024) for letter in "qkv"},
    **{"to_out.weight": (1024, 512), "to_out.bias": (1024,)},
}
PUBLISHED_SHAPES = {
    **{"prompts.normal": (12, 768), "prompts.abnormal": (12, 768), "layer_weights": (6,)},
    **{f"attention.{s}.{name}": shape for s in ("foreground", "background") for name, shape in STREAM_SHAPES.items()},
    **{"attention.gate.0.weight": (512, 1024), "attention.gate.0.bias": (512,)},
    **{"attention.gate.2.weight": (1, 512), "attention.gate.2.bias": (1,)},
    **{"attention.norm.weight": (1024,), "attention.norm.bias": (1024,)},
    **{"fusion.selector.0.weight": (384, 768), "fusion.selector.0.bias": (384,)},
    **{"fusion.selector.2.weight": (1, 384), "fusion.selector.2.bias": (1,)},
    **{f"fusion.project.{layer}.weight": (768, 768) for layer in (0, 2)},
    **{f"fusion.project.{layer}.bias": (768,) for layer in (0, 2)},
}


# --- prompts ---------------------------------------------------------------------------------------


def test_the_two_sentences_have_the_published_token_ids(tiny_backbone, monkeypatch):
    seen = []
    original = tiny_backbone.text.tokenize
    monkeypatch.setattr(tiny_backbone.text, "tokenize", lambda sentences: seen.append(original(sentences)) or seen[-1])
    prompts = Head(tiny_backbone, Options()).prompts
    (ids,) = seen
    for row, word in ((0, 2193), (1, 593)):
        expected = [49406, *[343] * 12, 14115, word, 44013, 269, 49407, *[0] * 59]
        assert ids[row].tolist() == expected
    assert prompts.eot.tolist() == [17, 17]


def test_the_learnt_contexts_replace_the_placeholders_alone(fbclip, tiny_backbone):
    prompts = fbclip().network.prompts
    assembled = prompts()
    plain = tiny_backbone.text.embed(
        tiny_backbone.text.tokenize([" ".join(["X"] * 12) + f" object {word} defect." for word in ("without", "with")])
    )
    assert torch.equal(assembled[:, 0], plain[:, 0])
    assert torch.equal(assembled[:, 13:], plain[:, 13:])
    assert torch.equal(assembled[0, 1:13], prompts.normal)
    assert torch.equal(assembled[1, 1:13], prompts.abnormal)


def test_contexts_start_small(tiny_backbone):
    prompts = Head(tiny_backbone, Options()).prompts
    assert 0.017 < torch.cat([prompts.normal, prompts.abnormal]).std() < 0.023


@pytest.mark.parametrize("options", [{"context": 73}, {"class_word": "thing " * 80}])
def test_prompts_that_do_not_fit_are_refused(tiny_backbone, options):
    with pytest.raises(UsageError, match="fit"):
        Head(tiny_backbone, Options(**options))


# --- what is trained -------------------------------------------------------------------------------


def test_the_trained_tensors_are_the_published_ones(large_sizes):
    head = Head(large_sizes, Options())
    assert {name: tuple(tensor.shape) for name, tensor in head.state_dict().items()} == PUBLISHED_SHAPES
    assert all(parameter.requires_grad for parameter in head.parameters())
    contexts, never_used = 2 * 12 * 768, 3 + 18  # `fusion_weights` and `layer_selector` are optimised for nothing
    used = sum(parameter.numel() for parameter in head.parameters())
    assert used - contexts + never_used == 6_204_703, "what the published optimiser holds, the prompts apart"
    assert torch.equal(head.layer_weights, torch.full((6,), 1 / 6))
    assert head.attention.foreground.scale.item() == 0.125


def test_gradients_reach_the_head_and_nothing_else(fbclip, tokens, batch, tiny_backbone):
    detector = fbclip()
    sum(detector.loss(tokens, batch).values()).backward()
    for name, parameter in detector.network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        if name != "fusion.selector.2.bias":  # a softmax does not see it
            assert parameter.grad.abs().sum() > 0, name
    for tower in (tiny_backbone.vision, tiny_backbone.text):
        assert all(not parameter.requires_grad and parameter.grad is None for parameter in tower.parameters())
    assert all(not layer.requires_grad for layer in tokens.layers)


def test_one_step_of_the_recipe_lowers_the_loss(fbclip, tokens, batch):
    detector = fbclip()
    optimiser = torch.optim.Adam(detector.network.parameters(), lr=1e-3, betas=(0.5, 0.999))
    before = sum(detector.loss(tokens, batch).values())
    before.backward()
    optimiser.step()
    assert sum(detector.loss(tokens, batch).values()) < before


# --- what is remembered ----------------------------------------------------------------------------


@pytest.fixture
def text_runs(tiny_backbone):
    """How often the text tower ran."""
    runs = []
    hook = tiny_backbone.text.register_forward_pre_hook(lambda *_: runs.append(1))
    yield runs
    hook.remove()


def test_text_is_encoded_once_an_evaluation(fbclip, tokens, text_runs):
    detector = fbclip()
    for _ in range(3):
        with torch.no_grad():
            detector.score(tokens, NAMES)
    assert len(text_runs) == 1


@pytest.mark.parametrize("change", ["load", "assign", "step", "fused step", "by hand"])
def test_text_is_encoded_again_after_a_change(fbclip, tokens, batch, text_runs, change):
    detector = fbclip()
    other = {name: tensor + 0.1 for name, tensor in detector.network.state_dict().items()}
    with torch.no_grad():
        before = detector.score(tokens, NAMES).image
    if change in {"load", "assign"}:
        detector.network.load_state_dict(other, assign=change == "assign")
    elif change == "by hand":
        with torch.no_grad():
            detector.network.prompts.normal.mul_(3.0)
    else:
        optimiser = torch.optim.Adam(detector.network.parameters(), lr=0.1, fused=change == "fused step")
        sum(detector.loss(tokens, batch).values()).backward()
        optimiser.step()
    text_runs.clear()
    with torch.no_grad():
        after = detector.score(tokens, NAMES).image
    assert len(text_runs) == 1
    assert (after - before).abs().max() > 1e-4
    fresh = fbclip()
    fresh.network.load_state_dict(detector.network.state_dict())
    with torch.no_grad():
        assert torch.equal(fresh.score(tokens, NAMES).image, after)


def test_evaluation_in_between_does_not_disturb_training(fbclip, tokens, batch):
    detector = fbclip()
    with torch.inference_mode():
        quick = detector.score(tokens, NAMES)
    sum(detector.loss(tokens, batch).values()).backward()
    assert torch.allclose(detector.score(tokens, NAMES).image, quick.image, atol=1e-6)


# --- laws ------------------------------------------------------------------------------------------


def test_it_is_all_three_kinds_of_method(fbclip):
    detector = fbclip()
    assert all(isinstance(detector, kind) for kind in (Method, Trainable, Traceable))


def test_images_do_not_influence_each_other_and_come_in_any_order(fbclip, tokens):
    detector = fbclip()
    order = [2, 0, 1]
    with torch.no_grad():
        whole = detector.score(tokens, NAMES)
        shuffled = detector.score(Tokens(tuple(layer[order] for layer in tokens.layers), tokens.grid), NAMES)
        assert torch.allclose(shuffled.image, whole.image[order], atol=1e-5)
        assert torch.allclose(shuffled.pixel, whole.pixel[order], atol=1e-5)
        for row in range(3):
            alone = detector.score(Tokens(tuple(layer[row : row + 1] for layer in tokens.layers), 5), ["nut"])
            assert torch.allclose(alone.image[0], whole.image[row], atol=1e-5)
            assert torch.allclose(alone.pixel[0], whole.pixel[row], atol=1e-5)


def test_class_names_are_not_used(fbclip, tokens):
    detector = fbclip()
    with torch.no_grad():
        assert torch.equal(detector.score(tokens, NAMES).pixel, detector.score(tokens, ["x", "y", "z"]).pixel)


def test_tokens_are_left_as_they_were(fbclip, tokens, batch):
    copies = [layer.clone() for layer in tokens.layers]
    detector = fbclip()
    detector.loss(tokens, batch)
    detector.stages(tokens, NAMES)
    assert all(torch.equal(copy, layer) for copy, layer in zip(copies, tokens.layers, strict=True))


def test_stages_end_in_the_scores(fbclip, tokens):
    detector = fbclip(layers=(1, 12, 18, 20, 24), views=("id", "spa"))
    with torch.no_grad():
        stages, scores = detector.stages(tokens, NAMES), detector.score(tokens, NAMES)
    assert torch.allclose(stages["score"], scores.image, atol=1e-6)
    assert torch.allclose(stages["map_grid"], scores.pixel, atol=1e-6)
    assert stages["spa_l01"].shape == stages["fb_attention_l20_spa"].shape == (3, 26, 64)
    assert "sem_l12" not in stages


def test_more_layers_than_published_have_a_weight_each(fbclip, make_tokens):
    detector = fbclip(layers=tuple(range(1, 9)))
    assert detector.network.layer_weights.shape == (8,)
    with torch.no_grad():
        assert detector.score(make_tokens(layers=8), NAMES).pixel.isfinite().all()


# --- corners ------------------------------------------------------------------------------------


def test_views_of_zero_tokens_are_finite(make_tokens, compute_view):
    z = make_tokens(batch=1, grid=5, width=8).layers[0].clone()
    z[:, 3:9] = 0
    front = torch.arange(25).view(1, 25) % 2 == 0
    foreground = Foreground(front.float(), front, torch.where(front, 1.0, 0.5), torch.zeros(1, 25))
    for name in ("sem", "spa"):
        assert compute_view(name, z, foreground).isfinite().all()


def test_a_constant_image_has_no_foreground():
    z = torch.ones(1, 26, 8)
    found = find_foreground(z, z, threshold=0.5, smoothing=True, background_value=0.5)
    assert not found.is_foreground[:, 2:-2].any()
    assert found.score.isfinite().all()


def test_gates_differ_between_tokens(fbclip, tokens):
    gate = fbclip().network.attention.gate_values(tokens.layers[1])
    assert gate.min() < 0.05
    assert gate.max() > 0.95

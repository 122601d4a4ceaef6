"""FAPrompt's switches, prompts and what is trained."""

import pytest
import torch

from zsadbench.errors import UsageError
from zsadbench.registry import method_card
from zsadbench.types import Taps
from zsadbench_methods.faprompt.model import Head
from zsadbench_methods.faprompt.options import Options

CARD = method_card("faprompt")
NAMES = ["bolt"] * 3
PASS2 = {"text_features_conditioned", "map_grid_pass2", "text_probability", "map_grid", "score"}
PASS1 = {"text_features", "map_grid_pass1"} | PASS2
SENTENCES = {"text_normal_raw", "text_abnormal_raw"} | PASS1
CHANGES = {  # option → the stages that it moves; every other stage stays as it is
    "select": ("topk", {"selected_tokens", "prior"} | PASS2),
    "class_word": ("part", SENTENCES),
    "damage_word": ("broken", SENTENCES - {"text_normal_raw"}),
    "deep_depth": (1, SENTENCES),
    "deep_length": (2, SENTENCES),
    "cls_norm": (True, {"image_features_raw", "text_probability", "score"}),
    "temperature": (0.5, {"map_grid_pass1", "map_grid_pass2", "text_probability", "map_grid", "score"}),
}
LOSS_CHANGES = {
    "image_weight": (2.0, {"image_weighted"}),
    "pass2_weight": (1.0, {"pass2_total_weighted"}),
    "orthogonality_weight": (1.0, {"orthogonality_weighted"}),
    "prior_weight": (2.0, {"prior_weighted"}),
    "probability_as_logit": (False, {"image_weighted"}),
    "focal_gamma": (4.0, {"pass1_total", "pass2_total_weighted", "image_weighted"}),
    "focal_smoothing": (0.1, {"pass1_total", "pass2_total_weighted"}),
}
SIZES = {"selected", "prior_width", "prompts", "context", "abnormal_context"}
ELSEWHERE = {"deep_half", "value_from", "position", "activation"}


@pytest.fixture(scope="module")
def faprompt(widened):
    return lambda **options: widened("faprompt", **options)


@pytest.fixture(scope="module")
def tokens(make_tokens):
    return make_tokens(layers=1, values=1)


def stages(detector, tokens):
    with torch.no_grad():
        return detector.stages(tokens, NAMES)


def moved(left, right, limit=5e-7):
    assert left.keys() == right.keys()
    return {name for name in left if (left[name] - right[name]).abs().max() > limit}


def same_parameters(source, goal):
    """`goal` with every parameter of `source` that it has, cut where it is larger."""
    with torch.no_grad():
        mine = dict(source.network.named_parameters())
        for name, parameter in goal.network.named_parameters():
            parameter.copy_(mine[name][: len(parameter)])
    return goal


@pytest.mark.parametrize("option", CHANGES)
def test_a_switch_moves_its_stage_and_what_follows(faprompt, tokens, option):
    value, expected = CHANGES[option]
    default = faprompt()
    changed = same_parameters(default, faprompt(**{option: value}))
    assert moved(stages(default, tokens), stages(changed, tokens)) == expected


@pytest.mark.parametrize("option", LOSS_CHANGES)
def test_a_loss_switch_moves_its_component(faprompt, tokens, batch, option):
    value, expected = LOSS_CHANGES[option]
    usual, changed = faprompt(), faprompt(**{option: value})
    left, right = (detector.loss(tokens, batch) for detector in (usual, changed))
    assert {name for name in left if (left[name] - right[name]).abs() > 1e-6} == expected
    assert moved(stages(usual, tokens), stages(changed, tokens)) == set()


def test_every_option_is_covered():
    assert {*CHANGES, *LOSS_CHANGES, *SIZES, *ELSEWHERE} == set(Options.__dataclass_fields__)


def test_what_is_tapped():
    assert CARD.taps(Options()) == Taps((24,), value_blocks=(24,), value_from=6, preprocessing="resize_first")
    assert CARD.taps(Options()) == method_card("anomalyclip").taps(method_card("anomalyclip").options())
    changed = CARD.taps(Options(value_from=9, position="bicubic", activation="gelu"))
    assert (changed.value_from, changed.position, changed.activation) == (9, "bicubic", "gelu")


def test_the_protocol_is_that_of_the_paper():
    (protocol,) = CARD.protocols
    assert (protocol.name, protocol.aupro, protocol.seeds) == ("paper:faprompt", "200_minmax", (111,))
    assert (protocol.preprocessing, protocol.mask_resize) == ("resize_first", "bilinear-half")
    assert CARD.smoothing == 10


# --- prompts, and what is trained ------------------------------------------------------------------


def test_prompts_are_the_published_sentences(tiny_backbone):
    prompts, text = Head(tiny_backbone, Options()).prompts, tiny_backbone.text
    assert (prompts.normal_end, prompts.abnormal_end) == (8, 11)
    normal, shift = prompts.normal_sentence(), torch.randn(2, 64)
    abnormal = prompts.abnormal_sentences(shift).unflatten(0, (2, 10))
    assert (normal.shape, abnormal.shape) == ((1, 9, 64), (2, 10, 12, 64))
    ids = text.tokenize(["N N N N N object.", "N N N N N A A damaged object."])
    assert ids[0, :10].tolist() == [49406, *5 * [333], 14115, 269, 49407, 0]
    assert ids[1, :13].tolist() == [49406, *5 * [333], 320, 320, 13568, 14115, 269, 49407, 0]
    whole = text.embed(ids)
    assert torch.equal(normal[0, [0, 6, 7, 8]], whole[0, [0, 6, 7, 8]])
    assert torch.equal(normal[0, 1:6], prompts.normal)
    for image in range(2):
        for j in range(10):
            row = abnormal[image, j]
            assert torch.equal(row[[0, 8, 9, 10, 11]], whole[1, [0, 8, 9, 10, 11]])
            assert torch.equal(row[1:6], prompts.normal), "the normality tokens are shared"
            assert torch.equal(row[6:8], prompts.abnormal[j] + shift[image])


def test_initial_values_are_the_published_ones(large_sizes):
    head = Head(large_sizes, Options())
    drawn = torch.cat([prompt.flatten() for prompt in head.prompts.parameters()])
    assert 0.0195 < drawn.std() < 0.0205
    assert abs(drawn.mean()) < 0.001
    assert head.prior.linear1.weight.shape == (480, 7680)
    bound = 7680**-0.5  # of a linear layer as it comes
    assert 0.99 * bound < head.prior.linear1.weight.abs().max() <= bound


def test_the_published_number_of_parameters_is_trained(large_sizes):
    head = Head(large_sizes, Options())
    assert sum(p.numel() for p in head.parameters() if p.requires_grad) == 4_100_064


def test_deep_prompts_without_a_block_are_kept_and_not_trained(tiny_backbone):
    deep = Head(tiny_backbone, Options()).prompts.deep  # a text tower of two blocks
    assert [p.requires_grad for p in deep] == [True] + 7 * [False]
    assert len(Head(tiny_backbone, Options(deep_depth=1)).prompts.deep) == 0


BAD = [
    *({"select": "last"}, {"selected": 0}, {"prior_width": 0}, {"prompts": 0}, {"context": 0}, {"abnormal_context": 0}),
    *({"deep_depth": 0}, {"deep_length": 0}, {"deep_length": 6}, {"value_from": 0}, {"value_from": 25}),
    *({"temperature": 0.0}, {"image_weight": -1.0}, {"pass2_weight": -1.0}, {"orthogonality_weight": -1.0}),
    *({"prior_weight": -1.0}, {"focal_gamma": -1.0}, {"focal_smoothing": 0.5}, {"focal_smoothing": -0.1}),
]


@pytest.mark.parametrize("options", BAD, ids=str)
def test_impossible_options_are_refused(options):
    with pytest.raises(UsageError):
        Options(**options)


@pytest.mark.parametrize("options", [{"context": 80}, {"abnormal_context": 80}, {"class_word": "very " * 80}], ids=str)
def test_prompts_that_do_not_fit_are_refused(tiny_backbone, options):
    with pytest.raises(UsageError, match="do not fit into the 77 tokens"):
        Head(tiny_backbone, Options(**options))


def test_more_patches_than_an_image_has_are_refused(faprompt, tokens):
    with pytest.raises(UsageError, match="'selected' is 26, but an image of 70 pixels has only 25 patches"):
        faprompt(selected=26)
    everything = stages(faprompt(selected=25), tokens)
    assert everything["selected_tokens"].shape == (3, 25, 32)


def test_the_text_tower_is_wanted_for_every_image(faprompt, tokens, monkeypatch, tiny_backbone):
    detector = faprompt()
    with torch.no_grad():
        detector.score(tokens, NAMES)
        encoded = []
        whole = type(tiny_backbone.text).forward
        monkeypatch.setattr(
            tiny_backbone.text,
            "forward",
            lambda x, **more: encoded.append(x.shape) or whole(tiny_backbone.text, x, **more),
        )
        detector.score(tokens, NAMES)
    assert encoded == [(30, 12, 64)], "ten conditioned sentences per image; those of the first pass are known"


def test_training_moves_the_loss_down(faprompt, tokens, batch):
    detector = faprompt()
    optimiser = torch.optim.Adam(detector.network.parameters(), lr=CARD.recipe.lr, betas=CARD.recipe.betas)
    losses = []
    for _ in range(5):
        total = sum(detector.loss(tokens, batch).values())
        losses.append(total.item())
        optimiser.zero_grad()
        total.backward()
        optimiser.step()
    assert losses == sorted(losses, reverse=True)

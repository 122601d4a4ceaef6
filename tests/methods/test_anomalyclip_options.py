"""AnomalyCLIP's switches, prompts and what is trained."""

import pytest
import torch

from zsadbench.errors import UsageError
from zsadbench.registry import method_card
from zsadbench.types import Taps
from zsadbench_methods.anomalyclip.model import Head
from zsadbench_methods.anomalyclip.options import Options

CARD = method_card("anomalyclip")
NAMES = ["bolt"] * 3
SCORES = {"score", "map_grid"}
CHANGES = {  # option → the stages that it moves; every other stage stays as it is
    "class_word": ("part", {"text_features"} | SCORES),
    "damage_word": ("broken", {"text_features"} | SCORES),
    "deep_depth": (1, {"text_features"} | SCORES),
    "deep_length": (2, {"text_features"} | SCORES),
    "deep_half": (False, {"text_features"}),
    "cls_norm": (True, {"image_features", "score"}),
    "temperature": (0.5, SCORES),
}
LOSS_CHANGES = {
    "image_weight": (2.0, {"image_cross_entropy_weighted"}),
    "pixel_weight": (1.0, {"pixel_total_weighted"}),
    "focal_gamma": (4.0, {"pixel_total_weighted"}),
    "focal_smoothing": (0.1, {"pixel_total_weighted"}),
}
ELSEWHERE = {"layers", "value_value", "value_from", "context", "position", "activation"}


@pytest.fixture(scope="module")
def anomalyclip(widened):
    return lambda **options: widened("anomalyclip", **options)


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
    """`goal` with every parameter of `source` that it has in the same shape, cut where it is larger."""
    with torch.no_grad():
        mine = dict(source.network.named_parameters())
        for name, parameter in goal.network.named_parameters():
            parameter.copy_(mine[name][: len(parameter)])
    return goal


@pytest.mark.parametrize("option", CHANGES)
def test_a_switch_moves_its_stage_and_what_follows(anomalyclip, tokens, option):
    value, expected = CHANGES[option]
    default = anomalyclip()
    changed = moved(stages(default, tokens), stages(same_parameters(default, anomalyclip(**{option: value})), tokens))
    assert expected <= changed <= expected | SCORES  # rounding may reach the scores or stay below the limit


@pytest.mark.parametrize("option", LOSS_CHANGES)
def test_a_loss_switch_moves_its_component(anomalyclip, tokens, batch, option):
    value, expected = LOSS_CHANGES[option]
    usual, changed = anomalyclip(), anomalyclip(**{option: value})
    left, right = (detector.loss(tokens, batch) for detector in (usual, changed))
    assert {name for name in left if (left[name] - right[name]).abs() > 1e-6} == expected
    assert moved(stages(usual, tokens), stages(changed, tokens)) == set()


def test_every_option_is_covered():
    assert {*CHANGES, *LOSS_CHANGES, *ELSEWHERE} == set(Options.__dataclass_fields__)


def test_what_is_tapped():
    assert CARD.taps(Options()) == Taps((24,), value_blocks=(24,), value_from=6, preprocessing="resize_first")
    assert CARD.taps(Options(layers=(18, 12), value_from=9)).value_blocks == (12, 18)
    assert CARD.taps(Options(layers=(18, 12), value_from=9)).value_from == 9
    plain = CARD.taps(Options(layers=(6, 12), value_value=False))
    assert (plain.blocks, plain.value_blocks) == ((6, 12, 24), ())
    assert CARD.taps(Options(position="bicubic", activation="gelu")).position == "bicubic"


def test_maps_of_several_layers_are_added(anomalyclip, make_tokens):
    tokens = make_tokens(layers=1, values=4)
    detector = anomalyclip(layers=(6, 12, 18, 24))
    found = stages(detector, tokens)
    assert found["map_grid"].shape == (3, 4, 5, 5)
    with torch.no_grad():
        assert torch.allclose(detector.score(tokens, NAMES).pixel, found["map_grid"].sum(dim=1))
    one = stages(anomalyclip(), make_tokens(layers=1, values=4)._replace(value_layers=tokens.value_layers[3:]))
    assert torch.allclose(one["map_grid"], found["map_grid"][:, 3], atol=1e-6)


def test_paths_and_starts_reach_the_scores(anomalyclip, tiny_backbone, tiny_images):
    def score(**options):
        detector = anomalyclip(**options)
        with torch.no_grad():
            return detector.score(tiny_backbone.vision(tiny_images, CARD.taps(detector.options)), NAMES)

    default = score()
    for options in ({"value_value": False}, {"value_from": 12}, {"layers": (12,)}):
        changed = score(**options)
        assert (changed.pixel - default.pixel).abs().max() > 1e-5, options
        assert torch.equal(changed.image, default.image), "the image is judged by the plain path alone"


# --- prompts, and what is trained ------------------------------------------------------------------


def test_prompts_are_the_published_sentences(tiny_backbone):
    prompts = Head(tiny_backbone, Options()).prompts
    assert prompts.eot.tolist() == [15, 16]
    assembled, text = prompts(), tiny_backbone.text
    assert assembled.shape == (2, 17, 64)
    for row, words in enumerate(("object.", "damaged object.")):
        ids = text.tokenize([f"{'X ' * 12}{words}"])
        assert ids[0, 1:13].tolist() == [343] * 12
        whole = text.embed(ids)[0]
        assert torch.equal(assembled[row, :1], whole[:1])
        assert torch.equal(assembled[row, 13:], whole[13:17])
    assert torch.equal(assembled[0, 1:13], prompts.normal)
    assert torch.equal(assembled[1, 1:13], prompts.abnormal)


def test_initial_prompts_are_small_and_random(large_sizes):
    prompts = Head(large_sizes, Options()).prompts
    drawn = torch.cat([prompts.normal, prompts.abnormal, *prompts.deep])
    assert 0.0195 < drawn.std() < 0.0205
    assert abs(drawn.mean()) < 0.001


def test_the_published_number_of_parameters_is_trained(large_sizes):
    head = Head(large_sizes, Options())
    assert sum(p.numel() for p in head.parameters() if p.requires_grad) == 43_008


def test_deep_prompts_without_a_block_are_kept_and_not_trained(tiny_backbone):
    deep = Head(tiny_backbone, Options()).prompts.deep  # a text tower of two blocks
    assert [p.requires_grad for p in deep] == [True] + 7 * [False]
    assert len(Head(tiny_backbone, Options(deep_depth=1)).prompts.deep) == 0


BAD = [
    *(
        {"layers": ()},
        {"layers": (5,)},
        {"layers": (24, 24)},
        {"layers": (25,)},
        {"layers": (0,), "value_value": False},
    ),
    *({"value_from": 0}, {"context": 0}, {"deep_depth": 0}, {"deep_length": 0}, {"deep_length": 13}),
    *({"temperature": 0.0}, {"pixel_weight": -1.0}, {"image_weight": -1.0}, {"focal_gamma": -1.0}),
    *({"focal_smoothing": 0.5}, {"focal_smoothing": -0.1}),
]


@pytest.mark.parametrize("options", BAD, ids=str)
def test_impossible_options_are_refused(options):
    with pytest.raises(UsageError):
        Options(**options)


@pytest.mark.parametrize("options", [{"context": 80}, {"class_word": "very " * 80}])
def test_prompts_that_do_not_fit_are_refused(tiny_backbone, options):
    with pytest.raises(UsageError, match="do not fit into the 77 tokens"):
        Head(tiny_backbone, Options(**options))


def test_training_moves_the_loss_down(anomalyclip, tokens, batch):
    detector = anomalyclip()
    optimiser = torch.optim.Adam(detector.network.parameters(), lr=CARD.recipe.lr, betas=CARD.recipe.betas)
    losses = []
    for _ in range(5):
        total = sum(detector.loss(tokens, batch).values())
        losses.append(total.item())
        optimiser.zero_grad()
        total.backward()
        optimiser.step()
    assert losses == sorted(losses, reverse=True)

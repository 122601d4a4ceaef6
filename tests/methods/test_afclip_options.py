"""AF-CLIP's switches and ablations, prompts and what is trained."""

import pytest
import torch

from zsadbench.errors import UsageError
from zsadbench.registry import method_card
from zsadbench_methods.afclip.model import Head
from zsadbench_methods.afclip.options import Options

CARD = method_card("afclip")
NAMES = ["bolt"] * 3
SCORES = {"score", "map_grid"}
TOKENS = {"projected", "adaptor"} | SCORES
CHANGES = {  # option → the kinds of stages that it moves; every other stage stays as it is
    "window_sigma": (1.0, {"aggregated"} | TOKENS),
    "renormalise_border": (True, {"aggregated"} | TOKENS),
    "context_place": ("after_start", {"text_features"} | SCORES),
    "normal": ("fine.", {"text_features"} | SCORES),
    "abnormal": ("broken.", {"text_features"} | SCORES),
    "tuning": ("none", {"projected"} | SCORES),
    "temperature": (0.5, SCORES),
}
LOSS_CHANGES = {
    "pixel_weight": (2.0, {"pixel_focal_weighted", "pixel_l1_weighted"}),
    "alignment": ("none", {"alignment_weighted"}),
    "alignment_weight": (2.0, {"alignment_weighted"}),
    "focal_gamma": (2.0, {"image_focal", "pixel_focal_weighted"}),
    "target_alias": (False, set()),  # moves gradients alone
}
MEMORY = {"memory_layers", "image_alpha", "pixel_alpha"}
ELSEWHERE = {"layers", "windows", "context", "position", "activation", "visual_prompts", "prefix_length", "lora_rank"}


@pytest.fixture(scope="module")
def afclip(widened):
    return lambda **options: widened("afclip", **options)


@pytest.fixture(scope="module")
def tokens(make_tokens):
    return make_tokens(layers=4)


def stages(detector, tokens):
    with torch.no_grad():
        return detector.stages(tokens, NAMES)


def kind(stage):
    return stage.split("_l")[0] if "_l" in stage else stage


def moved(left, right):
    """Kinds of stages that differ, of those that both have."""
    return {kind(name) for name in left.keys() & right.keys() if (left[name] - right[name]).abs().max() > 1e-6}


@pytest.mark.parametrize("option", CHANGES)
def test_a_switch_moves_its_stage_and_what_follows(afclip, tokens, option):
    value, expected = CHANGES[option]
    assert moved(stages(afclip(), tokens), stages(afclip(**{option: value}), tokens)) == expected


@pytest.mark.parametrize("option", LOSS_CHANGES)
def test_a_loss_switch_moves_its_component(afclip, tokens, batch, option):
    value, expected = LOSS_CHANGES[option]
    usual, changed = afclip(), afclip(**{option: value})
    left, right = (detector.loss(tokens, batch) for detector in (usual, changed))
    assert left["alignment_weighted"] > 0
    assert {name for name in left if (left[name] - right[name]).abs() > 1e-6} == expected
    assert moved(stages(usual, tokens), stages(changed, tokens)) == set()


def test_the_alias_moves_the_gradient(afclip, tokens, batch):
    gradients = []
    for alias in (True, False):
        detector = afclip(target_alias=alias)
        sum(detector.loss(tokens, batch).values()).backward()
        gradients.append(detector.network.prompts.context.grad)
    assert (gradients[0] - gradients[1]).abs().max() > 1e-4


def test_every_option_is_covered():
    assert {*CHANGES, *LOSS_CHANGES, *MEMORY, *ELSEWHERE} == set(Options.__dataclass_fields__)


def test_options_of_the_memory_leave_zero_shot_scores_alone(afclip, make_tokens):
    default = stages(afclip(), make_tokens(layers=4))
    for options in ({"image_alpha": 1.0}, {"pixel_alpha": 1.0}, {"memory_layers": (6,)}):
        assert moved(default, stages(afclip(**options), make_tokens(layers=4))) == set()


def test_taps_are_those_of_both_uses():
    assert CARD.taps(Options()).blocks == (6, 12, 18, 24)
    assert CARD.taps(Options(layers=(24, 6), memory_layers=(12,))).blocks == (6, 12, 24)
    assert CARD.taps(Options()).preprocessing == "rgb_first"
    assert CARD.taps(Options(position="bicubic", activation="gelu")).activation == "gelu"


# --- ablations -------------------------------------------------------------------------------------

ABLATIONS = [
    *({"context": 0}, {"tuning": "none"}, {"layers": (24,), "memory_layers": (24,)}, {"windows": (1,)}),
    *({"alignment": "none"}, {"alignment": "separate"}, {"context": 0, "tuning": "none"}),
]


def for_taps(tokens, options):
    """As many layers as the options tap."""
    return tokens._replace(layers=tokens.layers[: len(Options(**options).blocks)])


@pytest.mark.parametrize("options", ABLATIONS, ids=str)
def test_every_ablation_scores_and_trains(afclip, tokens, batch, options):
    detector, seen = afclip(**options), for_taps(tokens, options)
    with torch.no_grad():
        assert detector.score(seen, NAMES).pixel.isfinite().all()
    trained = [p for p in detector.network.parameters() if p.requires_grad]
    optimiser = torch.optim.Adam(trained, lr=CARD.recipe.lr, betas=CARD.recipe.betas)
    losses = []
    for _ in range(3):
        total = sum(detector.loss(seen, batch).values())
        losses.append(total.item())
        optimiser.zero_grad()
        total.backward()
        optimiser.step()
    learns = sum(p.numel() for p in trained) > 0
    assert (losses[-1] < losses[0]) == learns


def test_what_is_switched_off_is_not_trained(afclip):
    def trained(**options):
        return {
            name.split(".")[0]
            for name, p in afclip(**options).network.named_parameters()
            if p.requires_grad and p.numel()
        }

    assert trained() == {"prompts", "adapter"}
    assert trained(tuning="none") == {"prompts"}
    assert trained(context=0) == {"adapter"}


# --- prompts, and what is trained ------------------------------------------------------------------


def test_prompts_stand_before_the_start_token(tiny_backbone):
    head, text = Head(tiny_backbone, Options()), tiny_backbone.text
    assembled = head.prompts()
    assert assembled.shape == (2, 17, 64)
    assert head.prompts.eot.tolist() == [16, 16]
    ids = text.tokenize(["without defect.", "with defect."])
    assert ids[:, :5].tolist() == [[49406, 2193, 44013, 269, 49407], [49406, 593, 44013, 269, 49407]]
    assert torch.equal(assembled[:, 12:], text.embed(ids)[:, :5])
    assert torch.equal(assembled[0, :12], head.prompts.context)
    assert torch.equal(assembled[1, :12], head.prompts.context)


def test_prompts_may_stand_after_the_start_token(tiny_backbone):
    inside = Head(tiny_backbone, Options(context_place="after_start")).prompts
    assert torch.equal(inside()[0, 1:13], inside.context)
    assert inside.eot.tolist() == [16, 16]


def test_the_initial_prefix_is_small_and_random(large_sizes):
    context = Head(large_sizes, Options()).prompts.context
    assert 0.0095 < context.std() < 0.0105


def test_the_published_number_of_parameters_is_trained(large_sizes):
    head = Head(large_sizes, Options())
    assert sum(p.numel() for p in head.parameters() if p.requires_grad) == 2_109_440


@pytest.mark.parametrize("options", [{"context": 73}, {"normal": "very " * 80}])
def test_prompts_that_do_not_fit_are_refused(tiny_backbone, options):
    with pytest.raises(UsageError, match=r"make prompts of \d+ tokens, the text tower takes 77"):
        Head(tiny_backbone, Options(**options))


def test_the_longest_prompt_fits(tiny_backbone):
    assert Head(tiny_backbone, Options(context=72)).prompts().shape == (2, 77, 64)


BAD = [
    *({"layers": ()}, {"layers": (0,)}, {"layers": (25,)}, {"layers": (6, 6)}, {"memory_layers": ()}),
    *({"windows": ()}, {"windows": (2,)}, {"windows": (-1,)}, {"windows": (3, 3)}, {"window_sigma": 0.0}),
    *({"context": -1}, {"normal": " "}, {"abnormal": ""}, {"temperature": 0.0}, {"image_alpha": -0.1}),
    *({"visual_prompts": 0}, {"prefix_length": 0}, {"lora_rank": 0}),
    *({"pixel_alpha": -0.1}, {"pixel_weight": -1.0}, {"alignment_weight": -1.0}, {"focal_gamma": -1.0}),
]


@pytest.mark.parametrize("options", BAD, ids=str)
def test_impossible_options_are_refused(options):
    with pytest.raises(UsageError):
        Options(**options)


# --- memory ----------------------------------------------------------------------------------------


def test_text_is_encoded_once_for_a_set_of_weights(afclip, tokens, monkeypatch):
    detector = afclip()
    calls = []
    encode = detector.backbone.text.forward
    monkeypatch.setattr(detector.backbone.text, "forward", lambda *a, **k: calls.append(1) or encode(*a, **k))
    with torch.no_grad():
        for _ in range(3):
            detector.score(tokens, NAMES)
        assert len(calls) == 1
        detector.network.prompts.context.add_(0.1)
        detector.score(tokens, NAMES)
    assert len(calls) == 2


def test_memory_does_not_change_the_loss(afclip, tokens, batch, make_tokens):
    detector = afclip()
    before = detector.loss(tokens, batch)
    with torch.no_grad():
        detector.remember(make_tokens(seed=2, layers=4))
    after = detector.loss(tokens, batch)
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_few_shot_stages_say_how_the_score_came_about(afclip, tokens, make_tokens):
    detector = afclip(image_alpha=0.3, pixel_alpha=0.2)
    zero_shot = stages(detector, tokens)
    with torch.no_grad():
        detector.remember(make_tokens(seed=2, batch=2, layers=4))
    found = stages(detector, tokens)
    assert torch.allclose(found["zero_shot_score"], zero_shot["score"], atol=1e-6)
    assert torch.allclose(found["zero_shot_map_grid"], zero_shot["map_grid"], atol=1e-6)
    assert torch.allclose(found["score"], found["memory_score"] + 0.3 * zero_shot["score"], atol=1e-6)
    assert torch.allclose(found["map_grid"], found["memory_map_grid"] + 0.2 * zero_shot["map_grid"], atol=1e-6)
    assert found["bank_l12_r3"].shape == (50, 64)
    assert found.keys() - zero_shot.keys() >= {"bank_l06_r1", "bank_l24_r5", "memory_score"}

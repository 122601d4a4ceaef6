"""FB-CLIP's switches: each changes what it should, nothing before it, and everything still trains."""

import pytest
import torch
from torch.nn.functional import normalize

from zsadbench.errors import CellError, UsageError
from zsadbench_methods.fbclip.foreground import find_foreground
from zsadbench_methods.fbclip.options import BASE, POOLINGS, VIEWS, Options

NAMES = ["bolt"] * 3
AFTER = {"score", "map_grid"}
SCORES = {"map_before_suppression"} | AFTER
PROTOTYPE = {"background_prototype", "background_similarity", "projected"} | AFTER
TOKENS = {"fb_gate", "fb_attention"} | PROTOTYPE | SCORES
VIEW = {"sem", "spa"} | TOKENS

CHANGES = {  # option → the stages that it moves; every other stage stays as it is
    "text_causal": (True, {"text_features"} | SCORES),
    "weight_mean": (0.2, {"text_features"} | SCORES),
    "weight_attention": (2.0, {"text_features"} | SCORES),
    "weight_eot": (2.0, {"text_features"} | SCORES),
    "poolings": (("eot",), {"text_features"} | SCORES),
    "foreground_threshold": (0.4, {"foreground_mask"} | VIEW),
    "mask_smoothing": (False, {"foreground_score", "foreground_mask"} | VIEW),
    "background_value": (0.2, {"foreground_mask"} | VIEW),
    "sem_weight_by_key": (True, {"sem"} | TOKENS),
    "gate": (False, TOKENS),
    "fb_attention": (False, TOKENS - {"fb_gate"}),
    "bs": (False, {"projected"} | AFTER),
    "bs_fraction": (1.0, PROTOTYPE),
    "bs_select": ("mask", PROTOTYPE),
    "bs_mix": (0.9, PROTOTYPE),
    "temperature": (0.5, SCORES),
    "image_score": ("cls+max", {"score"}),
}
LOSS_CHANGES = {
    "scr": (False, {"consistency_weighted"}),
    "scr_weight": (0.3, {"consistency_weighted"}),
    "scr_margin": (9.0, {"consistency_weighted"}),
    "focal_gamma": (2.0, {"image_focal", "pixel_focal"}),
    "dice_weight": (1.0, {"pixel_dice_weighted"}),
}
ELSEWHERE = {"layers", "context", "class_word", "views", "position", "activation"}  # tested below or by the towers


def kind(stage):
    return (
        next((k for k in ("fb_gate", "fb_attention", "projected", "vision_tokens") if stage.startswith(k)), None)
        or (stage.split("_l")[0])
    )


def moved(left, right):
    """Kinds of stages that differ."""
    assert left.keys() == right.keys()
    return {kind(name) for name in left if (left[name] - right[name]).abs().max() > 1e-5}


@pytest.fixture(scope="module")
def stages(fbclip, tokens):
    def run(**options):
        with torch.no_grad():
            return fbclip(**options).stages(tokens, NAMES)

    return run


@pytest.fixture(scope="module")
def default(stages):
    return stages()


@pytest.mark.parametrize("option", CHANGES)
def test_a_switch_moves_its_stage_and_what_follows(stages, default, option):
    value, expected = CHANGES[option]
    assert moved(default, stages(**{option: value})) == expected


@pytest.mark.parametrize("option", LOSS_CHANGES)
def test_a_loss_switch_moves_its_component(fbclip, tokens, batch, stages, default, option):
    value, expected = LOSS_CHANGES[option]
    usual, changed = fbclip().loss(tokens, batch), fbclip(**{option: value}).loss(tokens, batch)
    assert {name for name in usual if name not in changed or (usual[name] - changed[name]).abs() > 1e-6} == expected
    assert moved(default, stages(**{option: value})) == set()


def test_every_option_is_covered():
    assert {*CHANGES, *LOSS_CHANGES, *ELSEWHERE} == set(Options.__dataclass_fields__)


SUBSETS = [
    *[{"poolings": chosen} for chosen in (("eot",), ("mean",), ("attention",), ("eot", "mean"), ("mean", "attention"))],
    *[{"views": chosen} for chosen in (("id",), ("sem",), ("spa",), ("id", "sem"), ("sem", "spa"), ("id", "spa"))],
    *[{option: value} for option, (value, _) in (CHANGES | LOSS_CHANGES).items()],
    {"layers": (24,)},
    {"layers": (12, 24), "context": 2, "class_word": "part"},
    {"foreground_threshold": -1.0, "bs_select": "mask"},
    {"foreground_threshold": 2.0, "bs_select": "mask", "bs_mix": 1.0},
    dict(BASE),
]


@pytest.mark.parametrize("options", SUBSETS, ids=str)
def test_every_ablation_scores_and_trains(fbclip, make_tokens, batch, options):
    detector = fbclip(**options)
    tokens = make_tokens(layers=len(detector.options.layers))
    with torch.no_grad():
        scores = detector.score(tokens, NAMES)
    assert scores.image.shape == (3,)
    assert scores.pixel.shape == (3, 5, 5)
    assert ((scores.pixel >= 0) & (scores.pixel <= 1)).all()
    assert ((scores.image >= 0) & (scores.image <= 1)).all()
    sum(detector.loss(tokens, batch).values()).backward()
    trained = [p for p in detector.network.parameters() if p.requires_grad]
    assert all(p.grad is not None and p.grad.isfinite().all() for p in trained), "an optimiser holds nothing in vain"


def test_what_is_switched_off_is_not_trained(fbclip):
    def trained(**options):
        head = fbclip(**options).network
        return {name.rsplit(".", 1)[0].split(".")[0] for name, p in head.named_parameters() if p.requires_grad}

    assert trained() == {"prompts", "fusion", "attention", "layer_weights"}
    assert trained(poolings=("mean",)) == {"prompts", "attention", "layer_weights"}
    assert trained(fb_attention=False) == {"prompts", "fusion", "layer_weights"}
    assert trained(**BASE) == {"prompts", "layer_weights"}
    ungated = fbclip(gate=False).network.attention
    assert not any(p.requires_grad for p in ungated.gate.parameters())
    assert all(p.requires_grad for p in ungated.foreground.parameters())


def test_base_is_eot_text_against_plain_projected_taps(fbclip, tokens, tiny_backbone):
    """No attention, no suppression, one pooling, one view: computed here from nothing but the towers."""
    detector = fbclip(**BASE)
    head = detector.network
    with torch.no_grad():
        scores = detector.score(tokens, NAMES)
        states = tiny_backbone.text(head.prompts(), causal=False)
        text = normalize(states[:, 17] @ tiny_backbone.text.projection, dim=-1)
        share = head.layer_weights.exp() / head.layer_weights.exp().sum()
        logits = torch.zeros(3, 26, 2)
        for number, layer in enumerate(tokens.layers):
            logits += share[number] * normalize(layer @ tiny_backbone.vision.projection, dim=-1) @ text.T / 0.07
        abnormal = torch.sigmoid(logits[..., 1] - logits[..., 0])
    assert torch.allclose(scores.image, abnormal[:, 0], atol=1e-5)
    assert torch.allclose(scores.pixel.flatten(1), abnormal[:, 1:], atol=1e-5)


def test_base_has_no_consistency_loss(fbclip, tokens, batch):
    assert set(fbclip(**BASE).loss(tokens, batch)) == {"image_focal", "pixel_focal", "pixel_dice_weighted"}


def test_subsets_are_put_in_order():
    options = Options(layers=(24, 1, 12), views=("spa", "id"), poolings=("attention", "eot"))
    assert options.layers == (1, 12, 24)
    assert options.views == ("id", "spa")
    assert options.poolings == ("eot", "attention")
    assert Options().poolings == POOLINGS
    assert Options().views == VIEWS


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"layers": ()}, "at least one"),
        ({"layers": (0, 3)}, "option 'layers'"),
        ({"layers": (3, 3)}, "distinct"),
        ({"views": ("id", "xyz")}, r"it takes distinct values of \['id', 'sem', 'spa'\]"),
        ({"poolings": ("max",)}, "option 'poolings'"),
        ({"bs_fraction": 0.0}, r"option 'bs_fraction' is 0.0; it must lie in \(0, 1\]"),
        ({"bs_fraction": 1.1}, "bs_fraction"),
        ({"background_value": -0.1}, "background_value"),
        ({"context": 0}, "must be positive"),
        ({"temperature": 0.0}, "must be positive"),
    ],
)
def test_options_that_cannot_be_right_are_refused(wrong, message):
    with pytest.raises(UsageError, match=message):
        Options(**wrong)


def test_too_few_patches_to_smooth_over_are_refused_in_words(make_tokens):
    z = make_tokens(seed=1, batch=2, grid=1, width=16).layers[0]
    settings = {"threshold": 0.5, "background_value": 0.25}
    with pytest.raises(CellError, match="larger --image-size"):
        find_foreground(z, None, smoothing=True, **settings)
    assert find_foreground(z, None, smoothing=False, **settings).soft.shape == (2, 1)

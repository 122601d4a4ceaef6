"""FAPrompt's published files, and parity with what the published code computes."""

import json

import pytest
import torch

from zsadbench.checkpoints import load_state
from zsadbench.errors import UsageError, WeightsError
from zsadbench.parity.check import check
from zsadbench.parity.fixture import find_fixtures
from zsadbench.registry import method_card

CARD = method_card("faprompt")
SETTINGS = {
    **{"select": "topk", "selected_patches": 7, "abnormal_prompts": 6, "n_ctx_pos": 4, "n_ctx_neg": 3, "depth": 5},
    **{"t_n_ctx": 3, "class_word": "thing", "dpam_blocks": 16, "temperature": 0.08, "deep_prompt_rounding": "none"},
    "activation": "GELU",
    "training": {"pass2_weight": 1, "orthogonality_weight": 0.2, "focal_gamma": 1},
}


@pytest.fixture
def published(widened, tmp_path):
    """`published(leave_out=None, **more)` writes a file as the published training does; also gives the head's state."""
    state = {name: tensor.clone() for name, tensor in widened("faprompt").network.state_dict().items()}

    def write(leave_out=None, **more):
        content = {theirs: state[ours] for theirs, ours in CARD.official.names().items()}
        content |= {"ctx_pos": content["ctx_pos"][None, None], "ctx_neg": content["ctx_neg"][None]}
        for side, count in (("pos", 1), ("neg", 10)):
            content[f"tokenized_prompts_{side}"] = torch.zeros(1, count, 77, dtype=torch.int32)
            content[f"token_prefix_{side}"] = torch.zeros(1, count, 1, 64)
            content[f"token_suffix_{side}"] = torch.zeros(1, count, 69, 64)
        for k in range(8):
            content[f"compound_prompt_projections.{k}.weight"] = torch.zeros(896, 64)
        content.pop(leave_out, None)
        path = tmp_path / "epoch_7.pth"
        torch.save({"prompt_learner": content, **more}, path)
        return path

    return write, state


def test_a_published_file_is_read_and_unused_tensors_are_left_out(published, widened):
    write, state = published
    read = CARD.official.read([write()])
    assert read.keys() == state.keys()
    assert all(torch.equal(read[name], tensor) for name, tensor in state.items())
    load_state(widened("faprompt").network, read, "the file")


@pytest.mark.parametrize("name", sorted(CARD.official.names()))
def test_a_missing_tensor_is_named(published, name):
    write, _ = published
    with pytest.raises(WeightsError, match=rf"is no complete FAPrompt checkpoint: {name} is missing \(1 tensors\)"):
        CARD.official.read([write(leave_out=name)])


def test_other_files_are_refused(published, tmp_path):
    write, state = published
    path = tmp_path / "other.pt"
    for content in (state, torch.zeros(3), {"prompt_learner": [1]}, [1], {"prompt_learner": {}}):
        torch.save(content, path)
        with pytest.raises(WeightsError, match="is no FAPrompt checkpoint"):
            CARD.official.read([path])
    with pytest.raises(WeightsError, match="publishes one checkpoint file, 2 were given"):
        CARD.official.read([write(), write()])


def test_another_methods_file_is_refused(fixtures_root):
    reasons = {
        "anomalyclip": "no 'patch_meta_net', as files of AnomalyCLIP",
        "fbclip": "no 'patch_meta_net', as files of AnomalyCLIP and FB-CLIP",
        "aprilgan": "it holds",
    }
    for name, why in reasons.items():
        with pytest.raises(WeightsError, match=f"is no FAPrompt checkpoint.*{why}"):
            CARD.official.read([fixtures_root / name / "checkpoint.pth"])


def test_tensors_that_are_views_become_ordinary_ones(fixture):
    read = CARD.official.read([fixture.folder / "checkpoint.pth"])
    assert all(tensor.is_contiguous() and tensor.dtype == torch.float32 for tensor in read.values())


def test_settings_of_a_fixture_become_options():
    options = CARD.options(**CARD.official.options(SETTINGS))
    assert (options.select, options.selected, options.prompts) == ("topk", 7, 6)
    assert (options.context, options.abnormal_context, options.value_from) == (4, 3, 9)
    assert (options.deep_depth, options.deep_length, options.deep_half) == (5, 3, False)
    assert (options.class_word, options.temperature, options.activation) == ("thing", 0.08, "gelu")
    assert (options.pass2_weight, options.orthogonality_weight, options.focal_gamma) == (1.0, 0.2, 1.0)
    assert CARD.official.variants(SETTINGS) == {"topk_": {"select": "topk"}}
    for blocks in (0, 25):
        with pytest.raises(UsageError, match=rf"'dpam_blocks' is {blocks}; it must lie in 1\.\.24"):
            CARD.official.options({**SETTINGS, "dpam_blocks": blocks})
    with pytest.raises(UsageError, match="'activation' is 'ReLU'; it must be 'QuickGELU' or 'GELU'"):
        CARD.official.options({**SETTINGS, "activation": "ReLU"})


def test_trained_weights_bind_every_option_but_those_of_the_loss():
    only_loss = {"image_weight", "pass2_weight", "orthogonality_weight", "prior_weight", "probability_as_logit"}
    assert CARD.weight_bound == CARD.options.__dataclass_fields__.keys() - only_loss - {
        "focal_gamma",
        "focal_smoothing",
    }


# --- parity ----------------------------------------------------------------------------------------

AIMS = {"text_features": 2e-6, "score": 5e-6, "topk_score": 5e-6, "map": 1e-5, "topk_map": 1e-5, "loss": 1e-5}


@pytest.fixture(scope="module")
def fixture(fixtures_root):
    return find_fixtures([fixtures_root / "faprompt"])[0]


def test_every_stage_is_that_of_the_published_code(fixture):
    compared = check(fixture)
    assert compared.passed
    assert len(compared.stages) == len(fixture.tensors("expected.safetensors"))
    for stage in compared.stages:
        aim = next((aim for name, aim in AIMS.items() if stage.name.startswith(name)), 3e-5)
        assert stage.deviation <= aim or stage.name.startswith("gradnorm"), stage.name


OPTIONS = [
    *("select=topk", "value_from=5", "cls_norm=true", "class_word=thing", "damage_word=broken", "temperature=0.08"),
    *("image_weight=2", "pass2_weight=1", "orthogonality_weight=0.2", "prior_weight=2", "probability_as_logit=false"),
    *("focal_gamma=3", "focal_smoothing=0.01", "position=bicubic", "position=bicubic_antialias", "activation=gelu"),
]
SHAPES = ("selected=9", "prompts=9", "context=6", "abnormal_context=3", "deep_length=3", "prior_width=400")


@pytest.mark.slow  # tests/parity/test_every_option.py changes every option
@pytest.mark.parametrize("option", OPTIONS)
def test_any_other_setting_fails(fixture, option):
    assert check(fixture, [option]).passed is False


@pytest.mark.parametrize("option", SHAPES)
def test_another_size_does_not_fit(fixture, option):
    with pytest.raises(WeightsError, match="has shape"):
        check(fixture, [option])


def test_leaving_the_rounding_out_is_seen_at_the_aim(fixture):
    text = next(stage for stage in check(fixture, ["deep_half=false"]).stages if stage.name == "text_features")
    assert text.deviation > AIMS["text_features"]


OBEYED = {"select": "topk", "class_word": "thing", "dpam_blocks": 18, "temperature": 0.1, "activation": "GELU"}


@pytest.mark.parametrize("key", OBEYED)
def test_the_settings_of_the_fixture_are_obeyed(fixture, key):
    about = json.loads((fixture.folder / "fixture.json").read_text())
    about["options"][key] = OBEYED[key]
    assert check(type(fixture)(fixture.folder, about)).passed is False


def test_the_recipe_is_the_published_one(fixture):
    training, recipe = fixture.about["training"], CARD.recipe
    assert (recipe.lr, recipe.betas, recipe.optimiser) == (training["lr"], tuple(training["betas"]), "adam")
    assert (recipe.batch, recipe.epochs_for("mvtec"), recipe.epochs_for("visa")) == (8, 15, 15)
    assert CARD.smoothing == fixture.about["options"]["sigma"]

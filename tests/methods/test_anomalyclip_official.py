"""AnomalyCLIP's published files, and parity with what the published code computes."""

import pytest
import torch

from zsadbench.checkpoints import load_state
from zsadbench.errors import UsageError, WeightsError
from zsadbench.parity.check import check
from zsadbench.parity.fixture import find_fixtures
from zsadbench.registry import method_card
from zsadbench_methods.anomalyclip.options import Options

CARD = method_card("anomalyclip")
SETTINGS = {
    **{"layers": [24], "layers_two": [12, 24], "n_ctx": 10, "depth": 5, "t_n_ctx": 3, "class_word": "thing"},
    **{"dpam_layer": 17, "temperature": 0.08, "deep_prompts_rounded_to_fp16": False},
    "training": {"pixel_loss_weight": 3, "focal_gamma": 1, "focal_smooth": 1e-4},
}


@pytest.fixture
def published(widened, tmp_path):
    """`published(leave_out=None, **more)` writes a file as the published training does; also gives the head's state."""
    state = {name: tensor.clone() for name, tensor in widened("anomalyclip").network.state_dict().items()}

    def write(leave_out=None, **more):
        content = {theirs: state[ours] for theirs, ours in CARD.official.names().items()}
        content |= {name: content[name][None, None] for name in ("ctx_pos", "ctx_neg")}
        for side in ("pos", "neg"):
            content[f"tokenized_prompts_{side}"] = torch.zeros(1, 1, 77, dtype=torch.int32)
            content[f"token_prefix_{side}"] = torch.zeros(1, 1, 1, 64)
            content[f"token_suffix_{side}"] = torch.zeros(1, 1, 64, 64)
        for k in range(8):
            content[f"compound_prompt_projections.{k}.weight"] = torch.zeros(896, 64)
        content.pop(leave_out, None)
        path = tmp_path / "epoch_15.pth"
        torch.save({"prompt_learner": content, **more}, path)
        return path

    return write, state


def test_a_published_file_is_read_and_unused_tensors_are_left_out(published, widened):
    write, state = published
    read = CARD.official.read([write()])
    assert read.keys() == state.keys()
    assert all(torch.equal(read[name], tensor) for name, tensor in state.items())
    load_state(widened("anomalyclip").network, read, "the file")


@pytest.mark.parametrize("name", sorted(CARD.official.names()))
def test_a_missing_tensor_is_named(published, name):
    write, _ = published
    with pytest.raises(WeightsError, match=rf"is no complete AnomalyCLIP checkpoint: {name} is missing \(1 tensors\)"):
        CARD.official.read([write(leave_out=name)])


def test_files_of_other_kinds_are_refused(tmp_path, published):
    write, state = published
    path = tmp_path / "other.pt"
    for content in (state, torch.zeros(3), {"prompt_learner": [1]}, [1], {"prompt_learner": {}, "model": {}}):
        torch.save(content, path)
        with pytest.raises(WeightsError, match="is no AnomalyCLIP checkpoint"):
            CARD.official.read([path])
    with pytest.raises(WeightsError, match="publishes one checkpoint file, 2 were given"):
        CARD.official.read([write(), write()])
    with pytest.raises(WeightsError, match="is no AnomalyCLIP checkpoint"):
        CARD.official.read([write(model_trainable_params={})])  # FB-CLIP's, whose prompt learner has the same names


def test_another_methods_file_is_refused(fixtures_root):
    for name, why in (("fbclip", "one of FB-CLIP"), ("faprompt", "one of FAPrompt"), ("aprilgan", "it holds")):
        for path in sorted((fixtures_root / name).glob("*.pth")):
            with pytest.raises(WeightsError, match=f"is no AnomalyCLIP checkpoint.*{why}"):
                CARD.official.read([path])


def test_settings_of_a_fixture_become_options():
    options = CARD.options(**CARD.official.options(SETTINGS))
    assert (options.layers, options.value_from) == ((24,), 9)
    assert (options.context, options.deep_depth, options.deep_length, options.deep_half) == (10, 5, 3, False)
    assert (options.class_word, options.temperature) == ("thing", 0.08)
    assert (options.pixel_weight, options.focal_gamma, options.focal_smoothing) == (3.0, 1.0, 1e-4)
    assert CARD.official.variants(SETTINGS) == {"two": {"layers": (12, 24)}}
    assert CARD.official.options({**SETTINGS, "dpam_layer": 20})["value_from"] == Options.value_from
    with pytest.raises(UsageError, match=r"'dpam_layer' is 1; it must lie in 2\.\.25"):
        CARD.official.options({**SETTINGS, "dpam_layer": 1})


def test_trained_weights_bind_every_option_but_those_of_the_loss():
    only_loss = {"image_weight", "pixel_weight", "focal_gamma", "focal_smoothing"}
    assert CARD.weight_bound == CARD.options.__dataclass_fields__.keys() - only_loss


# --- parity ----------------------------------------------------------------------------------------

AIMS = {"text_features": 5e-6, "score": 1e-5, "loss": 1e-5}


@pytest.fixture(scope="module")
def fixture(fixtures_root):
    return find_fixtures([fixtures_root / "anomalyclip"])[0]


def test_every_stage_is_that_of_the_published_code(fixture):
    compared = check(fixture)
    assert compared.passed
    assert len(compared.stages) == len(fixture.tensors("expected.safetensors"))
    for stage in compared.stages:
        aim = next((aim for name, aim in AIMS.items() if stage.name.startswith(name)), 3e-5)
        assert stage.deviation <= aim or stage.name.startswith("gradnorm"), stage.name


OPTIONS = [
    *("layers=18", "value_value=false", "value_from=5", "cls_norm=true", "class_word=thing", "damage_word=broken"),
    *("deep_length=3", "temperature=0.08", "pixel_weight=3", "image_weight=2", "focal_gamma=3"),
    *("focal_smoothing=0.01", "position=bicubic", "position=bicubic_antialias", "activation=gelu"),
]


@pytest.mark.slow  # tests/parity/test_every_option.py changes every option
@pytest.mark.parametrize("option", OPTIONS)
def test_any_other_setting_fails(fixture, option):
    if option.startswith("deep_length"):
        with pytest.raises(WeightsError, match="has shape"):
            check(fixture, [option])
    else:
        assert check(fixture, [option]).passed is False


def test_leaving_the_rounding_out_is_seen_at_the_aim(fixture):
    text = next(stage for stage in check(fixture, ["deep_half=false"]).stages if stage.name == "text_features")
    assert text.deviation > AIMS["text_features"]


def test_the_recipe_is_the_published_one(fixture):
    training, recipe = fixture.about["training"], CARD.recipe
    assert (recipe.lr, recipe.betas, recipe.optimiser) == (training["lr"], tuple(training["betas"]), "adam")
    assert (recipe.batch, recipe.epochs_for("mvtec"), recipe.epochs_for("visa")) == (8, 15, 15)

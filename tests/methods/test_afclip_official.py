"""AF-CLIP's published files, a pickled module among them, and parity with what the published code computes."""

import sys
import types

import pytest
import torch
from torch import nn

from zsadbench.checkpoints import load_state
from zsadbench.engine.plan.trained_state import checkpoint_sha256, read_state
from zsadbench.errors import UsageError, WeightsError
from zsadbench.parity.check import check
from zsadbench.parity.fixture import find_fixtures
from zsadbench.registry import method_card
from zsadbench_methods.afclip.about import ADAPTER

CARD = method_card("afclip")
SETTINGS = {
    **{"layers": [6, 24], "windows": [1, 5], "aggregation_sigma": 3, "prompt_len": 8, "temperature": 0.08},
    **{"prompts": ["flawless.", "flawed."], "adaptor_heads": 8, "adaptor_head_dim": 64},
}


class Adaptor(nn.Module):
    """The shape of the published module; its class is gone when the file is read."""

    def __init__(self, state):
        super().__init__()
        self.attention, self.attention.attn = nn.Sequential(), nn.Sequential()
        self.attention.attn.to_out = nn.Sequential(nn.Linear(1, 1), nn.Dropout(0.0))
        for name in ("to_q", "to_k", "to_v"):
            setattr(self.attention.attn, name, nn.Linear(1, 1, bias=False))
        self.attention.norm = nn.LayerNorm(1)
        for name, tensor in state.items():
            *path, leaf = name.split(".")
            setattr(self.get_submodule(".".join(path)), leaf, nn.Parameter(tensor))


@pytest.fixture
def published(widened, tmp_path, monkeypatch):
    """`published(leave_out=None)` writes both files as the published training does; also gives the head's state."""
    state = {name: tensor.clone() for name, tensor in widened("afclip").network.state_dict().items()}

    def write(leave_out=None):
        adapter = Adaptor({theirs: state[ours] for theirs, ours in ADAPTER.items()})
        if leave_out:
            *path, leaf = leave_out.split(".")
            del adapter.get_submodule(".".join(path))._parameters[leaf]
        package = types.ModuleType("clip.adaptor")
        package.Adaptor = Adaptor
        with monkeypatch.context() as patch:
            patch.setattr(Adaptor, "__module__", "clip.adaptor")
            patch.setitem(sys.modules, "clip", types.ModuleType("clip"))
            patch.setitem(sys.modules, "clip.adaptor", package)
            torch.save(adapter, tmp_path / "visa_adaptor.pt")
        torch.save(nn.Parameter(state["prompts.context"][None]), tmp_path / "visa_prompt.pt")
        return [tmp_path / "visa_prompt.pt", tmp_path / "visa_adaptor.pt"]

    return write, state


def test_published_files_are_read_in_any_order(published, widened):
    write, state = published
    paths = write()
    for order in (paths, paths[::-1]):
        read = CARD.official.read(order)
        assert read.keys() == state.keys()
        assert all(torch.equal(read[name], tensor) for name, tensor in state.items())
    load_state(widened("afclip").network, read, "the files")


def test_one_file_stands_for_both(published):
    write, state = published
    for path in write():
        assert all(torch.equal(tensor, state[name]) for name, tensor in read_state(CARD, path).items())


def test_the_hash_is_that_of_both_files(published):
    write, _ = published
    prompt, adapter = write()
    before = checkpoint_sha256(CARD, prompt)
    assert before == checkpoint_sha256(CARD, adapter)
    torch.save(torch.zeros(1, 12, 64), prompt)
    assert checkpoint_sha256(CARD, adapter) != before


@pytest.mark.parametrize("name", sorted(ADAPTER))
def test_a_missing_tensor_is_named(published, name):
    write, _ = published
    with pytest.raises(WeightsError, match=rf"is no complete adapter of AF-CLIP: {name} is missing \(1 tensors\)"):
        CARD.official.read(write(leave_out=name))


def test_files_of_other_kinds_are_refused(published, tmp_path):
    write, state = published
    prompt, adapter = write()
    other = tmp_path / "other.pt"
    for content in (state, {"prompt_learner": {}}, torch.zeros(3), torch.zeros(2, 12, 64)):
        torch.save(content, other)
        with pytest.raises(WeightsError, match="is no prompt of AF-CLIP"):
            CARD.official.read([other, adapter])
        with pytest.raises(WeightsError, match="is no adapter of AF-CLIP"):
            CARD.official.read([prompt, other])
    for wrong in ([], [other], [prompt, adapter, other]):
        with pytest.raises(WeightsError, match=f"publishes two checkpoint files, {len(wrong)} given"):
            CARD.official.read(wrong)


def test_a_missing_half_is_named(published):
    write, _ = published
    prompt, adapter = write()
    adapter.unlink()
    with pytest.raises(WeightsError, match=r"visa_adaptor\.pt is not a file"):
        read_state(CARD, prompt)


def test_the_adapter_may_name_no_other_class(published):
    write, _ = published
    prompt, adapter = write()
    torch.save(nn.Bilinear(1, 1, 1), adapter)
    with pytest.raises(WeightsError, match=r"is refused: it names 'torch\.nn\.modules\.linear\.Bilinear'"):
        CARD.official.read([prompt, adapter])


def test_files_of_other_methods_are_refused(fixtures_root):
    for name in ("fbclip", "anomalyclip", "faprompt"):
        path = fixtures_root / name / "checkpoint.pth"
        for paths in ([path], [path, path]):
            with pytest.raises(WeightsError, match="AF-CLIP"):
                CARD.official.read(paths)


def test_settings_of_a_fixture_become_options():
    options = CARD.options(**CARD.official.options(SETTINGS))
    assert (options.layers, options.memory_layers, options.windows) == ((6, 24), (6, 24), (1, 5))
    assert (options.window_sigma, options.context, options.temperature) == (3.0, 8, 0.08)
    assert (options.normal, options.abnormal) == ("flawless.", "flawed.")
    few = CARD.options(**CARD.official.options({**SETTINGS, "memory_layers": [24], "alpha": 0.3}))
    assert (few.memory_layers, few.image_alpha, few.pixel_alpha) == ((24,), 0.3, 0.3)
    training = {"lambda1": 2, "lambda2": 3, "focal_gamma": 1}
    trained = CARD.options(**CARD.official.options({**SETTINGS, "training": training}))
    assert (trained.pixel_weight, trained.alignment_weight, trained.focal_gamma) == (2.0, 3.0, 1.0)
    with pytest.raises(UsageError, match="the fixture's adapter has 4 heads of 64, ours 8 of 64"):
        CARD.official.options({**SETTINGS, "adaptor_heads": 4})


def test_trained_weights_bind_every_option_but_those_of_the_loss_and_of_the_memory():
    free = {"pixel_weight", "alignment", "alignment_weight", "focal_gamma", "target_alias"}
    free |= {"memory_layers", "image_alpha", "pixel_alpha"}
    assert CARD.weight_bound == CARD.options.__dataclass_fields__.keys() - free


# --- parity ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["afclip", "afclip_fewshot"])
def fixture(request, fixtures_root):
    return find_fixtures([fixtures_root / request.param])[0]


def test_every_stage_is_that_of_the_published_code(fixture):
    compared = check(fixture)
    assert compared.passed
    assert len(compared.stages) == len(fixture.tensors("expected.safetensors"))
    for stage in compared.stages:
        aim = 1e-5 if stage.name.startswith(("score", "loss", "memory_score", "zero_shot_score")) else 3e-5
        assert stage.deviation <= aim or stage.name.startswith("gradnorm"), stage.name


OPTIONS = [
    *("layers=6,12,18", "windows=1,3", "window_sigma=2", "renormalise_border=true", "context_place=after_start"),
    *("normal=good.", "abnormal=bad.", "tuning=none", "temperature=0.08"),
    *("position=bicubic", "position=bicubic_antialias", "activation=gelu"),
]
TRAINING = ("pixel_weight=2", "alignment=none", "alignment_weight=2", "focal_gamma=3", "target_alias=false")
MEMORY = ("memory_layers=12", "image_alpha=0.2", "pixel_alpha=0.2")


@pytest.mark.slow  # tests/parity/test_every_option.py changes every option
@pytest.mark.parametrize("option", [*OPTIONS, *TRAINING])
def test_any_other_setting_fails(fixtures_root, option):
    assert check(find_fixtures([fixtures_root / "afclip"])[0], [option]).passed is False


@pytest.mark.slow  # tests/parity/test_every_option.py changes every option
@pytest.mark.parametrize("option", MEMORY)
def test_any_other_memory_fails(fixtures_root, option):
    assert check(find_fixtures([fixtures_root / "afclip_fewshot"])[0], [option]).passed is False


def test_the_recipe_is_the_published_one(fixtures_root):
    training, recipe = find_fixtures([fixtures_root / "afclip"])[0].about["training"], CARD.recipe
    assert (recipe.lr, recipe.betas, recipe.optimiser) == (training["lr"], tuple(training["betas"]), "adam")
    assert (recipe.batch, recipe.epochs_for("mvtec"), recipe.epochs_for("visa")) == (8, 2, 2)

"""AdaCLIP's published files, and parity with what the published code computes."""

import json

import pytest
import torch
from safetensors.torch import load_file

from zsadbench.checkpoints import load_state
from zsadbench.errors import WeightsError
from zsadbench.parity.check import check
from zsadbench.parity.fixture import Fixture, find_fixtures
from zsadbench.registry import method_card

CARD = method_card("adaclip")


@pytest.fixture(scope="module")
def fixture(fixtures_root):
    return find_fixtures([fixtures_root / "adaclip"])[0]


@pytest.fixture
def published(widened, tmp_path):
    """`published(leave_out=None)` writes a file as the published training does; also gives the head's state."""
    state = {name: tensor.clone() for name, tensor in widened("adaclip").network.state_dict().items()}

    def write(leave_out=None):
        content = {theirs: state[ours] for theirs, ours in CARD.official.names().items()}
        content.pop(leave_out, None)
        path = tmp_path / "pretrained_visa_clinicdb.pth"
        torch.save(content, path)
        return path

    return write, state


def test_a_published_file_is_read(published, widened):
    write, state = published
    read = CARD.official.read([write()])
    assert read.keys() == state.keys()
    assert all(torch.equal(read[name], tensor) for name, tensor in state.items())
    load_state(widened("adaclip").network, read, "the file")


@pytest.mark.parametrize("name", sorted(CARD.official.names()))
def test_a_missing_tensor_is_named(published, name):
    write, _ = published
    with pytest.raises(WeightsError, match=rf"no complete AdaCLIP checkpoint: {name} is missing"):
        CARD.official.read([write(leave_out=name)])


def test_other_files_are_refused(published, fixtures_root):
    write, _ = published
    with pytest.raises(WeightsError, match="one checkpoint file, 2 were given"):
        CARD.official.read([write(), write()])
    for name in ("anomalyclip", "fbclip", "aprilgan"):
        with pytest.raises(WeightsError, match="is no AdaCLIP checkpoint"):
            CARD.official.read([fixtures_root / name / "checkpoint.pth"])


BOUNDS = {"map_grid": 5e-4, "loss_curve": 1e-2, "loss_after_3_steps": 1e-2, "loss_curve_small_lr": 1e-4}


def test_every_tensor_is_far_within_its_tolerance(fixture):
    report = check(fixture)
    assert {stage.name for stage in report.stages} == load_file(fixture.folder / "expected.safetensors").keys()
    assert report.passed
    for stage in report.stages:
        if stage.name.startswith("gradnorm"):
            assert stage.deviation <= stage.allowed / 5, stage.name
        else:
            assert stage.deviation <= BOUNDS.get(stage.name, 3e-5), stage.name


def differing(fixture, options=(), *, trained=False, **settings):
    """The tensors that come out differently under other options or settings of the fixture."""
    about = json.loads((fixture.folder / "fixture.json").read_text())
    about["options"] |= settings
    if not trained:
        del about["training"]
    report = check(type(fixture)(fixture.folder, about), options)
    return {stage.name for stage in report.stages if stage.deviation is not None and not stage.passed}


OPTIONS = [
    *("prompted=vision", "prompted=text", "prompts=static", "prompts=dynamic", "hsf=highest_cluster", "hsf_share=0.3"),
    *("clusters=19", "patches_per_cluster=4", "kmeans_seed=112", "logit_scale=90", "corners=false"),
    *("position=bicubic_antialias", "activation=native"),
]
OF_TRAINING = ["focal_gamma=3", "focal_smoothing=1e-3", "dice_by_row=false", "prompt_half=false"]


def test_the_forward_pass_alone_agrees(fixture):
    assert differing(fixture) == set()


@pytest.mark.slow  # tests/parity/test_every_option.py changes every option
@pytest.mark.parametrize("option", OPTIONS)
def test_any_other_setting_fails(fixture, option):
    assert differing(fixture, (option,))


@pytest.mark.slow  # tests/parity/test_every_option.py changes every option
@pytest.mark.parametrize("option", OF_TRAINING)
def test_any_other_training_fails(fixture, option):
    assert differing(fixture, (option,), trained=True)


@pytest.mark.parametrize("option", ["layers=6,12,18", "prompt_depth=3", "prompt_length=4"])
def test_the_checkpoint_has_its_own_numbers_of_prompts_and_layers(fixture, option):
    with pytest.raises(WeightsError):
        check(fixture, (option,))


SETTINGS = {"k_clusters": 10, "hsf_mix": 0.5, "logit_scale": 50.0, "numpy_seed": 3, "prompting_branch": "V"}


@pytest.mark.parametrize("key", SETTINGS)
def test_the_settings_of_the_fixture_are_obeyed(fixture, key):
    assert differing(fixture, **{key: SETTINGS[key]})


def test_without_fusion_the_score_is_that_of_the_class_token(fixture):
    assert differing(fixture, use_hsf=False) == {"score"}


@pytest.fixture
def altered(fixture):
    """`altered(change)`: the report, by name of the tensor, after `change(expected)`."""

    def make(change):
        class Altered(Fixture):
            def tensors(self, name):
                found = super().tensors(name)
                if name == "expected.safetensors":
                    change(found)
                return found

        return {stage.name: stage for stage in check(Altered(fixture.folder, fixture.about)).stages}

    return make


def test_clusters_are_compared_without_their_numbers_and_losses_image_by_image(altered):
    def change(expected):
        labels = expected["hsf_labels"]
        expected["hsf_labels"] = (labels + 7) % 20
        expected["hsf_selected"][0, [0, 1]] = expected["hsf_selected"][0, [1, 0]]
        expected["loss_total"][2] += 1.0

    stages = altered(change)
    assert stages["hsf_labels"].passed
    assert not stages["hsf_selected"].passed
    assert not stages["loss_total"].passed
    assert stages["loss_total"].deviation == pytest.approx(1, abs=1e-3)


def test_another_clustering_fails(altered):
    def change(expected):
        labels = expected["hsf_labels"]
        first = labels[1] == labels[1, 0]
        other = (~first).nonzero()[0, 0]
        labels[1, other] = labels[1, 0]

    assert not altered(change)["hsf_labels"].passed

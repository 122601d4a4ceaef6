"""APRIL-GAN's published files, and parity with what the published code computes."""

import json

import pytest
import torch
from safetensors.torch import load_file

from zsadbench.checkpoints import load_state
from zsadbench.errors import WeightsError
from zsadbench.parity.check import check
from zsadbench.parity.fixture import find_fixtures
from zsadbench.registry import method_card

CARD = method_card("aprilgan")


@pytest.fixture(scope="module")
def fixture(fixtures_root):
    return find_fixtures([fixtures_root / "aprilgan"])[0]


@pytest.fixture
def published(widened, tmp_path):
    """`published(leave_out=None, **more)` writes a file as the published training does; also gives the head's state."""
    state = {name: tensor.clone() for name, tensor in widened("aprilgan").network.state_dict().items()}

    def write(leave_out=None, **more):
        content = {theirs: state[ours] for theirs, ours in CARD.official.names().items()} | more
        content.pop(leave_out, None)
        path = tmp_path / "mvtec_pretrained.pth"
        torch.save({"trainable_linearlayer": content}, path)
        return path

    return write, state


def test_a_published_file_is_read(published, widened):
    write, state = published
    read = CARD.official.read([write()])
    assert read.keys() == state.keys()
    assert all(torch.equal(read[name], tensor) for name, tensor in state.items())
    load_state(widened("aprilgan").network, read, "the file")


@pytest.mark.parametrize("name", sorted(CARD.official.names()))
def test_a_missing_tensor_is_named(published, name):
    write, _ = published
    with pytest.raises(WeightsError, match=rf"no APRIL-GAN checkpoint of 4 layers: {name} is missing"):
        CARD.official.read([write(leave_out=name)])


def test_other_files_are_refused(published, fixtures_root, tmp_path):
    write, _ = published
    with pytest.raises(WeightsError, match=r"it also has fc\.4\.weight"):
        CARD.official.read([write(**{"fc.4.weight": torch.zeros(1)})])
    with pytest.raises(WeightsError, match="one checkpoint file, 2 were given"):
        CARD.official.read([write(), write()])
    for name in ("anomalyclip", "fbclip", "faprompt"):
        with pytest.raises(WeightsError, match="has no entry 'trainable_linearlayer'"):
            CARD.official.read([fixtures_root / name / "checkpoint.pth"])


def test_every_tensor_is_far_within_its_tolerance(fixture):
    report = check(fixture)
    assert {stage.name for stage in report.stages} == load_file(fixture.folder / "expected.safetensors").keys()
    assert report.passed
    for stage in report.stages:
        if stage.name.startswith(("loss", "score", "few_shot_score")):
            assert stage.deviation <= 1e-5, stage.name
        elif stage.name != "map_grid" and not stage.name.startswith("gradnorm"):
            assert stage.deviation <= 3e-5, stage.name


OPTIONS = [
    *("layers=6,12,18", "logit_scale=90", "corners=false", "memory_layers=6,12,18", "map_share=0.4"),
    *("focal_gamma=3", "focal_smoothing=1e-3", "dice_by_row=false", "position=bicubic", "activation=native"),
]


@pytest.mark.slow  # tests/parity/test_every_option.py changes every option
@pytest.mark.parametrize("option", OPTIONS)
def test_any_other_setting_fails(fixture, option):
    try:
        assert check(fixture, (option,)).passed is False
    except WeightsError:
        assert option.startswith("layers"), "the checkpoint has four layers"


SETTINGS = {"logit_scale": 50.0, "few_shot_layers": [6], "few_shot_image_weight": 0.25}


@pytest.mark.parametrize("key", SETTINGS)
def test_the_settings_of_the_fixture_are_obeyed(fixture, key):
    about = json.loads((fixture.folder / "fixture.json").read_text())
    about["options"][key] = SETTINGS[key]
    assert check(type(fixture)(fixture.folder, about)).passed is False

"""`zsadbench parity`: passes on the fixture, and fails when any setting is another."""

import json
import shutil

import pytest
from safetensors.torch import load_file, save_file


def test_the_fixture_passes_and_every_tensor_is_compared(cli, fixtures_root):
    told = cli("parity", fixtures_root / "fbclip")
    assert told.code == 0, told.out
    expected = load_file(fixtures_root / "fbclip" / "expected.safetensors")
    for name in expected:
        assert f" {name} " in told.out
    assert f"{len(expected)} tensors compared, {len(expected)} within tolerance" in told.out


def test_the_deviations_are_far_below_the_tolerance(cli, fixtures_root):
    found = json.loads(cli("parity", fixtures_root / "fbclip", "--json").out)
    assert found["compared"] == len(load_file(fixtures_root / "fbclip" / "expected.safetensors"))
    for name, stage in found["stages"].items():
        aim = 1e-5 if name.startswith(("score", "loss")) else 3e-5
        assert stage["deviation"] <= aim or name.startswith("gradnorm"), name
    assert found["stages"]["foreground_mask"]["deviation"] == 0


OPTIONS = [
    *("text_causal=true", "gate=false", "position=bicubic", "position=bicubic_antialias", "activation=gelu"),
    *("views=id,sem", "views=spa", "poolings=eot,mean", "weight_mean=0.5", "weight_attention=1", "weight_eot=0"),
    *("bs_fraction=1", "bs_select=mask", "bs=false", "bs_mix=0.4", "fb_attention=false", "scr=false"),
    *("scr_weight=0.3", "scr_margin=9", "focal_gamma=2", "dice_weight=1", "temperature=0.1", "image_score=cls+max"),
    *("foreground_threshold=0.4", "mask_smoothing=false", "background_value=0.4", "sem_weight_by_key=true"),
    *("class_word=thing", "layers=1,6,12,18", "preset=base"),
]


@pytest.mark.parametrize("option", OPTIONS)
def test_any_other_setting_fails(cli, fixtures_root, option):
    told = cli("parity", fixtures_root / "fbclip", "-O", option, "--json")
    found = json.loads(told.out)
    assert told.code == 1, option
    assert any(not stage["passed"] for stage in found["stages"].values())


SETTINGS = {
    "text_causal_mask": True,
    "views": ["ID", "SEM"],
    "temperature": 0.08,
    "foreground_threshold": 0.45,
    "background_fraction": "the whole token sequence",
    "background_mix": 0.6,
    "text_fusion_weights": {"mean": 0.5, "attention": 0.5, "eot": 1.0},
    "consistency_weight": 0.2,
    "sigma": 3,
    "class_word": "thing",
}


@pytest.fixture
def copied_set(fixtures_root, tmp_path):
    """The FB-CLIP fixture and its backbone, in a set folder of one's own."""
    shutil.copytree(fixtures_root / "fbclip", tmp_path / "set" / "fbclip")
    for name in ("backbone.json", "backbone.safetensors"):
        shutil.copy2(fixtures_root / name, tmp_path / "set" / name)
    return tmp_path / "set"


@pytest.mark.parametrize("key", SETTINGS)
def test_the_settings_of_the_fixture_are_obeyed(cli, copied_set, key):
    about = json.loads((copied_set / "fbclip" / "fixture.json").read_text())
    about["options"][key] = SETTINGS[key]
    (copied_set / "fbclip" / "fixture.json").write_text(json.dumps(about))
    assert cli("parity", copied_set / "fbclip").code == 1


def test_a_path_above_the_set_is_refused(cli, copied_set):
    about = json.loads((copied_set / "fbclip" / "fixture.json").read_text())
    about["checkpoint_files"] = ["../../outside.pth"]
    (copied_set / "fbclip" / "fixture.json").write_text(json.dumps(about))
    told = cli("parity", copied_set / "fbclip")
    assert told.code == 2
    assert "outside its set" in told.error


def test_a_tensor_that_is_not_produced_fails(cli, copied_set):
    path = copied_set / "fbclip" / "expected.safetensors"
    tensors = load_file(path)
    save_file({**tensors, "sem_l99": tensors["score"].clone()}, path)
    told = cli("parity", copied_set / "fbclip", "--json")
    assert told.code == 1
    assert "not produced" in told.out


def test_a_whole_set_says_what_it_skips(cli, fixtures_root):
    told = cli("parity", fixtures_root, "--json")
    found = {line["kind"]: line for line in map(json.loads, told.out.splitlines())}
    assert told.code == 0
    assert found["metrics"]["compared"] > 20
    assert found["preprocess"]["compared"] > 20
    assert all(line["passed"] for line in found.values())


def test_a_fixture_of_an_unknown_method_in_a_set_is_skipped_and_said(cli, copied_set, fixtures_root):
    shutil.copytree(fixtures_root / "metrics", copied_set / "metrics")
    about = copied_set / "fbclip" / "fixture.json"
    about.write_text(about.read_text().replace('"fbclip"', '"nobody"'))
    told = cli("parity", copied_set, "--json")
    line = {line["kind"]: line for line in map(json.loads, told.out.splitlines())}["nobody"]
    assert line["skipped"] == "no method named 'nobody' is built"
    assert line["passed"] is None


@pytest.mark.parametrize("content", ["", "{}", "[1]"])
def test_no_fixture(cli, tmp_path, content):
    assert cli("parity", tmp_path).code == 2
    (tmp_path / "fixture.json").write_text(content)
    assert cli("parity", tmp_path).code == 2


def test_a_fixture_without_tensors_does_not_pass(cli, copied_set):
    save_file({}, copied_set / "fbclip" / "expected.safetensors")
    assert cli("parity", copied_set / "fbclip").code == 1

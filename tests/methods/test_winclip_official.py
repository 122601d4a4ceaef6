"""WinCLIP against the numbers of both public implementations, and what each setting changes."""

import json

import pytest
from safetensors.torch import load_file

from zsadbench.parity.check import check
from zsadbench.parity.fixture import find_fixtures


@pytest.fixture(scope="module")
def fixture(fixtures_root):
    return find_fixtures([fixtures_root / "winclip"])[0]


def test_every_tensor_is_far_within_its_tolerance(fixture):
    report = check(fixture)
    expected = load_file(fixture.folder / "expected.safetensors")
    assert {stage.name for stage in report.stages} == expected.keys()
    assert report.passed
    for stage in report.stages:
        score = "score" in stage.name and "window" not in stage.name
        assert stage.deviation <= (1e-5 if score else 3e-5), stage.name


OPTIONS = [
    *("scales=2", "templates=canonical", "period=false", "normalise_text=true", "temperature=0.05"),
    *("aggregation=normal", "whole_image=false", "image_score=map", "patches=false", "fusion=harmonic"),
    *("first_window_shifted=true", "activation=gelu", "preset=caoyunkang"),
]


@pytest.mark.slow  # tests/parity/test_every_option.py changes every option
@pytest.mark.parametrize("option", OPTIONS)
def test_any_other_setting_fails(fixture, option):
    assert check(fixture, (option,)).passed is False


def test_the_scales_of_the_fixture_are_obeyed(fixture):
    about = json.loads((fixture.folder / "fixture.json").read_text())
    about["options"]["scales"] = [2]
    report = check(type(fixture)(fixture.folder, about))
    assert {stage.note for stage in report.stages if stage.name.endswith("_s3")} == {"not produced"}

"""MFP-CLIP on the command line: missing weights of its ResNet-50, and the mark `unofficial` on every board."""

import json
from types import SimpleNamespace

import pytest

from zsadbench_methods.mfpclip.weights import NETWORK, locate


@pytest.fixture
def nowhere(monkeypatch, tmp_path):
    """No weights at any usual place."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))


def test_missing_weights_are_exit_code_four_before_anything_runs(cli, nowhere):
    told = cli("run", "-m", "mfpclip", "-t", "demo", "-O", "resnet=no/such.pth", "--backbone", "demo")
    assert told.code == 4
    assert "ResNet-50 weights 'no/such.pth' are not a file" in told.err


def test_every_board_says_unofficial(cli, nowhere, tmp_path):
    """One run; its table, record, signature, reports, and the list of methods."""
    from zsadbench.reproduce.tables import mark_of

    out = tmp_path / "results"
    told = cli(
        "run", "-m", "mfpclip,clip", "-t", "demo", "--limit", "1", "--aux", "none", "--class", "cork", "--out", out
    )
    assert told.code == 0, told.err
    assert "mfpclip, unofficial" in told.out
    assert "clip, unofficial" not in told.out.replace("mfpclip, unofficial", "")
    records = [json.loads(path.read_text()) for path in out.rglob("*.json") if "cell" in path.read_text()]
    (record,) = (one for one in records if one["cell"]["method"] == "mfpclip")
    (plain,) = (one for one in records if one["cell"]["method"] == "clip")
    assert record["cell"]["unofficial"] is True
    assert record["cell"]["extra_weights"] == {NETWORK: locate("random").sha256}
    assert "unofficial" not in plain["cell"]
    assert "extra_weights" not in plain["cell"]
    assert "|unofficial|" in record["signature"]
    assert not record["comparable"]
    assert f"random weights of {NETWORK}" in record["not_comparable_because"]
    assert mark_of(SimpleNamespace(jobs=[SimpleNamespace(cell=record["cell"])])) == " [unofficial]"
    for form, file in (("markdown", "*.md"), ("html", "*.html"), ("latex", "*.tex"), ("csv", "*.csv")):
        target = tmp_path / form
        assert cli("report", "--results", out, "--format", form, "--out", target).code == 0
        texts = [path.read_text() for path in target.rglob(file)]
        assert any("mfpclip [unofficial" in text.replace("\\", "") for text in texts), form
    listed = cli("methods", "list", "--json").out.splitlines()
    assert {row["method"]: row["remark"] for row in map(json.loads, listed)}["mfpclip"] == "unofficial"
    assert json.loads(cli("methods", "show", "mfpclip", "--json").out)["unofficial"] is True

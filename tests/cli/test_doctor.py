"""`zsadbench doctor`: what is there, what is missing and how to get it, and what is broken."""

import json

import pytest

from zsadbench.upkeep import doctor


def findings(told):
    return {(row["section"], row["name"]): row for row in map(json.loads, told.out.splitlines())}


def test_everything_that_was_promised_is_looked_at(cli, mini, monkeypatch):
    monkeypatch.setenv("ZSADBENCH_DATA", str(mini))
    told = cli("doctor", "--json")
    assert told.code == 0, told.out
    found = findings(told)
    sections = {"versions", "plugins", "devices", "weights", "data", "cache", "permissions"}
    assert {section for section, _ in found} == sections
    assert found["versions", "torch"]["state"] == "ok"
    assert found["weights", "QuickGELU"]["value"].startswith("on for ViT-L-14-336")
    weights = found["weights", "ViT-L-14-336:openai"]
    assert (weights["state"], weights["remedy"].partition(";")[0]) == (
        "missing",
        "zsadbench weights fetch ViT-L-14-336:openai",
    )
    assert found["data", "visa"]["value"].startswith(str(mini))
    assert "btad" in found["data", "not there"]["value"]
    assert found["permissions", "cache"]["state"] == "ok"
    assert all(row["remedy"] for row in found.values() if row["state"] != "ok")


def test_people_read_it(cli):
    told = cli("doctor")
    assert told.code == 0, told.out
    lines = told.out.splitlines()
    assert lines[0] == "versions"
    assert "  missing  ZSADBENCH_DATA: not set" in lines
    assert lines[-1].startswith("0 faults, ")


def test_faults_are_told_and_cost_1(cli, tmp_path, monkeypatch):
    monkeypatch.setenv("ZSADBENCH_DATA", str(tmp_path / "nowhere"))
    monkeypatch.setenv("ZSADBENCH_WEIGHTS", str(tmp_path / "nowhere.pt"))
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ZSADBENCH_CACHE", str(tmp_path / "file" / "cache"))
    told = cli("doctor", "--json")
    assert told.code == 1
    found = findings(told)
    faults = {key for key, row in found.items() if row["state"] == "fault"}
    assert faults == {
        ("data", str(tmp_path / "nowhere")),
        ("weights", "ZSADBENCH_WEIGHTS"),
        ("permissions", "cache"),
    }


def test_a_package_that_is_missing_is_a_fault(monkeypatch):
    monkeypatch.setattr(doctor, "_version", lambda name: "" if name == "numba" else "1")
    rows = {row.name: row for row in doctor._versions()}
    assert (rows["numba"].state, rows["numba"].remedy) == ("fault", "pip install numba")


def test_a_variable_that_points_at_something_else_is_a_fault(tmp_path, monkeypatch):
    monkeypatch.setenv("ZSADBENCH_DATA_VISA", str(tmp_path))
    rows = {row.name: row for row in doctor._data()}
    assert rows["visa"].state == "fault"
    assert "ZSADBENCH_DATA_VISA points at" in rows["visa"].value


def test_two_copies_of_a_set_are_named(mini, tmp_path, monkeypatch):
    for name in ("BrainMRI", "brainmri"):
        (tmp_path / "data" / name).mkdir(parents=True)
        for child in (mini / "brainmri").iterdir():
            (tmp_path / "data" / name / child.name).symlink_to(child)
    monkeypatch.setenv("ZSADBENCH_DATA", str(tmp_path / "data"))
    rows = {row.name: row for row in doctor._data()}
    assert rows["brainmri"].state == "missing"
    assert "two copies fit" in rows["brainmri"].value


@pytest.mark.parametrize("arguments", [("doctor", "now"), ("doctor", "--deep")])
def test_bad_input(cli, arguments):
    assert cli(*arguments).code == 2

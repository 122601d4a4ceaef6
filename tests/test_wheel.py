"""The built wheel in an environment of its own; `.ci/run` runs these tests from an empty folder.

In a development environment, where the package is the checkout, they are skipped.
"""

import json
import subprocess
import sys
import tomllib
from importlib import resources
from importlib.metadata import distribution, entry_points
from pathlib import Path

import pytest

import zsadbench

pytestmark = pytest.mark.wheel

CHECKOUT = Path(__file__).resolve().parents[1]
SCRIPT = Path(sys.executable).with_name("zsadbench")


@pytest.fixture(autouse=True)
def from_the_wheel(tmp_path, monkeypatch):
    """Change to an empty folder; skip if zsadbench is imported from the checkout."""
    if Path(zsadbench.__file__).resolve().is_relative_to(CHECKOUT):
        pytest.skip("zsadbench is imported from the checkout, not from a wheel; run .ci/run")
    monkeypatch.chdir(tmp_path)


def say(*arguments):
    return subprocess.run([SCRIPT, *arguments], check=True, capture_output=True, text=True).stdout


def test_the_version_is_the_project_s():
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    assert zsadbench.__version__ == project["version"]
    assert say("--version").strip() == project["version"]


def test_the_four_packages_are_there_and_nothing_else_on_top():
    files = [str(path) for path in distribution("zsadbench").files or ()]
    tops = {name.split("/")[0] for name in files if name.endswith(".py")}
    assert tops == {"zsadbench", "zsadbench_methods", "zsadbench_datasets", "zsadbench_reports"}


@pytest.mark.parametrize("package", ["zsadbench", "zsadbench_methods", "zsadbench_datasets", "zsadbench_reports"])
def test_every_package_is_typed(package):
    assert resources.files(package).joinpath("py.typed").is_file()


def test_every_method_s_card_loads():
    from zsadbench import registry

    assert {"clip", "fbclip"} <= set(registry.names("methods"))
    for name in registry.names("methods"):
        assert registry.method_card(name).name == name


def test_every_entry_point_is_one_of_the_project_s():
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    for group, stated in project["entry-points"].items():
        found = {point.name: point.value for point in entry_points(group=group) if point.dist.name == "zsadbench"}
        assert found == stated


def test_every_data_set_card_is_package_data():
    from zsadbench.data import all_cards

    kept = {path.stem for path in (CHECKOUT / "datasets/zsadbench_datasets/cards").glob("*.toml")}
    assert {"mvtec", "visa", "colondb", "brainmri"} <= kept
    assert {card.name for card in all_cards()} == kept


def test_the_schema_of_records_is_package_data():
    schema = json.loads(resources.files("zsadbench").joinpath("record.schema.json").read_text())
    assert schema["properties"]["schema"]["const"] == 1


def test_the_licence_is_in_the_wheel():
    files = [path for path in distribution("zsadbench").files or () if path.name == "LICENSE"]
    assert [path.read_text() for path in files] == [(CHECKOUT / "LICENSE").read_text()]


def test_the_command_line_runs_from_an_empty_folder():
    assert "run" in say("--help")
    assert "visa" in say("datasets", "list")
    assert "fbclip" in say("methods", "list")


def test_a_miniature_is_generated_and_read(tmp_path):
    say("datasets", "synth", "brainmri", "--out", "generated", "--per-class", "1")
    found = zsadbench.load_dataset("brainmri", tmp_path / "generated")
    assert sorted(found.manifest["label"]) == [0, 1]

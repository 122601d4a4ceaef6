"""New packages: their tests pass, their methods keep the contract and run, and bad names and folders are refused."""

import os
import subprocess
import sys
import tomllib
from importlib.util import module_from_spec, spec_from_file_location
from typing import get_args

import pytest

from zsadbench.conformance.battery import check_method
from zsadbench.errors import UsageError
from zsadbench.scaffold.write import Kind, write_package

KINDS = get_args(Kind)


def card_of(path):
    spec = spec_from_file_location(f"generated_{path.stem}", path)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.CARD


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_method_keeps_the_contract_in_few_lines(tmp_path, kind):
    name = f"some-{kind}"
    main = write_package("method", name, tmp_path / "new", kind)[0]
    lines = main.read_text().splitlines()
    assert len([line for line in lines if line.strip()]) <= 60
    assert max(map(len, lines)) <= 120
    card = card_of(main)
    assert card.name == name
    findings = {finding.check: finding for finding in check_method(card)}
    assert {check: finding.found for check, finding in findings.items() if finding.failed} == {}
    assert findings["batch"].result == findings["bf16"].result == "passed"
    assert findings["training"].result == ("passed" if kind == "trained" else "not applicable")
    assert findings["encode"].result == ("passed" if kind == "encoder" else "not applicable")
    assert findings["few-shot"].result == ("passed" if kind == "few-shot" else "not applicable")
    assert findings["cost"].result == ("not declared" if kind == "few-shot" else "passed")


def test_the_tests_of_new_packages_pass(tmp_path):
    folders = [tmp_path / what for what in ("method", "dataset", "report")]
    write_package("method", "some-method", folders[0], "trained")
    write_package("dataset", "some-parts", folders[1])
    write_package("report", "some-table", folders[2])
    path = os.pathsep.join([str(folder / "src") for folder in folders] + sys.path)
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *folders]
    done = subprocess.run(command, check=False, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 passed" in done.stdout


@pytest.mark.parametrize(
    ("what", "registered"),
    [("method", "some_name:CARD"), ("dataset", "some_name"), ("report", "some_name:REPORT")],
)
def test_a_package_registers_what_it_holds(tmp_path, what, registered):
    files = write_package(what, "some-name", tmp_path, "trained")
    project = tomllib.loads((tmp_path / "pyproject.toml").read_text())
    assert project["project"]["entry-points"][f"zsadbench.{what}s"] == {"some-name": registered}
    assert (tmp_path / "src" / registered.partition(":")[0]) in {files[0].with_suffix(""), files[0].parent}
    assert all("{{" not in path.read_text() for path in files)
    assert "some-name" in (tmp_path / "README.md").read_text()


@pytest.mark.parametrize(
    ("what", "name", "words"),
    [
        ("method", "fbclip", "a method named 'fbclip' is registered already"),
        ("method", "Mine", "'Mine' is no name for a method"),
        ("method", "../mine", "'../mine' is no name"),
        ("method", "mine.py", "'mine.py' is no name"),
        ("method", "class", "'class' is a module of Python"),
        ("method", "torch", "'torch' is a module of Python or of an installed package"),
        ("method", "a" * 41, "has 41 characters; a name has at most 40"),
        ("method", "my__method", "single dashes or underscores between"),
        ("dataset", "visa", "a dataset named 'visa' is registered already"),
        ("report", "html", "a report named 'html' is registered already"),
    ],
)
def test_a_name_that_cannot_be_used_is_refused(tmp_path, what, name, words):
    with pytest.raises(UsageError, match=words.replace(".", r"\.")):
        write_package(what, name, tmp_path / "new", "trained")
    assert not (tmp_path / "new").exists()


def test_a_folder_that_holds_something_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="is not empty; name a new folder"):
        write_package("method", "some-method", tmp_path, "trained")
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_an_unknown_kind_is_refused(tmp_path):
    with pytest.raises(UsageError, match="it takes one of training-free, trained, encoder, few-shot"):
        write_package("method", "some-method", tmp_path, "magic")


@pytest.mark.parametrize("kind", ["trained", "encoder"])
def test_the_layers_of_a_template_are_sorted_and_distinct(tmp_path, kind):
    options = card_of(write_package("method", "some_layers", tmp_path / "new", kind)[0]).options
    assert options(layers=(24, 12)).layers == (12, 24)
    for layers in ((), (12, 12), (0, 12), (25,)):
        with pytest.raises(UsageError, match="it takes distinct blocks of 1"):
            options(layers=layers)

"""The templates of issues and pull requests are forms that code hosts accept."""

import re
from pathlib import Path

import pytest

yaml = pytest.importorskip("yaml")
TOP = Path(__file__).resolve().parents[2]
FORMS = sorted(path for path in (TOP / ".github" / "ISSUE_TEMPLATE").glob("*.yml") if path.name != "config.yml")
KINDS = {"markdown", "input", "textarea", "checkboxes", "dropdown"}


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_a_form_is_complete(path):
    form = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert form["name"]
    assert form["description"].endswith(".")
    entries = [entry for entry in form["body"] if entry["type"] != "markdown"]
    assert {entry["type"] for entry in form["body"]} <= KINDS
    names = [entry["id"] for entry in entries]
    assert len(names) == len(set(names)) > 0
    assert all(entry["attributes"]["label"] for entry in entries)


def test_the_templates_name_only_what_exists():
    text = "".join(path.read_text(encoding="utf-8") for path in (TOP / ".github").rglob("*") if path.is_file())
    targets = set(re.findall(r"^([a-z-]+):.*## ", (TOP / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z-]+)`", text)) <= targets
    assert all(
        (TOP / name).exists() for name in ("CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", ".ci/run", "tests/pinned")
    )

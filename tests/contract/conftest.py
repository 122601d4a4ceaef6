"""The examples of docs/contract.md."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "contract.md"
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)


@pytest.fixture
def plugin(tmp_path):
    """`plugin(name)` writes the example whose first line is `# NAME.py` into a file and returns its path."""

    def write(name):
        (code,) = (block for block in BLOCKS if block.startswith(f"# {name}.py\n"))
        path = tmp_path / f"{name}.py"
        path.write_text(code)
        return path

    return write


@pytest.fixture(scope="session")
def snippets():
    """The functions of the short examples, by name."""
    import torch

    names = {"torch": torch}
    for block in BLOCKS:
        if not re.match(r"# \w+\.py\n", block):
            exec(block, names)
    return names


@pytest.fixture
def planned(plugin, request_for, monkeypatch):
    """`planned(name, **changes)`: the plan of a run of an example on miniatures."""
    from zsadbench import registry
    from zsadbench.engine.plan.jobs import make_plan

    def make(name, **changes):
        if name not in registry.names("methods"):
            points = {group: dict(registry._points(group)) for group in ("methods", "datasets", "reports")}
            monkeypatch.setattr(registry, "_points", points.__getitem__)
            registry.add_plugin(plugin(name))
        return make_plan(request_for(**{"methods": (name,), **changes}))

    return make

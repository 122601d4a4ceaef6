"""The code of a method is part of a record's identity: a version, or a hash of its source."""

import json
import sys
import textwrap
from importlib.metadata import EntryPoint
from types import ModuleType

import pytest

from zsadbench import registry
from zsadbench.engine.plan.cell import PIPELINE
from zsadbench.engine.plan.jobs import make_plan
from zsadbench.engine.run import run_plan
from zsadbench.errors import UsageError
from zsadbench.method_code import code_of
from zsadbench.source_hash import package_sha256, plugin_sha256

PLUGIN = """
    from dataclasses import dataclass
    {imports}
    from zsadbench.types import MethodCard, Paper, Scores, Taps

    @dataclass(frozen=True)
    class Options:
        pass

    class Detector:
        def score(self, tokens, class_names):
            {inside}
            patches = tokens.layers[0][:, 1:]
            grid = {sign} * patches.square().mean(-1).unflatten(1, (tokens.grid, tokens.grid))
            return Scores(grid.flatten(1).amax(1), grid)

    CARD = MethodCard(name="{name}", paper=Paper("A paper", "none", 2026, "key"), options=Options,
                      taps=lambda options: Taps((24,)), build=lambda backbone, options: Detector(), smoothing=0.0{more})
"""


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """`plugin(name, folder, **parts)` writes a plugin file and returns its path; registrations end with the test."""
    points = {group: dict(registry._points(group)) for group in ("methods", "datasets", "reports")}
    monkeypatch.setattr(registry, "_points", points.__getitem__)
    monkeypatch.setattr(registry, "_plugins", {})
    monkeypatch.setattr(sys, "path", list(sys.path))

    def write(name="mine", folder="plugins", **parts):
        filled = {"imports": "", "inside": "pass", "sign": "1", "more": "", **parts}
        path = tmp_path / folder / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(PLUGIN).format(name=name, **filled))
        return path

    yield write
    for module in [module for module in sys.modules if module.startswith("helper_of_")]:
        del sys.modules[module]


@pytest.mark.parametrize(
    "name", ["fbclip", "anomalyclip", "afclip", "faprompt", "clip", "token-distance", "colour-distance"]
)
def test_a_shipped_method_is_its_version(name):
    code = code_of(name)
    assert code.identity == registry.method_card(name).version == "1"
    assert code.distribution == "zsadbench"
    assert code.version
    assert code.source_sha256 == package_sha256("zsadbench_methods")


def test_a_plugin_file_is_its_content(plugin):
    before = plugin_sha256(plugin())
    assert before == plugin_sha256(plugin()), "the same content is the same code"
    assert before == plugin_sha256(plugin(folder="elsewhere")), "wherever it lies"
    assert before != plugin_sha256(plugin(sign="-1"))
    assert before != plugin_sha256(plugin(more=', version="7"')), "a version does not stand for a file"


@pytest.mark.parametrize(
    "parts",
    [
        {"imports": "import helper_of_mine"},
        {"imports": "from helper_of_mine import scale"},
        {"inside": "import helper_of_mine"},
        {"imports": "import helper_of_others.helper_inside"},
    ],
    ids=["module", "name", "in a function", "package"],
)
def test_modules_beside_a_plugin_file_count(plugin, parts):
    path = plugin(**parts)
    package = path.parent / "helper_of_others"
    package.mkdir()
    (path.parent / "helper_of_mine.py").write_text("import helper_of_all\nscale = 1\n")
    (path.parent / "helper_of_all.py").write_text("value = 1\n")
    (package / "__init__.py").write_text("")
    (package / "helper_inside.py").write_text("value = 1\n")
    (path.parent / "stranger.py").write_text("value = 1\n")
    before = plugin_sha256(path)
    (path.parent / "stranger.py").write_text("value = 2\n")
    assert plugin_sha256(path) == before, "a file that is not imported does not count"
    imported = package / "helper_inside.py" if "others" in str(parts) else path.parent / "helper_of_all.py"
    imported.write_text("value = 2\n")
    assert plugin_sha256(path) != before


def test_another_plugin_file_of_the_folder_does_not_count(plugin, monkeypatch):
    monkeypatch.setattr(registry, "_plugin_files", [])
    first, second = plugin("mine"), plugin("yours")
    before = plugin_sha256(second)
    registry.add_plugin(first)
    registry.add_plugin(second)
    assert registry.plugin_sha256_of("yours") == before


def test_a_module_that_names_a_file_which_is_nowhere_does_not_count(tmp_path, monkeypatch):
    """PyTorch makes modules at run time whose file is a bare name."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text("CARD = None")
    before = plugin_sha256(tmp_path / "mine.py")
    made = ModuleType("made")
    made.__file__ = "_made.py"
    monkeypatch.setitem(sys.modules, "made", made)
    assert plugin_sha256(tmp_path / "mine.py") == before


def test_a_plugin_may_import_the_modules_beside_it(plugin):
    path = plugin(imports="from helper_of_mine import scale")
    (path.parent / "helper_of_mine.py").write_text("scale = 1\n")
    registry.add_plugin(path)
    code = code_of("mine")
    assert code.identity == f"sha256:{plugin_sha256(path)}"
    assert (code.distribution, code.version) == (None, None)


@pytest.mark.parametrize("version", ["", "2.1"])
def test_a_package_is_its_version_or_else_its_source(plugin, monkeypatch, tmp_path, version):
    path = plugin(
        name="helper_of_package", folder="site/helper_of_tests", more=f', version="{version}"' if version else ""
    )
    (path.parent / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path / "site")
    point = EntryPoint("helper_of_package", "helper_of_tests.helper_of_package:CARD", "zsadbench.methods")
    registry._points("methods")["helper_of_package"] = point
    before = code_of("helper_of_package")
    assert before.identity == (version or f"sha256:{before.source_sha256}")
    (path.parent / "helper.py").write_text("value = 1\n")
    package_sha256.cache_clear()
    after = code_of("helper_of_package")
    assert after.source_sha256 != before.source_sha256
    assert (after.identity == before.identity) == bool(version)


def test_a_shipped_method_without_a_version_is_a_mistake(monkeypatch):
    card = registry.method_card("clip")
    monkeypatch.setattr(registry, "method_card", lambda name: card.__class__(**{**vars(card), "version": ""}))
    with pytest.raises(UsageError, match="the card of 'clip' states no version"):
        code_of("clip")


@pytest.mark.parametrize("broken", ["def (", "\0"])
def test_a_module_that_is_no_python_is_named(plugin, broken):
    path = plugin(imports="import helper_of_mine")
    (path.parent / "helper_of_mine.py").write_text(broken)
    with pytest.raises(UsageError, match=r"helper_of_mine\.py' is no valid Python"):
        plugin_sha256(path)


def test_other_code_makes_a_second_record(plugin, request_for):
    """The same name with other code completes and replaces nothing, classes included."""
    records = []
    for sign, classes in (("1", ("bottle",)), ("-1", ())):
        registry._points("methods").pop("mine", None)
        registry.add_plugin(plugin(sign=sign))
        request = request_for(
            methods=("mine",), targets=("mvtec",), classes=classes or ("bottle", "cable"), epochs=None
        )
        ((path, record),) = run_plan(make_plan(request)).records
        records.append((path, record, path.read_bytes()))
    (first, _, content), (second, record, _) = records
    assert first != second
    assert first.read_bytes() == content
    assert set(record.classes) == {"bottle", "cable"}
    cells = [json.loads(path.read_text())["cell"] for path in (first, second)]
    assert cells[0].pop("code")["pipeline"] == cells[1].pop("code")["pipeline"] == PIPELINE
    assert cells[0] == cells[1]
    made_with = json.loads(second.read_text())["provenance"]["method"]
    assert made_with["distribution"] is None
    assert len(made_with["source_sha256"]) == 64

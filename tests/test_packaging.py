"""Checks of the whole repository: packages, sizes of files and functions, imports, versions."""

import ast
import graphlib
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import grimp
import pytest

import zsadbench

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = [
    ROOT / path
    for path in (
        "zsadbench",
        "methods/zsadbench_methods",
        "datasets/zsadbench_datasets",
        "reports/zsadbench_reports",
    )
]
MODULES = sorted(path for package in PACKAGES for path in package.rglob("*.py"))
HEAVY = {"torch", "pandas", "numba", "open_clip", "scipy", "sklearn", "pyarrow"}
NAMED = [pytest.param(path, id=str(path.relative_to(ROOT))) for path in MODULES]


def test_no_top_folder_but_the_core_is_a_package():
    assert [path.parent.name for path in ROOT.glob("*/__init__.py")] == ["zsadbench"]


def test_the_wheel_holds_these_packages():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert [ROOT / path for path in project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]] == PACKAGES
    assert all((package / "py.typed").is_file() for package in PACKAGES)


@pytest.mark.parametrize("path", NAMED)
def test_a_file_has_at_most_300_lines(path):
    assert len(path.read_text().splitlines()) <= 300


def body_lines(function):
    """Lines from the first statement after the docstring to the end: a long list of flags is no long function."""
    first = function.body[1 if ast.get_docstring(function) and len(function.body) > 1 else 0]
    return function.end_lineno - first.lineno + 1


@pytest.mark.parametrize("path", NAMED)
def test_a_function_has_at_most_40_lines(path):
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    functions = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, kinds)]
    assert {node.name: size for node in functions if (size := body_lines(node)) > 40} == {}


def test_no_modules_import_each_other_in_a_circle():
    """Imports for type annotations count too."""
    graph = grimp.build_graph(*(package.name for package in PACKAGES), exclude_type_checking_imports=False)
    graphlib.TopologicalSorter(
        {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    ).prepare()  # raises CycleError with the circle


@pytest.mark.parametrize(
    "folder", [path for package in PACKAGES for path in package.rglob("*") if path.is_dir()], ids=str
)
def test_a_folder_holds_at_most_20_modules(folder):
    assert len([path for path in folder.glob("*.py") if path.name != "__init__.py"]) <= 20


def imported_by(code):
    """Top-level names of the modules that a fresh interpreter has after running `code`."""
    report = "print('\\n'.join(sorted({name.partition('.')[0] for name in sys.modules})), file=sys.stderr)"
    script = f"import sys\ntry:\n    {code}\nexcept SystemExit as done:\n    assert not done.code\n{report}"
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    return set(done.stderr.split())


def run_of(*arguments):
    return f"sys.argv = {['zsadbench', *arguments]!r}; from zsadbench.cli import main; main()"


def test_importing_the_package_imports_nothing_heavy():
    assert imported_by("import zsadbench") & {*HEAVY, "numpy", "rich", "typer"} == set()


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["run", "--help"]], ids=" ".join)
def test_help_imports_nothing_heavy(arguments):
    assert imported_by(run_of(*arguments)) & HEAVY == set()


NO_MODEL = ("datasets list", "datasets show visa", "methods list", "methods show fbclip", "protocol show strict")


@pytest.mark.parametrize("arguments", [*NO_MODEL, "protocol diff strict paper:fbclip"])
def test_what_needs_no_model_imports_none(arguments):
    assert imported_by(run_of(*arguments.split())) & {"torch", "open_clip"} == set()


def test_the_public_names_are_these():
    assert zsadbench.__all__ == sorted(zsadbench.__all__)
    assert set(zsadbench.__all__) == {"__version__", "run", "score", "load_method", "load_dataset", "read_results"} | {
        *("Dataset", "LoadedMethod", "Reporter", "Results", "Scores"),
        *("ZsadError", "UsageError", "DataError", "WeightsError", "CellError"),
    }


def test_every_public_name_is_there_for_people_and_for_type_checkers():
    tree = ast.parse(Path(zsadbench.__file__).read_text())
    branch = next(node for node in tree.body if isinstance(node, ast.If))
    typed = {alias.name for node in branch.body for alias in node.names}
    assert typed | {"__version__"} == set(zsadbench.__all__)
    for name in typed:
        assert getattr(zsadbench, name).__name__ == name
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        zsadbench.nothing_of_the_kind  # noqa: B018


def test_the_metrics_are_reached_from_the_package():
    assert zsadbench.metrics.image_auroc([0.1, 0.9], [0, 1]) == 1.0


def test_the_version_is_the_same_everywhere():
    stated = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    heading = re.search(r"^## \[(\d[^\]]*)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    cited = re.search(r"^version: (\S+)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)
    assert heading[1] == cited[1] == zsadbench.__version__ == stated


def repository_files():
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: there is no list of its files")
    command = ["git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split("\0")
    return [path for name in names if name and (path := ROOT / name).is_file()]


def test_no_file_names_a_path_of_the_machine_it_was_written_on():
    own = re.compile("|".join(["/" + "work/", "/" + r"tmp/t\b", "/" + r"root/", "/" + r"Users/\w", "/" + r"home/\w"]))
    found = {
        f"{path.relative_to(ROOT)}:{number}"
        for path in repository_files()
        if b"\0" not in (content := path.read_bytes())
        for number, line in enumerate(content.decode("utf-8").splitlines(), start=1)
        if own.search(line)
    }
    assert found == set()


def test_every_make_target_is_described():
    lines = (ROOT / "Makefile").read_text().splitlines()
    phony = next(line for line in lines if line.startswith(".PHONY:")).split()[1:]
    described = [line.partition(":")[0] for line in lines if re.match(r"[a-z-]+:.*## \S", line)]
    assert described == phony

"""Hash the source of plugin files and of packages: what decides whether code is the same."""

from __future__ import annotations

import ast
import hashlib
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from zsadbench.errors import UsageError

PLUGIN = "zsadbench_plugin_"  # begins the name of the module that a plugin file becomes
SOURCES = frozenset(
    {".py", ".pyx", ".pyi", ".c", ".cc", ".cpp", ".cu", ".h", ".so", ".pyd", ".json", ".toml", ".yaml", ".yml"}
)


def plugin_sha256(plugin: Path) -> str:
    """Hash a plugin file and every module that it imports from its folder: SHA-256, hexadecimal.

    Raises:
        UsageError: a file cannot be read or is no valid Python.
    """
    return hash_files(plugin.resolve().parent, plugin_sources(plugin))


def hash_files(root: Path, files: Iterable[Path]) -> str:
    """Hash the relative paths and contents of files: SHA-256, hexadecimal; their order does not matter.

    Raises:
        UsageError: a file cannot be read.
    """
    digest = hashlib.sha256()
    for relative, file in sorted((file.relative_to(root).as_posix(), file) for file in files):
        try:
            content = file.read_bytes()
        except OSError as failure:
            raise UsageError(f"'{file}' cannot be read: {failure.strerror}") from failure
        digest.update(f"{len(relative)} {relative} {len(content)} ".encode() + content)
    return digest.hexdigest()


def plugin_sources(plugin: Path) -> set[Path]:
    """Return a plugin file and every module of its folder that it imports, in functions too, and so on from there.

    Modules of the folder that are imported in another way count once they are imported; other plugin files of the
    folder do not, so that it does not matter which of them are used together, and in which order.
    """
    folder = plugin.resolve().parent
    sources: set[Path] = set()
    todo = [plugin.resolve(), *_imported_from(folder)]
    while todo:
        file = todo.pop()
        if file not in sources:
            sources.add(file)
            todo.extend(_named_in(file, folder))
    return sources


def _imported_from(folder: Path) -> Iterator[Path]:
    """Yield the files of imported modules, plugin files aside, that lie in the folder or below it."""
    for name, module in list(sys.modules.items()):
        if name.startswith(PLUGIN):
            continue
        file = getattr(module, "__file__", None)
        if not isinstance(file, str) or not file.endswith(".py") or not Path(file).is_absolute():
            continue  # modules that are made at run time name files such as `_classes.py`, which are nowhere
        if Path(file).resolve().is_relative_to(folder):
            yield Path(file).resolve()


def _named_in(file: Path, folder: Path) -> Iterator[Path]:
    """Yield the files of the folder's modules and packages that an import statement of this file names."""
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError) as failure:
        raise UsageError(f"'{file}' is no valid Python: {failure}") from failure
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add((node.module or "").partition(".")[0])
    for name in names - {""}:
        if (folder / f"{name}.py").is_file():
            yield folder / f"{name}.py"
        elif (folder / name).is_dir():
            yield from (path for path in (folder / name).rglob("*.py") if path.is_file())


@cache
def package_sha256(package: str) -> str:
    """Hash the source of an installed package, every source file below its folder, or of a single module.

    Raises:
        UsageError: the package is not found, or a file cannot be read.
    """
    spec = find_spec(package)
    places = list(spec.submodule_search_locations or []) if spec else []
    if places:
        root = Path(places[0])
        files = (file for file in root.rglob("*") if file.suffix in SOURCES and file.is_file())
        return hash_files(root, (file for file in files if "__pycache__" not in file.parts))
    if spec is None or spec.origin is None:
        raise UsageError(f"the source of the package '{package}' is not found")
    return hash_files(Path(spec.origin).parent, [Path(spec.origin)])

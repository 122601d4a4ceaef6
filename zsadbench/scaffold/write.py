"""Write a small installable package with tests that pass, from the templates beside this module."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, get_args

from zsadbench.errors import UsageError
from zsadbench.files import write_atomically
from zsadbench.flags.out import check_out

Kind = Literal["training-free", "trained", "encoder", "few-shot"]
What = Literal["method", "dataset", "report"]

TEMPLATES = Path(__file__).with_name("templates")
NAME = re.compile(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*")
LONGEST = 40  # characters of a name
ENDING = ".jinja"


def check_name(name: str, what: What) -> None:
    """Check the name of a new package.

    Raises:
        UsageError: it is no such name, or it is taken.
    """
    if not NAME.fullmatch(name):
        raise UsageError(
            f"'{name}' is no name for a {what}; take lower-case letters first, then also digits, with single dashes or "
            f"underscores between, such as 'my-{what}'"
        )
    if len(name) > LONGEST:
        raise UsageError(f"the name '{name}' has {len(name)} characters; a name has at most {LONGEST}")
    if name in _shipped(what):
        raise UsageError(f"a {what} named '{name}' is registered already; take another name")
    module = module_of(name)
    if keyword.iskeyword(module) or find_spec(module) is not None:
        raise UsageError(f"'{module}' is a module of Python or of an installed package; take another name")


def _shipped(what: What) -> set[str]:
    from zsadbench import registry
    from zsadbench.data import all_cards

    if what == "dataset":
        return {name.casefold() for card in all_cards() for name in card.names}
    return set(registry.names(f"{what}s"))


def module_of(name: str) -> str:
    """Return the name of the Python module of a package.

    >>> module_of("my-method")
    'my_method'
    """
    return name.replace("-", "_")


def write_package(what: What, name: str, out: Path, kind: str = "") -> list[Path]:
    """Write the package `name` into the folder `out`, which is made.

    Args:
        what: a method, a data set or a report.
        name: of what is registered; the module has it with underscores.
        out: the folder; it may exist, if it is empty.
        kind: of a method: training-free, trained, encoder or few-shot.

    Returns:
        The files, the main one first.

    Raises:
        UsageError: the name, the kind or the folder cannot be used.
    """
    if what == "method" and kind not in get_args(Kind):
        raise UsageError(f"--kind is '{kind}'; it takes one of {', '.join(get_args(Kind))}")
    check_name(name, what)
    check_out(out)
    if out.is_dir() and any(out.iterdir()):
        raise UsageError(f"--out '{out}' is not empty; name a new folder, nothing is overwritten")
    values = {"name": name, "module": module_of(name), "title": _title(name), "kind": kind}
    files = dict(_rendered(what, values))
    for path, text in files.items():
        write_atomically(out / path, text.encode())
    return [out / path for path in sorted(files, key=lambda path: not path.startswith("src/"))]


def _title(name: str) -> str:
    """Return the name of a class.

    >>> _title("my-method")
    'MyMethod'
    """
    return "".join(part.capitalize() for part in re.split("[-_]", name))


def _rendered(what: What, values: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the path of each file, relative to the package, and its text.

    The name of a template is the path; in it, `NAME` and `MODULE` are replaced. Of templates whose names differ by a
    kind before `=`, that of the kind is taken.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(  # noqa: S701 - the templates make source files, no HTML
        loader=FileSystemLoader(TEMPLATES / what), undefined=StrictUndefined, keep_trailing_newline=True
    )
    for template in sorted(environment.list_templates(extensions=["jinja"])):
        folder, slash, file = template.removesuffix(ENDING).rpartition("/")
        kind, equals, rest = file.partition("=")
        if equals and kind != values["kind"]:
            continue
        path = f"{folder}{slash}{rest if equals else file}"
        path = path.replace("NAME", values["name"]).replace("MODULE", values["module"])
        yield path, environment.get_template(template).render(values)

"""The templates of the pages: those of the user's folder first, then the report's own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jinja2 import BaseLoader, ChoiceLoader, Environment, FileSystemLoader, PackageLoader, StrictUndefined
from markupsafe import Markup

from zsadbench_reports.sandbox import Sandbox


def environment_of(templates: Path | None) -> Environment:
    """The environment that finds templates by name, below `templates` first; values in them are escaped as HTML.

    Templates run in Jinja's sandbox: what they can reach of Python is the values that the report gives them.
    """
    own = PackageLoader("zsadbench_reports")
    loader: BaseLoader = ChoiceLoader([FileSystemLoader(templates), own]) if templates else own
    return Sandbox(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined)


def plain(environment: Environment, names: Sequence[str]) -> Markup:
    """The text of styles and scripts, joined, without rendering."""
    loader = environment.loader
    assert loader is not None  # noqa: S101 - `environment_of` gives one
    return Markup("\n".join(loader.get_source(environment, name)[0] for name in names))  # noqa: S704 - our own files

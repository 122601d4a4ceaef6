"""The templates of the pages: the report's own, or those of a folder that stands before them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jinja2 import BaseLoader, ChoiceLoader, Environment, FileSystemLoader, PackageLoader, StrictUndefined
from markupsafe import Markup


def environment_of(templates: Path | None) -> Environment:
    """Templates by name, those below `templates` first; whatever they print is escaped."""
    own = PackageLoader("zsadbench_reports")
    loader: BaseLoader = ChoiceLoader([FileSystemLoader(templates), own]) if templates else own
    return Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined)


def plain(environment: Environment, names: Sequence[str]) -> Markup:
    """Templates that are no templates: styles and scripts, word for word."""
    loader = environment.loader
    assert loader is not None  # noqa: S101 - `environment_of` gives one
    return Markup("\n".join(loader.get_source(environment, name)[0] for name in names))  # noqa: S704 - our own files

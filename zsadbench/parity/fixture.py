"""Parity fixtures on disk: inputs, expected tensors and tolerances. The format is described in docs/parity.md."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zsadbench.errors import UsageError

Array = NDArray[Any]
FEW_SHOT = "_fewshot"


@dataclass(frozen=True)
class Stage:
    """One compared tensor: its largest deviation, what was allowed there, and whether all of it passed."""

    name: str
    deviation: float | None
    allowed: float
    passed: bool
    note: str = ""


@dataclass(frozen=True)
class Comparison:
    """One fixture. `skipped` says why it was not compared at all."""

    folder: Path
    kind: str
    stages: tuple[Stage, ...] = ()
    skipped: str = ""

    @property
    def passed(self) -> bool | None:
        """Whether there are stages and all lie within their tolerance; None where nothing was to be compared."""
        if self.skipped:
            return None
        return bool(self.stages) and all(stage.passed for stage in self.stages)


@dataclass(frozen=True)
class Fixture:
    """A folder with a `fixture.json`; its paths never leave the set folder around it."""

    folder: Path
    about: Mapping[str, Any]

    @property
    def kind(self) -> str:
        """`metrics`, `preprocess`, or the name of a method."""
        return str(self.about.get("kind") or self.about.get("method"))

    @property
    def method(self) -> str:
        """The method's name in the registry: a few-shot fixture is one of the method itself."""
        return self.kind.removesuffix(FEW_SHOT)

    def path(self, relative: str) -> Path:
        """A file of the fixture or of its set.

        Raises:
            UsageError: the path climbs above the set folder, or is not there.
        """
        found = (self.folder / relative).resolve()
        if not found.is_relative_to(self.folder.resolve().parent):
            raise UsageError(f"{self.folder}/fixture.json names '{relative}', which lies outside its set")
        if not found.is_file():
            raise UsageError(f"{self.folder}: '{relative}' is missing")
        return found

    def tensors(self, name: str) -> dict[str, Any]:
        """A safetensors file of the fixture as torch tensors."""
        from zsadbench.checkpoints import read_archive

        return dict(read_archive(self.path(name)))


def find_fixtures(folders: Sequence[Path]) -> list[Fixture]:
    """The fixtures that the folders are, or hold.

    Raises:
        UsageError: a folder holds none, or a `fixture.json` cannot be read.
    """
    found: list[Fixture] = []
    for folder in folders:
        own = folder / "fixture.json"
        paths = [own] if own.is_file() else sorted(folder.glob("*/fixture.json"))
        if not paths:
            raise UsageError(f"{folder} holds no fixture.json, nor do its folders; give a fixture or a set of them")
        found += [_read(path) for path in paths]
    return found


def _read(path: Path) -> Fixture:
    try:
        about = json.loads(path.read_text())
    except (OSError, ValueError) as failure:
        raise UsageError(f"{path} is no readable fixture: {failure}") from failure
    if not isinstance(about, dict) or not (about.get("kind") or about.get("method")):
        raise UsageError(f"{path} says neither 'kind' nor 'method'")
    return Fixture(path.parent, about)


def tolerance(table: Mapping[str, Any], name: str) -> tuple[float, float]:
    """(absolute, relative) for one tensor: its own entry, its group's, else `max_abs`.

    The group of `gradnorm/…` is `gradnorm`, and so is that of `gradnorm_NAME/…`, the variant NAME.
    """
    own = {**table, **table.get("overrides", {})}
    group, slash, _ = name.partition("/")
    family = group.partition("_")[0] if slash else group
    entry = own.get(name, own.get(group, own.get(family, table["max_abs"])))
    if isinstance(entry, str):  # a word in place of a number: equal to the bit, or for information only
        return (0.0, 0.0) if entry.startswith("exact") else (np.inf, 0.0)
    if isinstance(entry, Mapping):
        return float(entry.get("abs", 0.0)), float(entry.get("rel", 0.0))
    return float(entry), 0.0

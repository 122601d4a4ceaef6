"""Fixtures on disk: inputs, expected tensors and tolerances. docs/parity.md describes the format."""

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
Pairs = dict[str, tuple[Array, Array | None]]  # expected and produced tensor by name; None: not produced
FEW_SHOT = "_fewshot"


@dataclass(frozen=True)
class StageReport:
    """The result of one tensor: its largest deviation, the bound there, and whether every number is within its bound.

    `deviation` is None where there is none to state; `note` then says why.
    """

    name: str
    deviation: float | None
    allowed: float
    passed: bool
    note: str = ""


@dataclass(frozen=True)
class FixtureReport:
    """The result of one fixture: one report per tensor, or `skipped`, which says why it was not compared."""

    folder: Path
    kind: str
    stages: tuple[StageReport, ...] = ()
    skipped: str = ""

    @property
    def passed(self) -> bool | None:
        """Whether there are tensors and all of them passed; None for a skipped fixture."""
        if self.skipped:
            return None
        return bool(self.stages) and all(stage.passed for stage in self.stages)


@dataclass(frozen=True)
class Fixture:
    """A folder with a `fixture.json`, whose content is `about`. Its files lie in the folder of the set around it."""

    folder: Path
    about: Mapping[str, Any]

    @property
    def kind(self) -> str:
        """`metrics`, `preprocess`, or the name of a method."""
        return str(self.about.get("kind") or self.about.get("method"))

    @property
    def method(self) -> str:
        """The name of the method in the registry: without the suffix of a few-shot fixture, with dashes."""
        return self.kind.removesuffix(FEW_SHOT).replace("_", "-")

    def path(self, relative: str) -> Path:
        """Return the path of a file of the fixture or of its set.

        Raises:
            UsageError: the file lies outside the folder of the set, or is missing.
        """
        path = (self.folder / relative).resolve()
        if not path.is_relative_to(self.folder.resolve().parent):
            raise UsageError(f"{self.folder}/fixture.json names '{relative}', which lies outside its set")
        if not path.is_file():
            raise UsageError(f"{self.folder}: '{relative}' is missing")
        return path

    def tensors(self, name: str) -> dict[str, Any]:
        """Read a safetensors file of the fixture as torch tensors by name."""
        from zsadbench.checkpoints import read_archive

        return dict(read_archive(self.path(name)))


def find_fixtures(folders: Sequence[Path]) -> list[Fixture]:
    """Find fixtures; each folder is a fixture, or a set with one fixture per sub-folder.

    Raises:
        UsageError: a folder holds no fixture, or a `fixture.json` cannot be read.
    """
    fixtures: list[Fixture] = []
    for folder in folders:
        path = folder / "fixture.json"
        paths = [path] if path.is_file() else sorted(folder.glob("*/fixture.json"))
        if not paths:
            raise UsageError(f"{folder} holds no fixture.json, nor do its folders; give a fixture or a set of them")
        fixtures += [_read(path) for path in paths]
    return fixtures


def _read(path: Path) -> Fixture:
    try:
        about = json.loads(path.read_text())
    except (OSError, ValueError) as failure:
        raise UsageError(f"{path} is no readable fixture: {failure}") from failure
    if not isinstance(about, dict) or not (about.get("kind") or about.get("method")):
        raise UsageError(f"{path} says neither 'kind' nor 'method'")
    return Fixture(path.parent, about)


def tolerance(table: Mapping[str, Any], name: str) -> tuple[float, float]:
    """Return (absolute, relative) for one tensor: the entry of the tensor, else of its group, else `max_abs`.

    `max_abs` goes with `max_rel`, if there is one. The group of `gradnorm/TENSOR` is `gradnorm`; so is the group of
    `gradnorm_NAME/TENSOR`, which is of variant NAME.
    A text that begins with "exact" allows no deviation; any other text allows every deviation.
    """
    entry = _entry(table, name)
    if entry is None:
        return float(table["max_abs"]), float(table.get("max_rel", 0.0))
    if isinstance(entry, str):
        return (0.0, 0.0) if entry.startswith("exact") else (np.inf, 0.0)
    if isinstance(entry, Mapping):
        return float(entry.get("abs", 0.0)), float(entry.get("rel", 0.0))
    return float(entry), 0.0


def numbered_freely(table: Mapping[str, Any], name: str) -> bool:
    """Whether a tensor holds labels whose numbering has no meaning: "exact up to renumbering"."""
    entry = _entry(table, name)
    return isinstance(entry, str) and entry.startswith("exact") and "renumbering" in entry


def renumber(labels: Array) -> Array:
    """Number the labels of every row by their first occurrence.

    >>> renumber(np.array([[7, 7, 2], [0, 1, 0]])).tolist()
    [[0, 0, 1], [0, 1, 0]]
    """
    rows = labels.reshape(-1, labels.shape[-1])
    orders = [{label: number for number, label in enumerate(dict.fromkeys(row))} for row in rows.tolist()]
    new = [[order[label] for label in row] for order, row in zip(orders, rows.tolist(), strict=True)]
    return np.asarray(new, dtype=labels.dtype).reshape(labels.shape)


def _entry(table: Mapping[str, Any], name: str) -> Any:
    """Find what the table says of one tensor: the entry of the tensor, else of its group; None for neither."""
    entries = {**table, **table.get("overrides", {})}
    group, slash, _ = name.partition("/")
    group_of_variants = group.partition("_")[0] if slash else group
    return entries.get(name, entries.get(group, entries.get(group_of_variants)))

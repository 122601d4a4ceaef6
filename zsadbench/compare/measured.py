"""Records as rows of the tidy frame, and the names of their entries.

An entry is what a table lists as one method. Its name is the method, followed by the fields of its cell in which it
differs from the other runs of this method: options, shots, image size, precision, weights and version of the code; and,
where one target was run in several ways, also auxiliary set, recipe, checkpoint, tap rule or limit. Runs that differ in
more than seed and target never have the same name. The name of a run whose image scores use all test images of a class
always says `transductive`, that of a method without code of its authors `unofficial`, that of maps of another program
whose authors declare how they were made `external`.

A target is a data set of one content. Where the records of one name have several fingerprints, each fingerprint is a
target of its own, whose name ends with the first digits of the fingerprint: `visa (3f9a)`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from zsadbench import registry
from zsadbench.card_faults import faults_of_paper
from zsadbench.compare.frame import AUPRO, COLUMNS, DIGITS, MEASURED, METRIC_OF_AUPRO
from zsadbench.data import all_cards
from zsadbench.errors import ZsadError
from zsadbench.records import Cell, Record, canonical
from zsadbench.records.record import MEAN
from zsadbench.types import Paper

# fields of a cell that tell runs of a method apart: on all targets, and on one target
SETUP = ("options", "shots", "image_size", "precision", "weights_sha256", "extra_weights", "declared")
TRANSDUCTIVE, UNOFFICIAL, EXTERNAL = "transductive", "unofficial", "external"
DECLARED = "external, declared by its authors"  # who computed the numbers of an external record
DETAIL = ("aux", "recipe", "checkpoint_sha256", "tap_rule", "limit", "partial", "synthetic", "target")


def measured(records: Iterable[tuple[Path, Record]]) -> pd.DataFrame:
    """Records as a frame with the columns of `frame.COLUMNS`: one row per metric and class, or `mean` over classes."""
    contents = [record for _, record in records]
    cells = [record.cell for record in contents]
    names = zip(contents, entry_names(cells), target_names(cells), strict=True)
    rows = [row for record, entry, target in names for row in _rows(record, entry, target)]
    return pd.DataFrame(rows, columns=COLUMNS).astype({"value": "float64", "spread": "float64"})


@cache
def aupro_of(protocol: str) -> str:
    """The metric of the AUPRO variant that `protocol` prescribes; the exact AUPRO for an unknown protocol."""
    try:
        variant: str = registry.protocol(protocol).aupro
    except ZsadError:
        return "pixel_aupro"
    return METRIC_OF_AUPRO[variant]


def stated_paper(record: Record) -> Paper | None:
    """The paper that a record states of its method: of a foreign method, or declared for saved maps; None without one.

    A paper with faults, as of an edited record, is left out.
    """
    declared = record.cell.get("declared") or {}
    about = declared.get("paper") or record.provenance.get("paper")
    if not about:
        return None
    code = {"code": declared["code"]} if "code" in declared else {}
    paper = Paper(**{"venue": "", "year": 0} | about | code | {"authors": tuple(about.get("authors", ()))})
    return None if any(faults_of_paper(paper)) else paper


def split_of(cell: Cell) -> str:
    """Which images were evaluated: `card` for those of the data set's card, else how they differ from these."""
    kinds = [name for name in ("synthetic", "partial") if cell[name]]
    kinds += [f"first {cell['limit']} per label and class"] if cell["limit"] is not None else []
    return ", ".join(kinds) or "card"


def entry_names(cells: Sequence[Cell]) -> list[str]:
    """The name of the entry of each cell: cells with equal names differ in seed and target alone."""
    runs = [_Run.of(cell) for cell in cells]
    names = []
    for run in runs:
        of_method = [other for other in runs if other.method == run.method and other.group == run.group]
        alike = [other for other in of_method if (other.setup, other.code) == (run.setup, run.code)]
        on_target = [other for other in alike if other.target == run.target]
        parts = [UNOFFICIAL] if run.unofficial else [EXTERNAL] if run.external else []
        parts += _differing(run.setup, [other.setup for other in of_method])
        parts += _code(run.code, {other.code for other in of_method})
        parts += [TRANSDUCTIVE] if run.transductive else []
        parts += _differing(run.detail, [other.detail for other in on_target])
        parts += _maps(run, on_target)
        names.append(run.method + (f" [{', '.join(parts)}]" if parts else ""))
    return names


def target_names(cells: Sequence[Cell]) -> list[str]:
    """The target of each cell: its name and, where the name has several fingerprints, digits of the fingerprint."""
    known: dict[str, set[str]] = {}
    for cell in cells:
        known.setdefault(cell["target"]["name"], set()).add(fingerprint_of(cell))
    targets = [(cell["target"]["name"], fingerprint_of(cell)) for cell in cells]
    return [
        f"{name} ({shortened(fingerprint, known[name])})" if len(known[name]) > 1 else name
        for name, fingerprint in targets
    ]


def fingerprint_of(cell: Cell) -> str:
    """The fingerprint of a cell's target; `none` where the record has none."""
    return str(cell["target"].get("fingerprint") or "none")


def shortened(digest: str, others: Iterable[str]) -> str:
    """The first digits of a hash, four or as many as tell it apart from all `others`.

    >>> shortened("3f9a77", ["3f9a77", "3f9a81"])
    '3f9a7'
    """
    differing = [other for other in others if other != digest]
    lengths = range(DIGITS, len(digest))
    enough = (n for n in lengths if not any(other.startswith(digest[:n]) for other in differing))
    return digest[: next(enough, len(digest))]


class _Run(NamedTuple):
    """What the name of an entry depends on: `setup` and `detail` map `field.key` to its value as JSON."""

    method: str
    group: tuple[str, str, str]
    target: tuple[str, str]
    setup: Mapping[str, str]
    detail: Mapping[str, str]
    code: str
    transductive: bool
    unofficial: bool
    external: bool
    seed: int
    maps: str

    @classmethod
    def of(cls, cell: Cell) -> _Run:
        group = cell["protocol"]["name"], cell["protocol"]["digest"], cell["backbone"]
        setup, detail = (
            dict(pair for name in names for pair in _leaves(name, cell.get(name))) for names in (SETUP, DETAIL)
        )
        code = hashlib.sha256(canonical(cell["code"]).encode()).hexdigest() if cell.get("code") else ""
        target, transductive = (cell["target"]["name"], fingerprint_of(cell)), bool(cell.get("transductive"))
        marks = bool(cell.get("unofficial")), bool(cell.get("external"))
        maps = str((cell.get("maps") or {}).get("digest", ""))
        return cls(cell["method"], group, target, setup, detail, code, transductive, *marks, cell["seed"], maps)


def _code(own: str, of_method: set[str]) -> list[str]:
    """`code` and digits of the hash of a cell's code, where runs of the method differ in it."""
    if len(of_method) == 1:
        return []
    return [f"code {shortened(own, of_method) if own else 'unknown'}"]


def _maps(run: _Run, on_target: Sequence[_Run]) -> list[str]:
    """`maps` and digits of their hash, where several folders of maps have one name, target and seed."""
    same = {other.maps for other in on_target if other.seed == run.seed and other.detail == run.detail}
    return [f"maps {shortened(run.maps, same)}"] if run.maps and len(same) > 1 else []


def _leaves(name: str, value: Any) -> Iterator[tuple[str, str]]:
    """The leaves of a nested field as `(field.key, JSON)`."""
    if isinstance(value, Mapping):
        for key in value:
            yield from _leaves(f"{name}.{key}", value[key])
    else:
        yield name, json.dumps(value, sort_keys=True)


def _differing(own: Mapping[str, str], others: Sequence[Mapping[str, str]]) -> list[str]:
    """`key=value` for the fields of `own` in which any of the others differs; long values are cut."""
    different = sorted({key for other in others for key in _differing_fields(own, other)})
    shown = {**own, "aux": _auxiliary(own)}
    return [f"{key.removeprefix('options.')}={shown[key].strip(chr(34))[:24]}" for key in different if key in shown]


def _differing_fields(own: Mapping[str, str], other: Mapping[str, str]) -> set[str]:
    """The fields in which two runs differ; where auxiliary set or checkpoint differs, no details of the training."""
    fields = {key for key in {*own, *other} if own.get(key) != other.get(key)}
    rest = {key for key in fields if key.partition(".")[0] not in {"aux", "recipe"}}
    if _auxiliary(own) != _auxiliary(other):
        return rest | {"aux"}
    return rest if "checkpoint_sha256" in fields else fields


def _auxiliary(fields: Mapping[str, str]) -> str:
    return fields.get("aux.name", "none")


def _rows(record: Record, entry: str, target: str) -> Iterator[dict[str, Any]]:
    of_record, classes = _record_columns(record, entry, target), classes_of(record)
    for class_name, values, reasons in record.rows():
        for metric, value in values.items():
            number = {"class": class_name, "metric": metric, "value": value, "aupro": AUPRO.get(metric, "")}
            about = {"reason": reasons.get(metric, ""), "classes": classes if class_name == MEAN else "", "printed": ""}
            yield of_record | number | about


def classes_of(record: Record) -> str:
    """`3 of 15 classes` for a record of a part of the classes of its data set; empty for one of all of them."""
    card = next((card for card in all_cards() if card.name == record.cell["target"]["name"]), None)
    total = len(card.classes) if card is not None and record.cell["partial"] else len(record.expected)
    return f"{len(record.classes)} of {total} classes" if len(record.classes) < total else ""


def _record_columns(record: Record, entry: str, target: str) -> dict[str, Any]:
    """The columns that are the same for all numbers of a record."""
    cell = record.cell
    supports = record.provenance.get("support_seed", 0) if cell["shots"] and cell["supports"] else None
    return {
        "source": MEASURED,
        "table": "",
        "entry": entry,
        "method": cell["method"],
        "variant": ", ".join(f"{key}={value}" for key, value in sorted(cell["options"].items())),
        "target": target,
        "seed": str(cell["seed"]) if supports is None else f"{cell['seed']}/{supports}",
        "shots": str(cell["shots"]),
        "spread": None,
        "protocol": cell["protocol"]["name"],
        "digest": cell["protocol"]["digest"],
        "split": split_of(cell),
        "smoothing": "as the protocol says",
        "backbone": cell["backbone"],
        "computed_by": DECLARED if cell.get("external") else "this project",
        "comparable": record.comparable,
        "official": cell["checkpoint_sha256"] is not None and record.ledger.get("epoch_choice") != "fixed",
        "signature": record.signature,
        "note": "; ".join(record.not_comparable_because),
        "fingerprint": fingerprint_of(cell),
        "aux": cell["aux"]["name"] if cell["aux"] else "none",
        "image_size": str(cell["image_size"]),
    }

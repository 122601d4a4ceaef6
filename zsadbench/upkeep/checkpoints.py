"""Trained checkpoints: those in the cache, the card of one, and files that carry one to another machine.

A card is part of a safetensors file: its metadata name the training that made it (the keys of a record's cell), and an
exported file adds licence and measured numbers.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from zsadbench.checkpoints import check_digest, check_tensors, read_archive, read_metadata, write_checkpoint
from zsadbench.clip import cache_folder
from zsadbench.data import find_card
from zsadbench.data.user_images.target import is_user_target
from zsadbench.engine.plan.cell import TRAINING_KEYS
from zsadbench.errors import UsageError, WeightsError, ZsadError, not_found
from zsadbench.files import file_sha256, replacing
from zsadbench.records import find_records, identity, safe_name

log = logging.getLogger(__name__)

CARD = "card"  # the key of what an export adds
NOT_OF_THE_CELL = frozenset({"first_loss", "last_loss", CARD})
NEEDED = frozenset(
    {"method", "code", "options", "recipe", "seed", "backbone", "weights_sha256"}
)  # of a training's cell
DECIMALS = 4  # of metrics in a card, which are fractions


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that zsadbench wrote: where it is, and what its metadata say.

    `about` has the keys of the training's cell, the losses, and under `card` what an export added; of an imported file
    it has `imported`, the published files.
    """

    path: Path
    method: str
    about: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The first digits of the identity, as in the cache; else the name of the file."""
        return self.path.stem

    @property
    def learned(self) -> str:
        """What it was learned from: an auxiliary set, the supports of a class, or published files."""
        if self.about.get("imported"):
            return "imported"
        supports = self.about.get("learned_supports")
        part = self.about.get("aux") or supports or {}
        return str(part.get("name", "-")) + (f"/{supports['class']}" if supports else "")


def cached_checkpoints() -> Iterator[Checkpoint]:
    """Yield the checkpoints in the cache, sorted by path; one that cannot be read is logged and skipped."""
    for path in sorted((cache_folder() / "checkpoints").glob("*/*.safetensors")):
        try:
            yield read_checkpoint(path)
        except WeightsError as failure:
            log.warning("skipped: %s", failure)


def read_checkpoint(path: Path) -> Checkpoint:
    """Read what a checkpoint says of itself; its tensors are not read.

    Raises:
        WeightsError: there is no such file, it is damaged, or zsadbench did not write it.
    """
    if not path.is_file():
        raise WeightsError(f"'{path}' is no file")
    metadata = read_metadata(path)
    if metadata is None:
        raise WeightsError(
            f"'{path}' was not written by zsadbench; zsadbench checkpoints import converts a published checkpoint"
        )
    return Checkpoint(path, *metadata)


def find_checkpoint(name: str) -> Checkpoint:
    """Find a checkpoint: a file, or in the cache the one whose name begins with `name`.

    Raises:
        UsageError: several begin so.
        WeightsError: there is none, or it cannot be read.
    """
    if Path(name).is_file():
        return read_checkpoint(Path(name))
    folder = cache_folder() / "checkpoints"
    found = [path for path in sorted(folder.glob("*/*.safetensors")) if name and path.stem.startswith(name)]
    if len(found) > 1:
        raise UsageError(f"{len(found)} checkpoints begin with '{name}'; give more digits")
    if not found:
        remedy = "zsadbench checkpoints list has the names; or give the path of a file"
        raise WeightsError(not_found(f"no checkpoint '{name}'", f"a file, and '{folder}'", remedy))
    return read_checkpoint(found[0])


def describe(checkpoint: Checkpoint) -> dict[str, Any]:
    """Return the card of a checkpoint as JSON has it; what is not stated is None."""
    about = checkpoint.about
    added: Mapping[str, Any] = about.get(CARD) or {}
    return {
        "method": checkpoint.method,
        "path": str(checkpoint.path),
        "sha256": file_sha256(checkpoint.path),
        "bytes": checkpoint.path.stat().st_size,
        "code": about.get("code"),
        "backbone": about.get("backbone"),
        "weights_sha256": about.get("weights_sha256"),
        "image_size": about.get("image_size"),
        "options": about.get("options") or {},
        "aux": about.get("aux") or about.get("learned_supports"),
        "recipe": about.get("recipe"),
        "seed": about.get("seed"),
        "last_loss": about.get("last_loss"),
        "imported": about.get("imported"),
        "metrics": added.get("metrics") or {},
        "licence": added.get("licence"),
        "aux_licence": added.get("aux_licence") or _licence_of(about),
        "exported": added.get("exported"),
        "zsadbench": added.get("zsadbench"),
    }


def _licence_of(about: Mapping[str, Any]) -> str | None:
    """Return the licence of the set that was learned from, where there is a card of it."""
    name = str((about.get("aux") or about.get("learned_supports") or {}).get("name", ""))
    if not name or is_user_target(name):
        return None
    try:
        return find_card(name).licence or None
    except ZsadError:
        return None


def measured(checkpoint: Checkpoint, results: Path) -> dict[str, dict[str, Any]]:
    """Return the means of complete records that this checkpoint made: target → metric → fraction, and the signature."""
    sha256 = file_sha256(checkpoint.path)
    found: dict[str, dict[str, Any]] = {}
    for _, record in find_records(results):
        cell = record.cell
        same = all(cell.get(key) == checkpoint.about.get(key) for key in TRAINING_KEYS)
        if not record.complete or not (same or (sha256 == cell.get("checkpoint_sha256"))):
            continue
        means, _, _ = record.mean()
        rounded = {name: round(value, DECIMALS) for name, value in means.items() if value is not None}
        found[cell["target"]["name"]] = {
            **rounded,
            "comparable": record.comparable,
            "signature": record.signature,
        }
    return found


def export(checkpoint: Checkpoint, out: Path, *, licence: str | None, results: Path | None) -> dict[str, Any]:
    """Write a checkpoint with its card: a safetensors file, and the card as Markdown beside it.

    Args:
        checkpoint: the source.
        out: the safetensors file.
        licence: under which the trained parameters are given; None where it is not stated.
        results: a folder of records, of which those that this checkpoint made are in the card; None for none.

    Returns:
        The card of the new file.

    Raises:
        WeightsError: the source is damaged.
        OSError: the files cannot be written.
    """
    state = dict(read_archive(checkpoint.path))
    check_digest(checkpoint.path, state)
    check_tensors(state, f"checkpoint '{checkpoint.path}'")
    before: Mapping[str, Any] = checkpoint.about.get(CARD) or {}
    card = {
        "licence": licence or before.get("licence"),
        "aux_licence": _licence_of(checkpoint.about),
        "metrics": {**(before.get("metrics") or {}), **(measured(checkpoint, results) if results else {})},
        "exported": datetime.now(UTC).isoformat(timespec="seconds"),
        "zsadbench": version("zsadbench"),
    }
    write_checkpoint(out, state, checkpoint.method, {**checkpoint.about, CARD: card})
    described = describe(read_checkpoint(out))
    with replacing(out.with_name(f"{out.name}.md")) as stream:
        stream.write(card_text(described).encode())
    return described


def card_text(card: Mapping[str, Any]) -> str:
    """Write a card as Markdown."""
    aux, recipe, code = card["aux"] or {}, card["recipe"] or {}, card["code"] or {}
    facts = {
        "method": f"{card['method']} (code {code.get('method') or '-'}, pipeline {code.get('pipeline') or '-'})",
        "backbone": f"{card['backbone'] or '-'}, weights {str(card['weights_sha256'])[:12]}",
        "learned from": f"{aux.get('name') or 'see imported files'} {aux.get('counts') or ''}".strip(),
        "seed": card["seed"],
        "input size": card["image_size"],
        "options": card["options"] or "default",
        "imported files": ", ".join(file["name"] for file in card["imported"] or []),
        "licence": card["licence"] or "not stated",
        "licence of the data": card["aux_licence"],
        "SHA-256": card["sha256"],
    }
    lines = [f"# Checkpoint of {card['method']}", ""]
    lines += [f"- {name}: {value}" for name, value in facts.items() if value not in (None, "")]
    if recipe:
        lines += ["", "## Recipe", "", *(f"- {name}: {value}" for name, value in recipe.items())]
    for target, metrics in card["metrics"].items():
        lines += ["", f"## Measured on {target}", "", *(f"- {name}: {value}" for name, value in metrics.items())]
    return "\n".join([*lines, ""])


def import_exported(path: Path) -> Path:
    """Put an exported checkpoint into the cache, where `run` finds it in place of a training; return its path there.

    Raises:
        WeightsError: the file is damaged, or does not say which training made it.
    """
    checkpoint = read_checkpoint(path)
    state = dict(read_archive(path))
    check_digest(path, state)
    check_tensors(state, f"checkpoint '{path}'")
    cell = {key: value for key, value in checkpoint.about.items() if key not in NOT_OF_THE_CELL}
    if not cell.keys() >= NEEDED or cell["method"] != checkpoint.method:
        raise WeightsError(f"'{path}' does not say which training made it; use it with --checkpoint")
    target = cache_folder() / "checkpoints" / safe_name(checkpoint.method) / f"{identity(cell)[:16]}.safetensors"
    if not target.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        with path.open("rb") as source, replacing(target) as stream:
            shutil.copyfileobj(source, stream)
    return target

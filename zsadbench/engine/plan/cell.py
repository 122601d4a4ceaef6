"""The cell: everything that can change a score, as one JSON value, and what follows from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from zsadbench.clip import RULE, cache_folder, map_taps
from zsadbench.engine.plan.method_setup import MethodSetup, activation_of
from zsadbench.records import identity, safe_name

if TYPE_CHECKING:
    from pathlib import Path

    from zsadbench.data import Dataset
    from zsadbench.engine.plan.supports import Supports


def training_cell(setup: MethodSetup, aux: Dataset | None, seed: int) -> dict[str, Any]:
    """Everything that decides a trained checkpoint; its hash names the file in the cache."""
    taps = setup.method.card.taps(setup.method.options)
    return {
        "method": setup.name,
        "options": setup.method.changed(),
        "recipe": _recipe(setup, aux),
        "aux": _aux(aux),
        "seed": seed,
        "backbone": setup.spec.name,
        "weights_sha256": setup.spec.weights.sha256,
        "checkpoint_sha256": setup.checkpoint_sha256,
        "tap_rule": {
            "rule": RULE,
            "blocks": list(taps.blocks),
            "mapped": list(map_taps(taps.blocks, setup.spec.config.vision.layers)),
            "activation": activation_of(setup.spec, taps),
            "position": taps.position,
        },
        "image_size": setup.image_size,
        "precision": setup.precision,
    }


def cell_of(
    setup: MethodSetup, aux: Dataset | None, target: Dataset, seed: int, supports: Supports | None = None
) -> dict[str, Any]:
    """The cell whose hash is a record's identity."""
    read = [one for one in (target, aux, supports) if one is not None]
    return {
        **training_cell(setup, aux, seed),
        "target": {"name": target.card.name, "fingerprint": target.fingerprint},
        "shots": supports.shots if supports else 0,
        "supports": supports.named() if supports else None,
        "protocol": {"name": setup.protocol.name, "digest": setup.protocol.digest},
        "limit": setup.limit,
        "partial": any(one.partial for one in read),
        "synthetic": any(one.synthetic for one in read),
    }


def _recipe(setup: MethodSetup, aux: Dataset | None) -> dict[str, Any] | None:
    if not setup.trains or aux is None or setup.method.recipe is None:
        return None
    recipe = {
        name: value
        for name, value in asdict(setup.method.recipe_on(aux.card.name)).items()
        if name not in _NOT_HERE and value is not False
    }
    rounded = {} if setup.token_precision == "fp32" else {"tokens": setup.token_precision}
    return {**recipe, "betas": list(recipe["betas"]), "epochs": setup.epochs_on(aux.card.name), **rounded}


_NOT_HERE = {"epochs", "epochs_else", "image_size", "on"}  # resolved, or stated elsewhere in the cell


def _aux(aux: Dataset | None) -> dict[str, Any] | None:
    if aux is None:
        return None
    return {"name": aux.card.name, "fingerprint": aux.fingerprint, "counts": count_labels(aux)}


def count_labels(dataset: Dataset) -> dict[str, int]:
    """Normal and anomalous images of a data set."""
    anomalous = int(dataset.manifest["label"].sum())
    return {"normal": len(dataset.manifest) - anomalous, "anomalous": anomalous}


def why_not_comparable(cell: Mapping[str, Any], setup: MethodSetup, target: Dataset, leak: str) -> list[str]:
    """Why the numbers of a cell may not stand beside published ones; empty when they may. `leak` in words, if any."""
    reasons = {
        "random weights": setup.spec.weights.kind == "random",
        "demo backbone, not CLIP": setup.spec.demo,
        f"backbone '{setup.spec.name}' is no published one": not setup.spec.shipped and not setup.spec.demo,
        f"limited to {cell['limit']} images a label and class": cell["limit"] is not None,
        "the target or the auxiliary set is incomplete": cell["partial"],
        "synthetic data": cell["synthetic"],
        f"'{target.card.name}' is drawn for trials, no published benchmark": target.card.generated,
        "its trained parts were left at their initial values": setup.trains and cell["aux"] is None,
        "masks and labels were permuted in training, as a control": bool((cell["recipe"] or {}).get("permuted")),
        leak: bool(leak),
    }
    return [reason for reason, holds in reasons.items() if holds]


def signature(cell: Mapping[str, Any], weights: str) -> str:
    """One line under every table: what made the numbers."""
    aux = cell["aux"]["name"] if cell["aux"] else "none"
    shown = f"checkpoint:{cell['checkpoint_sha256'][:8]}" if cell["checkpoint_sha256"] else f"aux:{aux}"
    options = ",".join(f"{key}={_short(value)}" for key, value in sorted(cell["options"].items()))
    flags = [f"{name}:{cell[name]}" for name in ("shots", "limit") if cell[name]]
    flags += [name for name in ("partial", "synthetic") if cell[name]]
    recipe = cell["recipe"] or {}
    flags += ["permuted"] if recipe.get("permuted") else []
    flags += [f"tokens:{recipe['tokens']}"] if recipe.get("tokens") else []
    parts = [
        cell["method"] + (f"[{options}]" if options else ""),
        f"{cell['backbone']}:{weights}",
        shown,
        f"size:{cell['image_size']}",
        f"protocol:{cell['protocol']['name']}",
        cell["precision"],
        f"seed:{cell['seed']}",
        *flags,
        f"zsadbench:{version('zsadbench')}",
        identity(cell)[:16],
    ]
    return "|".join(parts)


def _short(value: Any) -> str:
    return "+".join(map(str, value)) if isinstance(value, Sequence) and not isinstance(value, str) else str(value)


def checkpoint_path(setup: MethodSetup, aux: Dataset, seed: int) -> Path:
    """Where the cache keeps what this training makes."""
    key = identity(training_cell(setup, aux, seed))[:16]
    return cache_folder() / "checkpoints" / safe_name(setup.name) / f"{key}.safetensors"

"""Make the cell of a record: everything that can change a score, as one JSON value.

The SHA-256 of the cell is the identity of the record; that of the part that decides a training names the checkpoint in
the cache.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from zsadbench.clip import OWN_RULE, RULE, cache_folder, place_taps
from zsadbench.engine.plan.method_setup import (
    MethodSetup,
    activation_of,
    earlier_stage,
    taps_of,
    training_preprocessing,
)
from zsadbench.records import identity, safe_name
from zsadbench.tokens import CLIP_PIXELS

if TYPE_CHECKING:
    from pathlib import Path

    from zsadbench.data import Card, Dataset
    from zsadbench.engine.plan.supports import Supports
    from zsadbench.protocol import EvaluationProtocol
    from zsadbench.tokens import Taps

PIPELINE = "2"  # version of preprocessing, encoder walk, maps and metrics: changed whenever their results change
TRAINING_KEYS = (
    *(
        "method",
        "code",
        "options",
        "recipe",
        "aux",
        "seed",
        "backbone",
        "weights_sha256",
        "checkpoint_sha256",
        "tap_rule",
    ),
    *("tap_rule", "image_size", "precision"),
)
UNKNOWN = "unknown"  # the backbone of another program whose maps are evaluated
STATED_ELSEWHERE = {"epochs", "epochs_else", "image_size", "on"}  # fields of a recipe that other keys state, resolved
IF_ANY = {  # fields that a recipe states only where they are not empty
    *("permuted", "lr_by_epoch", "halve_at", "stage", "before", "momentum", "cosine_to", "on_supports"),
    *("one_pass", "mosaic"),
}


def training_cell(setup: MethodSetup, learned: Dataset | None, seed: int) -> dict[str, Any]:
    """Return everything that decides a trained checkpoint.

    Args:
        setup: of the method.
        learned: what it learns from: the auxiliary set, or the support images of one class. None for nothing, and for
            what the trainings of all classes have in common; the cell of a record names the support images itself.
        seed: of the training.
    """
    taps, extra = taps_of(setup), setup.extra_weights
    part: dict[str, Any] | None = None
    if learned is not None:
        part = {"name": learned.card.name, "fingerprint": learned.fingerprint, "counts": count_labels(learned)}
    of_class: dict[str, Any] = {}
    if part is not None and learned is not None and setup.on_supports:
        (name,) = learned.classes
        of_class = {"learned_supports": {**part, "class": name, "word": learned.card.words(setup.name)[name]}}
        part = None
    return {
        "method": setup.name,
        "code": {"method": setup.code, "pipeline": PIPELINE},
        "options": setup.method.changed(),
        "recipe": _recipe(setup, learned),
        "aux": part,
        "seed": seed,
        "backbone": setup.spec.name,
        "weights_sha256": setup.spec.weights.sha256,
        "checkpoint_sha256": setup.checkpoint_sha256,
        "tap_rule": _tap_rule(setup, taps),
        "image_size": setup.image_size,
        "precision": setup.precision,
        **({"extra_weights": {name: found.sha256 for name, found in extra.items()}} if extra else {}),
        **({"unofficial": True} if setup.method.card.unofficial else {}),
        **of_class,
    }


def _tap_rule(setup: MethodSetup, taps: Taps) -> dict[str, Any]:
    """Return which tokens are read and how; the last three entries only where they differ from what CLIP has."""
    config = setup.spec.config
    other = config.pixels != CLIP_PIXELS
    return {
        "rule": RULE if taps.numbering == "reference" else OWN_RULE,
        "blocks": list(taps.blocks),
        "mapped": list(place_taps(taps, config.vision.layers).blocks),
        "activation": activation_of(setup.spec, taps),
        "position": taps.position,
        **({"final_norm": True} if taps.final_norm else {}),
        **({"pixels": {name: list(values) for name, values in config.pixels._asdict().items()}} if other else {}),
        **({"kind": config.kind} if config.kind != "clip" else {}),
    }


def unknown_training(method: str, seed: int, image_size: int) -> dict[str, Any]:
    """Return what stands for `training_cell` where another program made the maps; what is not known is None."""
    code = {"method": None, "pipeline": PIPELINE}
    known = {"method": method, "code": code, "options": {}, "seed": seed, "backbone": UNKNOWN, "image_size": image_size}
    return {key: known.get(key) for key in TRAINING_KEYS}


def cell_of(
    training: Mapping[str, Any],
    target: Dataset,
    protocol: EvaluationProtocol,
    limit: int | None,
    *,
    aux: Dataset | None = None,
    supports: Supports | None = None,
    maps: Mapping[str, Any] | None = None,
    partial: bool = False,
    transductive: str = "",
) -> dict[str, Any]:
    """Make the cell of a record.

    Args:
        training: from `training_cell` or `unknown_training`.
        target: the data set that is evaluated.
        protocol: the evaluation protocol.
        limit: test images per label and class; None for all.
        aux: the auxiliary set of a training.
        supports: normal images of a few-shot method.
        maps: what identifies the maps, if another program made them.
        partial: whether anything else is incomplete, such as saved maps.
        transductive: the name of the finishing step over the test images of a class; empty for none.
    """
    sources = [data for data in (target, aux, supports) if data is not None]
    return {
        **training,
        "target": {"name": target.card.name, "fingerprint": target.fingerprint},
        "shots": supports.shots if supports else 0,
        "supports": supports.as_json() if supports else None,
        "protocol": {"name": protocol.name, "digest": protocol.digest},
        "limit": limit,
        "partial": partial or any(data.partial for data in sources),
        "synthetic": any(data.synthetic for data in sources),
        **({"maps": dict(maps)} if maps else {}),
        **({"transductive": transductive} if transductive else {}),
    }


def _recipe(setup: MethodSetup, learned: Dataset | None) -> dict[str, Any] | None:
    """Return the recipe of a training, resolved for what it learns from; None where nothing is trained."""
    if setup.method.recipe is None or not (setup.on_supports or (setup.trains and learned is not None)):
        return None
    aux = "" if setup.on_supports or learned is None else learned.card.name
    recipe = {
        name: value
        for name, value in asdict(setup.method.recipe_on(aux)).items()
        if name not in STATED_ELSEWHERE and ((value and value != "none") or name not in IF_ANY)
    }
    earlier = earlier_stage(setup)
    if earlier is not None:
        recipe["before"] = _recipe(earlier, learned)
    preprocessing = training_preprocessing(setup)
    if preprocessing != taps_of(setup).preprocessing:
        recipe["preprocessing"] = preprocessing
    exact = setup.token_precision == "fp32" or taps_of(setup).own_encoding
    rounded = {} if exact else {"tokens": setup.token_precision}
    return {**recipe, "betas": list(recipe["betas"]), "epochs": setup.epochs_on(aux), **rounded}


def count_labels(dataset: Dataset) -> dict[str, int]:
    """Count normal and anomalous images of a data set."""
    anomalous = int(dataset.manifest["label"].sum())
    return {"normal": len(dataset.manifest) - anomalous, "anomalous": anomalous}


def why_not_comparable(
    cell: Mapping[str, Any], card: Card, setup: MethodSetup | None, *, leak: str = "", before: Sequence[str] = ()
) -> list[str]:
    """Return why the numbers of a cell must not be compared with published ones; empty when they may be.

    Args:
        cell: of the record.
        card: of the target.
        setup: of the method; None for maps of another program.
        leak: a leak of the target into the training, in words, if there is one.
        before: reasons of the run that made the maps.
    """
    origin = {}
    if setup is not None:
        origin = {
            "random weights": setup.spec.weights.kind == "random",
            "demo backbone, not CLIP": setup.spec.demo,
            f"backbone '{setup.spec.name}' is no published one": not setup.spec.shipped and not setup.spec.demo,
            **{f"random weights of {name}": found.kind == "random" for name, found in setup.extra_weights.items()},
        }
    other = "its maps are" if setup is None else "the auxiliary set is"
    reasons = {
        **origin,
        f"limited to {cell['limit']} images per label and class": cell["limit"] is not None,
        f"the target or {other} incomplete or too large": cell["partial"],
        "synthetic data": cell["synthetic"],
        f"'{card.name}' is drawn for trials, no published benchmark": card.generated,
        "its trained parts were left at their initial values": bool(setup and setup.trains) and cell["recipe"] is None,
        "masks and labels were permuted in training, as a control": bool((cell["recipe"] or {}).get("permuted")),
        leak: bool(leak),
    }
    return list(dict.fromkeys([*before, *(reason for reason, holds in reasons.items() if holds)]))


def signature(cell: Mapping[str, Any], weights: str = "") -> str:
    """Return the signature of a record: one line that says what made its numbers, printed under every table.

    Args:
        cell: of the record.
        weights: label of the CLIP weights; not used for maps of another program.
    """
    options = ",".join(f"{key}={_short(value)}" for key, value in sorted(cell["options"].items()))
    if "maps" in cell:
        origin = [f"maps:{cell['maps']['digest'][:8]}"]
        if declared := cell.get("declared"):
            learned = f"aux:{cell['aux']['name'] if cell['aux'] else 'none'}"
            origin = [f"{cell['backbone']}:{declared['weights']}", learned, *origin]
    else:
        aux = cell["aux"]["name"] if cell["aux"] else "supports" if cell["recipe"] else "none"
        learned = f"checkpoint:{cell['checkpoint_sha256'][:8]}" if cell["checkpoint_sha256"] else f"aux:{aux}"
        origin = [f"{cell['backbone']}:{weights}", learned]
    flags = [f"{name}:{cell[name]}" for name in ("shots", "limit") if cell[name]]
    flags += [name for name in ("partial", "synthetic") if cell[name]]
    flags += ["external"] if cell.get("external") else []
    flags += ["unofficial"] if cell.get("unofficial") else []
    flags += ["transductive"] if cell.get("transductive") else []
    recipe = cell["recipe"] or {}
    flags += ["permuted"] if recipe.get("permuted") else []
    flags += [f"tokens:{recipe['tokens']}"] if recipe.get("tokens") else []
    parts = [
        cell["method"] + (f"[{options}]" if options else ""),
        *origin,
        f"size:{cell['image_size']}",
        f"protocol:{cell['protocol']['name']}",
        *([cell["precision"]] if cell["precision"] else []),
        f"seed:{cell['seed']}",
        *flags,
        f"zsadbench:{version('zsadbench')}",
        identity(cell)[:16],
    ]
    return "|".join(parts)


def _short(value: Any) -> str:
    return "+".join(map(str, value)) if isinstance(value, Sequence) and not isinstance(value, str) else str(value)


def checkpoint_path(setup: MethodSetup, learned: Dataset, seed: int) -> Path:
    """Return where the cache keeps the checkpoint of this training, see `training_cell`."""
    key = identity(training_cell(setup, learned, seed))[:16]
    return cache_folder() / "checkpoints" / safe_name(setup.name) / f"{key}.safetensors"

"""What one method shares over all targets and seeds of a run, checkpoint included."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from zsadbench.checkpoints import read_metadata
from zsadbench.clip import BackboneSpec, place_taps
from zsadbench.engine.cells import Setting
from zsadbench.engine.options import Configured, build_options
from zsadbench.engine.request import RunRequest
from zsadbench.engine.states import checkpoint_sha256, read_state
from zsadbench.errors import WeightsError
from zsadbench.protocol import EvaluationProtocol

log = logging.getLogger(__name__)

NATIVE_RECIPE_SIZE = 518  # what a training-free method takes on a 24-block tower


def load_setting(request: RunRequest, method: Configured, spec: BackboneSpec, protocol: EvaluationProtocol) -> Setting:
    """What a method shares over targets and seeds: options as its checkpoint has them, sizes checked."""
    size = request.image_size or spec.image_size(method.recipe.image_size if method.recipe else NATIVE_RECIPE_SIZE)
    spec.check_size(size)
    sha256 = None
    if request.checkpoint is not None and method.recipe is not None:
        method = _with_checkpoint(method, request.checkpoint, request.options)
        sha256 = checkpoint_sha256(method.card, request.checkpoint)
    place_taps(method.card.taps(method.options), spec.config.vision.layers)
    return Setting(
        method=method,
        spec=spec,
        image_size=size,
        protocol=protocol,
        precision=request.precision,
        limit=request.limit,
        epochs=request.epochs,
        checkpoint=request.checkpoint if sha256 else None,
        checkpoint_sha256=sha256,
        token_precision=request.token_precision,
        compiling=request.compile,
    )


def _with_checkpoint(method: Configured, path: Path, given: Sequence[str]) -> Configured:
    """Options as the checkpoint was trained with, changed by what the user asks for, with a warning."""
    if not path.is_file():
        raise WeightsError(f"checkpoint '{path}' is not a file; give a checkpoint of {method.card.name}")
    known = read_metadata(path)
    read_state(method.card, path)  # foreign, unsafe or truncated: better said before anything runs
    trained = dict(known[1].get("options", {})) if known else {}
    asked = method.changed()
    clash = sorted(key for key in asked.keys() & method.card.weight_bound if asked[key] != trained.get(key))
    if clash:
        log.warning("%s: the checkpoint was trained with another %s; the record says so", path, ", ".join(clash))
    options = build_options(method.card, {**trained, **asked}) if given or trained else method.options
    return replace(method, options=options)

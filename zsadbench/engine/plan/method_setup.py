"""What one method shares over all targets and seeds of a run, checkpoint included."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from zsadbench.checkpoints import read_metadata
from zsadbench.clip import BackboneSpec, place_taps
from zsadbench.engine.plan.options import Configured, build_options
from zsadbench.engine.plan.request import RunRequest
from zsadbench.engine.plan.trained_state import checkpoint_sha256, read_state
from zsadbench.errors import WeightsError
from zsadbench.protocol import EvaluationProtocol

if TYPE_CHECKING:
    from pathlib import Path

    from zsadbench.engine.plan.options import Configured
    from zsadbench.protocol import EvaluationProtocol
    from zsadbench.types import Compiling, Taps

log = logging.getLogger(__name__)

NATIVE_RECIPE_SIZE = 518  # what a training-free method takes on a 24-block tower


def load_setup(
    request: RunRequest, method: Configured, spec: BackboneSpec, protocol: EvaluationProtocol
) -> MethodSetup:
    """What a method shares over targets and seeds: options as its checkpoint has them, sizes checked."""
    size = request.image_size or spec.image_size(method.recipe.image_size if method.recipe else NATIVE_RECIPE_SIZE)
    spec.check_size(size)
    sha256 = None
    if request.checkpoint is not None and method.recipe is not None:
        method = _with_checkpoint(method, request.checkpoint, request.options)
        sha256 = checkpoint_sha256(method.card, request.checkpoint)
    place_taps(method.card.taps(method.options), spec.config.vision.layers)
    return MethodSetup(
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


@dataclass(frozen=True)
class MethodSetup:
    """What one method shares over all targets and seeds of a run."""

    method: Configured
    spec: BackboneSpec
    image_size: int
    protocol: EvaluationProtocol
    precision: str
    limit: int | None
    epochs: int | None
    checkpoint: Path | None
    checkpoint_sha256: str | None
    token_precision: str = "fp32"
    compiling: Compiling = "off"

    @property
    def name(self) -> str:
        """The method's name."""
        return self.method.card.name

    @property
    def trains(self) -> bool:
        """Whether the method learns and no checkpoint was given."""
        return self.method.recipe is not None and self.checkpoint is None

    def epochs_on(self, aux: str) -> int:
        """Epochs on `aux`: as asked for, else the protocol's, else the recipe's."""
        assert self.method.recipe is not None  # noqa: S101 - only called where the method trains
        published = dict(self.protocol.epochs)
        return self.epochs or published.get(aux) or self.method.recipe.epochs_for(aux)


def activation_of(spec: BackboneSpec, taps: Taps) -> str:
    """What runs in the MLPs of the image tower: as the method asks, else as the weights were trained."""
    native = "quick_gelu" if spec.config.quick_gelu else "gelu"
    return native if taps.activation == "native" else taps.activation


def taps_of(setup: MethodSetup) -> Taps:
    """What the method of a setting reads of the tower."""
    return setup.method.card.taps(setup.method.options)

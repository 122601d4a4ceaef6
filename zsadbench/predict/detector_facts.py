"""What a threshold is fitted for: everything of a loaded method that can change a score."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zsadbench.checkpoints.integrity import digest_of
from zsadbench.engine.plan.cell import training_cell
from zsadbench.types import Trainable

if TYPE_CHECKING:
    from zsadbench.predict.detector import LoadedMethod

FROM_CELL = (
    *("method", "code", "options", "backbone", "weights_sha256", "tap_rule", "image_size", "precision"),
    "extra_weights",
)


def detector_facts(
    detector: LoadedMethod,
    class_name: str,
    *,
    reference: str | None = None,
    tiles: tuple[int, int] | None = None,
) -> dict[str, Any]:
    """Return the facts that `zsadbench.thresholds.Threshold.check_detector` compares.

    Trained parameters are named by a digest of their values: a checkpoint gives the same facts as the training that
    made it, under whatever name it is stored.

    Args:
        detector: the loaded method.
        class_name: the word in prompts.
        reference: the digest of the normal images that a few-shot method compares with; None without.
        tiles: side and overlap of tiles in pixels; None where images are scored whole.
    """
    setup, method = detector.setup, detector.method
    cell = training_cell(setup, None, 0)
    return {
        **{key: cell[key] for key in FROM_CELL if key in cell},
        "parameters": digest_of(method.network.state_dict()) if isinstance(method, Trainable) else None,
        "protocol": {"name": setup.protocol.name, "digest": setup.protocol.digest},
        "class_name": class_name,
        "reference": reference,
        "tiles": list(tiles) if tiles else None,
    }

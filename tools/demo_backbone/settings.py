"""The architecture of the demo backbone, and the settings of its training."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

ARCHITECTURE: dict[str, Any] = {
    "format": 1,
    "embed_dim": 128,
    "quick_gelu": True,
    "vision": {"image_size": 120, "patch_size": 10, "width": 128, "layers": 8, "heads": 2},
    "text": {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 1, "layers": 4},
}


@dataclass(frozen=True)
class Settings:
    """The settings of the training.

    `pool` images are generated once and used rotated and mirrored; `boxes` regions per image are captioned as well.
    `image_tower` is a file of weights whose image tower and temperature are kept, so that only the text tower is
    trained; if it is empty, both towers are trained from initial values.
    """

    image_tower: str = ""
    steps: int = 240
    batch: int = 48
    pool: int = 4000
    boxes: int = 5
    lr: float = 2e-3
    weight_decay: float = 0.05
    warmup: int = 20
    seed: int = 0
    threads: int = 1

    def plain(self) -> dict[str, Any]:
        """The settings as plain values, for `made.json`."""
        return asdict(self)

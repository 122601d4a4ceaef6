"""Everything that decides the demo backbone: its architecture and how it is trained."""

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
    """How long and on what: `pool` pictures are drawn once and shown turned and mirrored.

    `boxes` is how many regions of an image are captioned beside the whole of it.
    """

    steps: int = 3000
    batch: int = 64
    pool: int = 24_000
    boxes: int = 6
    lr: float = 1e-3
    weight_decay: float = 0.05
    warmup: int = 200
    seed: int = 0
    threads: int = 2

    def plain(self) -> dict[str, Any]:
        """The settings as plain values, for the note."""
        return asdict(self)

"""Write the files of the backbone: fp16 weights, architecture, and how they were made."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save

from demo_backbone.settings import ARCHITECTURE


def write(clip: Any, about: dict[str, Any], out: Path) -> None:
    """Write `weights.safetensors`, `backbone.json` and `made.json` into `out`."""
    out.mkdir(parents=True, exist_ok=True)
    state = {name: value.detach().to(torch.float16).contiguous() for name, value in clip.state_dict().items()}
    state.pop("attn_mask", None)
    content = save(state)
    (out / "weights.safetensors").write_bytes(content)
    (out / "backbone.json").write_text(json.dumps(ARCHITECTURE, indent=1) + "\n", encoding="utf-8")
    made = {"sha256": hashlib.sha256(content).hexdigest(), **about}
    (out / "made.json").write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")

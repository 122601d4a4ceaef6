"""The positional table at another resolution.

Publications resize it differently: FB-CLIP, AnomalyCLIP, FAPrompt and AF-CLIP bilinearly, APRIL-GAN and AA-CLIP with
antialiased bicubic (coefficient -0.5), AdaCLIP with plain bicubic (-0.75). The difference is small but changes every
score, so the rule is an option, and the record states it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from zsadbench.tokens import PositionRule


def resize_positions(table: Tensor, grid: int, rule: PositionRule) -> Tensor:
    """Resize a positional table (1 + native², width) to (1 + grid², width), float32; row 0 is kept.

    A table that already has the size is returned unchanged.
    """
    import torch
    from torch.nn.functional import interpolate

    native = round((len(table) - 1) ** 0.5)
    if native == grid:
        return table
    patches = table[1:].reshape(1, native, native, -1).permute(0, 3, 1, 2)  # (1, width, native, native)
    mode, antialias = ("bilinear", False) if rule == "bilinear" else ("bicubic", rule == "bicubic_antialias")
    resized = interpolate(patches.float(), (grid, grid), mode=mode, align_corners=False, antialias=antialias)
    rows = resized.permute(0, 2, 3, 1).reshape(-1, table.shape[1]).to(table.dtype)  # (grid², width)
    return torch.cat([table[:1], rows])

"""The positional table at another resolution.

Publications resize it differently: FB-CLIP, AnomalyCLIP, FAPrompt and AF-CLIP bilinearly, APRIL-GAN and AA-CLIP with
antialiased bicubic (coefficient -0.5), AdaCLIP with plain bicubic (-0.75). DINOv2's own code also takes plain bicubic,
with the factor (grid + 0.1) / native in place of the size, which shifts every sample (`bicubic_offset`); for its
encoders with registers, and in the library timm, it is the antialiased one. The difference is small but changes every
score, so the rule is an option, and the record states it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from zsadbench.tokens import PositionRule


OFFSET = 0.1  # of DINOv2, added to the side of the grid


def resize_positions(table: Tensor, grid: int | tuple[int, int], rule: PositionRule, *, prefix: int = 1) -> Tensor:
    """Resize a positional table (prefix + native², width) to (prefix + patches, width), float32.

    `grid` is the side of a square grid of patches, or its rows and columns. The first `prefix` rows of the table, which
    belong to the class token and the like, are kept. A table that already has the size is returned unchanged.
    """
    import torch
    from torch.nn.functional import interpolate

    native = round((len(table) - prefix) ** 0.5)
    wanted = (grid, grid) if isinstance(grid, int) else grid
    if (native, native) == wanted:
        return table
    patches = table[prefix:].reshape(1, native, native, -1).permute(0, 3, 1, 2)  # (1, width, native, native)
    mode, antialias = ("bilinear", False) if rule == "bilinear" else ("bicubic", rule == "bicubic_antialias")
    if rule == "bicubic_offset":
        factors = tuple((side + OFFSET) / native for side in wanted)
        resized = interpolate(patches.float(), scale_factor=factors, mode=mode, align_corners=False)
    else:
        resized = interpolate(patches.float(), wanted, mode=mode, align_corners=False, antialias=antialias)
    rows = resized.permute(0, 2, 3, 1).reshape(-1, table.shape[1]).to(table.dtype)  # (patches, width)
    return torch.cat([table[:prefix], rows])

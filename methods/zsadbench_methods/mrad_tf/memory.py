"""The memory of a labelled auxiliary set: image features, and one mean per kind of patch and image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, normalize, one_hot

from zsadbench_methods.parts.window_mean import window_mean

NORMAL, ABNORMAL = 0, 1
NAMES = ("image_keys", "image_values", "patch_keys", "patch_values")


class Entries(NamedTuple):
    """Entries of the memory: keys are unit rows (n, width), values one-hot rows (n, 2), normal and abnormal."""

    keys: Tensor
    values: Tensor

    def share(self, queries: Tensor, temperature: float) -> Tensor:
        """Retrieve the share of "abnormal": softmax over the memory of the cosines, (…, width) → (…)."""
        weights = (queries @ self.keys.T / temperature).softmax(dim=-1)
        return weights[..., self.values[:, ABNORMAL] > 0].sum(dim=-1)


def neighbour_mean(patches: Tensor, shape: tuple[int, int], windows: Sequence[int]) -> Tensor:
    """Average the means over several neighbourhoods, (batch, patches, width) of the same shape."""
    return torch.stack([window_mean(patches, shape, side) for side in windows]).mean(dim=0)


def image_entries(features: Tensor, labels: Tensor) -> Entries:
    """Make an entry of every image: features (batch, width), labels (batch,)."""
    return Entries(normalize(features, dim=-1), one_hot(labels.long(), 2).float())


def patch_entries(averaged: Tensor, masks: Tensor, shape: tuple[int, int]) -> Entries:
    """Make at most two entries per image: the mean of its abnormal patches, then that of its normal ones.

    Args:
        averaged: patches after `neighbour_mean`, (batch, patches, width).
        masks: float (batch, height, width), 0 or 1. Resized bilinearly to the grid, a patch of exactly 1 is abnormal,
            of exactly 0 normal; others are left out.
        shape: of the grid.
    """
    shares = interpolate(masks.float().unsqueeze(1), shape, mode="bilinear", align_corners=False).flatten(1)
    keys, kinds = [], []
    for patches, share in zip(averaged, shares, strict=True):
        for kind, chosen in ((ABNORMAL, share == 1), (NORMAL, share == 0)):
            if bool(chosen.any()):
                keys.append(normalize(patches[chosen].mean(dim=0), dim=-1))
                kinds.append(kind)
    if not keys:
        return Entries(averaged.new_zeros(0, averaged.shape[-1]), averaged.new_zeros(0, 2))
    return Entries(torch.stack(keys), one_hot(torch.tensor(kinds, device=averaged.device), 2).float())


class Memory(nn.Module):
    """Both memories as buffers, whose lengths are those of the auxiliary set.

    Before one is read, each holds a random normal and a random abnormal entry: a control without knowledge.
    """

    def __init__(self, image_width: int, patch_width: int) -> None:
        super().__init__()
        for name, width in (("image", image_width), ("patch", patch_width)):
            self.register_buffer(f"{name}_keys", normalize(torch.randn(2, width), dim=-1))
            self.register_buffer(f"{name}_values", torch.eye(2))

    def replace(self, image: Sequence[Entries], patch: Sequence[Entries]) -> None:
        """Replace both memories by the entries of several batches."""
        for name, parts in (("image", image), ("patch", patch)):
            for field in Entries._fields:
                setattr(self, f"{name}_{field}", torch.cat([getattr(part, field) for part in parts]))

    def expect_state(self, state: Mapping[str, Tensor]) -> None:
        """Make room for the memories of a file; called before a state is loaded."""
        for name in NAMES:
            if name in state:
                setattr(self, name, torch.empty_like(state[name]).to(self.get_buffer(name).device))

    @property
    def image(self) -> Entries:
        """The image memory."""
        return Entries(self.get_buffer("image_keys"), self.get_buffer("image_values"))

    @property
    def patch(self) -> Entries:
        """The patch memory."""
        return Entries(self.get_buffer("patch_keys"), self.get_buffer("patch_values"))

"""An image tower of timm: images to block tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from zsadbench.clip.compiled import Blocks
from zsadbench.clip.positions import resize_positions
from zsadbench.clip.taps import place_taps
from zsadbench.clip.timm_models.walk import TimmWalk, run_timm_block
from zsadbench.clip.towers import VisionTower, autocast
from zsadbench.errors import UsageError
from zsadbench.tokens import Tokens

if TYPE_CHECKING:
    from zsadbench.clip.timm_models.config import TimmConfig
    from zsadbench.tokens import Compiling, PositionRule, Taps

Grid = tuple[int, int]  # rows and columns of patches


class TimmTower(VisionTower):
    """A vision transformer of timm, whose tokens are read after single blocks.

    Register tokens are left out of what is kept; where there is no class token, the mean of the patches stands in its
    place. Images may be rectangular, with sides that are multiples of the patch.
    """

    rotations: Tensor | None

    def __init__(
        self,
        visual: Any,
        config: TimmConfig,
        image_size: int,
        rule: PositionRule,
        compiling: Compiling = "off",
    ) -> None:
        nn.Module.__init__(self)
        self.visual, self.blocks = visual, Blocks(compiling, run_timm_block)
        self.config, self.rule = config, rule
        self.depth, self.patch = config.vision.layers, config.vision.patch_size
        self.grid = image_size // self.patch
        self.register_buffer("positions", self._positions((self.grid, self.grid)), persistent=False)
        self.register_buffer("rotations", self._rotations((self.grid, self.grid)), persistent=False)

    @property
    def trunk(self) -> Any:
        """The model of timm."""
        return self.visual.trunk

    @property
    def projection(self) -> Tensor:
        """Raise `UsageError`: what maps tokens into a joint space, if anything, is no matrix; see `joint`."""
        raise UsageError(f"'{self.config.name}' has no projection into a joint space of images and texts")

    @property
    def norm(self) -> nn.Module:
        """The final layer norm."""
        norm: nn.Module = self.trunk.norm if not isinstance(self.trunk.norm, nn.Identity) else self.trunk.fc_norm
        return norm

    @property
    def walk(self) -> TimmWalk:  # type: ignore[override]
        """The tower step by step, for methods that work inside it, at the size that it was built for."""
        return TimmWalk(self.trunk, self.positions, self.rotations)

    @property
    def halved(self) -> Sequence[nn.Module]:
        """The modules whose matrix products run in half precision, if any do."""
        return self.trunk.patch_embed, self.trunk.blocks

    def joint(self, tokens: Tensor) -> Tensor:
        """Map raw tokens of the last block into the joint space: (batch, 1 + patches, width) → (…, joint).

        Row 0 is the feature of the image. Where it is pooled from all patches, the feature of a patch is what the pool
        makes of this patch alone; else both are projected.

        Raises:
            UsageError: the encoder has no text tower, and so no joint space.
        """
        if not self.config.embed_dim:
            raise UsageError(f"'{self.config.name}' has no joint space of images and texts")
        trunk, normed = self.trunk, self.trunk.norm(tokens)
        if trunk.attn_pool is not None:
            patches = normed[:, 1:]  # (batch, patches, width)
            alone = trunk.attn_pool(patches.reshape(-1, 1, patches.shape[-1])).view_as(patches)
            normed = torch.cat([trunk.attn_pool(patches).unsqueeze(1), alone], dim=1)
        joint: Tensor = self.visual.head(trunk.head(trunk.fc_norm(normed)))
        return joint

    def forward(self, images: Tensor, taps: Taps, precision: torch.dtype = torch.float32) -> Tokens:
        """Run the tower once and keep the tokens after every tapped block.

        Args:
            images: (batch, 3, height, width), normalised.
            taps: what to keep.
            precision: of matrix products; the tokens are float32 in any case.

        Raises:
            UsageError: the taps do not fit the tower, or the sides are no multiples of the patch.
        """
        placed, grid = place_taps(taps, self.depth), self._grid_of(images)
        if placed.value_blocks:
            raise UsageError(f"'{self.config.name}' has no value-value path, which is CLIP's alone")
        walk = self.walk if grid == (self.grid, self.grid) else self._walk_at(grid)
        layers: list[Tensor] = []
        self.blocks.begin_batch()
        with autocast(images.device.type, precision):
            tokens = walk.first_norm(walk.embed(images))
            for number, block in enumerate(self.trunk.blocks[: placed.last], start=1):
                tokens = self.blocks(block, tokens, walk.rotation(number))
                if number in placed.blocks:
                    layers.append(self._kept(tokens, final_norm=taps.final_norm))
        colours = avg_pool2d(images, self.patch).flatten(2).transpose(1, 2) if taps.colours else None
        rows, columns = grid
        return Tokens(tuple(layers), columns, (), colours, rows=0 if rows == columns else rows)

    def _kept(self, tokens: Tensor, *, final_norm: bool) -> Tensor:
        """Return the class token, or the mean of the patches, and the patches, in single precision."""
        kept = self.blocks.keep(self.norm(tokens) if final_norm else tokens)
        has_class, prefix = self.trunk.cls_token is not None, self.config.vision.prefix_tokens
        if has_class and prefix == 1:
            return kept
        patches = kept[:, prefix:]
        first = kept[:, :1] if has_class else patches.mean(dim=1, keepdim=True)
        return torch.cat([first, patches], dim=1)

    def _grid_of(self, images: Tensor) -> Grid:
        height, width = images.shape[-2:]
        if height % self.patch or width % self.patch:
            raise UsageError(f"images of {width}×{height} pixels do not divide into patches of {self.patch}")
        return height // self.patch, width // self.patch

    def _walk_at(self, grid: Grid) -> TimmWalk:
        """Return the tower step by step for another grid of patches."""
        device = self.trunk.patch_embed.proj.weight.device
        positions, rotations = (
            None if table is None else table.to(device) for table in (self._positions(grid), self._rotations(grid))
        )
        return TimmWalk(self.trunk, positions, rotations)

    def _positions(self, grid: Grid) -> Tensor | None:
        """Resize the positional table; None where there is none."""
        table, vision = self.trunk.pos_embed, self.config.vision
        if table is None:
            return None
        prefix = table.shape[1] - (vision.image_size // vision.patch_size) ** 2
        return resize_positions(table.detach()[0], grid, self.rule, prefix=prefix)

    def _rotations(self, grid: Grid) -> Tensor | None:
        """Compute the rotary embedding of the patches; None where there is none."""
        rope = getattr(self.trunk, "rope", None)
        if rope is None:
            return None
        rope.update_feat_shape(list(grid))  # some keep the embedding of one grid, whatever is asked for
        rotations: Tensor = rope.get_embed(shape=list(grid))
        return rotations.detach().float()

"""The two frozen towers: images to block tokens, sentences to text tokens."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from zsadbench.clip.compiled import Blocks
from zsadbench.clip.positions import resize_positions
from zsadbench.clip.taps import place_taps
from zsadbench.clip.walk import ImageWalk, TextWalk
from zsadbench.tokens import Tokens

if TYPE_CHECKING:
    from zsadbench.clip.config import BackboneConfig
    from zsadbench.tokens import Compiling, PositionRule, Taps


class VisionTower(nn.Module):
    """CLIP's image transformer, whose tokens are read after single blocks.

    `grid` is the side of the patch grid, `positions` the positional table resized to it.
    """

    positions: Tensor

    def __init__(
        self,
        visual: Any,
        config: BackboneConfig,
        image_size: int,
        rule: PositionRule,
        compiling: Compiling = "off",
    ) -> None:
        super().__init__()
        self.visual, self.blocks = visual, Blocks(compiling)
        self.depth = config.vision.layers
        self.grid = image_size // config.vision.patch_size
        positions = resize_positions(visual.positional_embedding.detach(), self.grid, rule)
        self.register_buffer("positions", positions, persistent=False)

    @property
    def projection(self) -> Tensor:
        """The frozen projection into the joint space, (width, joint)."""
        projection: Tensor = self.visual.proj
        return projection

    @property
    def norm(self) -> nn.Module:
        """The final layer norm, which most methods do not apply."""
        norm: nn.Module = self.visual.ln_post
        return norm

    @property
    def walk(self) -> ImageWalk:
        """The tower step by step, for methods that work inside it."""
        return ImageWalk(self.visual, self.positions)

    @property
    def halved(self) -> Sequence[nn.Module]:
        """The modules whose matrix products run in half precision, if any do."""
        return (self,)

    def joint(self, tokens: Tensor) -> Tensor:
        """Map raw tokens of the last block into the joint space: (batch, 1 + patches, width) → (…, joint).

        Row 0 is the feature of the image, the others are those of the patches.
        """
        joint: Tensor = self.norm(tokens) @ self.projection
        return joint

    def forward(self, images: Tensor, taps: Taps, precision: torch.dtype = torch.float32) -> Tokens:
        """Run both paths of the tower once and keep the raw tokens after every tapped block.

        Args:
            images: (batch, 3, size, size), normalised.
            taps: what to keep.
            precision: of matrix products; the tokens are float32 in any case.

        Raises:
            UsageError: the taps do not fit the tower.
        """
        placed = place_taps(taps, self.depth)
        layers: list[Tensor] = []
        value_layers: list[Tensor] = []
        walk = self.walk
        self.blocks.begin_batch()
        with autocast(images.device.type, precision):
            tokens, value = walk.first_norm(walk.embed(images)), None
            for number, block in enumerate(self.visual.transformer.resblocks[: placed.last], start=1):
                if placed.value_blocks and number == placed.value_from:
                    value = tokens
                tokens, value = self.blocks(block, tokens, value)
                if number in placed.blocks:
                    layers.append(self.blocks.keep(self.norm(tokens) if taps.final_norm else tokens))
                if value is not None and number in placed.value_blocks:
                    value_layers.append(self.blocks.keep(value))
        colours = self._colours(images) if taps.colours else None
        return Tokens(tuple(layers), self.grid, tuple(value_layers), colours)

    def _colours(self, images: Tensor) -> Tensor:
        """Average the colours of every patch: (batch, grid², 3)."""
        return avg_pool2d(images, images.shape[-1] // self.grid).flatten(2).transpose(1, 2)


def autocast(device: str, precision: torch.dtype) -> AbstractContextManager[Any]:
    """Return a context in which matrix products on a kind of device, `cpu` or `cuda`, have this precision."""
    if precision == torch.float32:
        return nullcontext()
    return torch.autocast(device, dtype=precision)


@cache
def _tokenizer() -> Any:
    """Load CLIP's vocabulary and merges, once."""
    from open_clip.tokenizer import SimpleTokenizer

    return SimpleTokenizer()


class TextTower(nn.Module):
    """CLIP's text transformer: takes embeddings, returns the states of all tokens."""

    causal_mask: Tensor

    def __init__(self, text: Any, context_length: int) -> None:
        super().__init__()
        self.transformer, self.norm = text.transformer, text.ln_final
        self.token_embedding = text.token_embedding
        self.positional_embedding, self.projection = text.positional_embedding, text.text_projection
        self.context_length = context_length
        mask = torch.full((context_length, context_length), float("-inf")).triu(1)
        self.register_buffer("causal_mask", mask, persistent=False)

    @property
    def walk(self) -> TextWalk:
        """The tower step by step, for methods that work inside it."""
        return TextWalk(self, self.causal_mask)

    def tokenize(self, sentences: Sequence[str]) -> Tensor:
        """Encode sentences with CLIP's byte pairs: int64 (sentences, context), zero padded; 49407 ends a sentence."""
        ids: Tensor = _tokenizer()(list(sentences), self.context_length)
        return ids.to(self.positional_embedding.device)

    def embed(self, ids: Tensor) -> Tensor:
        """Look up token embeddings, without positions: (n, context) → (n, context, width)."""
        embeddings: Tensor = self.token_embedding(ids)
        return embeddings

    def forward(self, embeddings: Tensor, *, causal: bool = True, deep: Sequence[Tensor] = ()) -> Tensor:
        """Compute the states of all tokens after the final norm: (n, length, width) → the same; gradients pass.

        Args:
            embeddings: at most `context_length` tokens per sentence; a causal tower needs none after the last token
                whose state is used.
            causal: whether a token attends only to itself and the tokens before it.
            deep: deep prompts: before block k + 2, counted from 1, `deep[k]`, (n, m, width), replaces the tokens 1 to m
                of every sentence; those without a block are ignored.
        """
        length = embeddings.shape[1]
        tokens = embeddings + self.positional_embedding[:length]
        mask = self.causal_mask[:length, :length] if causal else None
        for number, block in enumerate(self.transformer.resblocks):
            if 0 < number <= len(deep):
                prompts = deep[number - 1]
                tokens = torch.cat([tokens[:, :1], prompts, tokens[:, 1 + prompts.shape[1] :]], dim=1)
            tokens = block(tokens, attn_mask=mask)
        states: Tensor = self.norm(tokens)
        return states

    def sentence_features(self, sentences: Sequence[str]) -> Tensor:
        """Compute CLIP's own features of whole sentences: (n, joint), not normalised."""
        ids = self.tokenize(sentences)  # (n, context)
        states = self(self.embed(ids))  # (n, context, width)
        ends = states[torch.arange(len(ids), device=ids.device), ids.argmax(dim=1)]  # (n, width)
        features: Tensor = ends @ self.projection
        return features

"""The towers in training and CLIP's loss, over whole images and regions alike."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, linear, normalize

from demo_backbone.batches import Batch
from demo_backbone.settings import Settings

START_SCALE, LARGEST_SCALE = 1 / 0.07, 100.0  # CLIP's own, §2.5
FEW = 8  # images that go through the tower at a time, so that what a block makes fits into the processor's cache


def region_features(clip: Any, batch: Batch) -> Tensor:
    """(regions, joint) unit rows: the class token, or the mean of a box's patch tokens, normed and projected."""
    tokens = torch.cat([_image_tokens(clip.visual, few) for few in batch.images.split(FEW)])
    pooled = torch.einsum("rt,rtw->rw", batch.pooling, tokens[batch.owner])
    return normalize(pooled @ clip.visual.proj, dim=-1)


def _image_tokens(visual: Any, images: Tensor) -> Tensor:
    """All tokens after the last block and the final norm, (images, 1 + patches, width)."""
    patches = visual.conv1(images).flatten(2).transpose(1, 2)
    cls = visual.class_embedding.expand(len(patches), 1, -1).to(patches.dtype)
    tokens = visual.ln_pre(torch.cat([cls, patches], dim=1) + visual.positional_embedding)
    for block in visual.transformer.resblocks:
        tokens = _block(block, tokens)
    normed: Tensor = visual.ln_post(tokens).float()
    return normed


def _block(block: Any, tokens: Tensor) -> Tensor:
    """A block of open_clip, its attention written out: in bfloat16 on a processor faster than the fused one."""
    own = block.attn
    size, length, width = tokens.shape
    parts = linear(block.ln_1(tokens), own.in_proj_weight, own.in_proj_bias)
    query, key, value = parts.view(size, length, 3, own.num_heads, own.head_dim).permute(2, 0, 3, 1, 4)
    weights = (query * own.head_dim**-0.5 @ key.transpose(-1, -2)).softmax(dim=-1).to(value.dtype)
    mixed = (weights @ value).transpose(1, 2).reshape(size, length, width)
    tokens = tokens + own.out_proj(mixed)
    after: Tensor = tokens + block.mlp(block.ln_2(tokens))
    return after


def text_features(clip: Any, ids: Tensor) -> Tensor:
    """(texts, joint) unit rows; the padding is cut off, which a causal tower does not notice."""
    ends = ids.argmax(dim=1)
    length = int(ends.max()) + 1
    states = clip.token_embedding(ids[:, :length]) + clip.positional_embedding[:length]
    mask = torch.full((length, length), float("-inf")).triu(1)
    for block in clip.transformer.resblocks:
        states = block(states, attn_mask=mask)
    states = clip.ln_final(states).float()
    return normalize(states[torch.arange(len(ids)), ends] @ clip.text_projection, dim=-1)


def contrastive(images: Tensor, texts: Tensor, scale: Tensor, batch: Batch) -> Tensor:
    """CLIP's symmetric loss; what else is true of a region, or whatever else a caption is true of, is no negative."""
    rows = torch.arange(len(images))
    logits = scale * images @ texts.T
    others = batch.true.clone()
    others[rows, batch.own] = False
    logits = logits.masked_fill(others, float("-inf"))
    to_text = cross_entropy(logits, batch.own)
    own = logits[:, batch.own]  # region × region: the caption of the second, judged on the first
    same = batch.true[:, batch.own]
    same[rows, rows] = False
    to_image = cross_entropy(own.masked_fill(same, float("-inf")).T, rows)
    return (to_text + to_image) / 2


def optimiser(clip: nn.Module, settings: Settings) -> torch.optim.Optimizer:
    """AdamW; gains, biases and tables are not decayed."""
    named = list(clip.named_parameters())
    decayed = [value for name, value in named if value.ndim > 1 and "embedding" not in name]
    free = [value for name, value in named if value.ndim <= 1 or "embedding" in name]
    groups = [{"params": decayed, "weight_decay": settings.weight_decay}, {"params": free, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=settings.lr, betas=(0.9, 0.98), eps=1e-6)


def rate(step: int, settings: Settings) -> float:
    """The learning rate: a linear rise, then half a cosine to nothing."""
    if step < settings.warmup:
        return settings.lr * (step + 1) / settings.warmup
    along = (step - settings.warmup) / max(1, settings.steps - settings.warmup)
    return settings.lr * 0.5 * (1 + math.cos(math.pi * along))

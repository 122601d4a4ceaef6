"""The towers in training, and CLIP's loss over whole images and regions."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, linear, normalize

from demo_backbone.batches import Batch
from demo_backbone.settings import Settings

START_SCALE, LARGEST_SCALE = 1 / 0.07, 100.0  # as in CLIP, §2.5
FEW = 8  # images per pass through the tower, so that the activations of a block fit into the processor's cache


def region_features(clip: Any, batch: Batch) -> Tensor:
    """Region features, unit rows (regions, joint): the class token, or the mean of a box's patch tokens, projected."""
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
    """A block of open_clip with explicit attention, which is faster than the fused one in bfloat16 on a CPU."""
    attention = block.attn
    size, length, width = tokens.shape
    qkv = linear(block.ln_1(tokens), attention.in_proj_weight, attention.in_proj_bias)
    query, key, value = qkv.view(size, length, 3, attention.num_heads, attention.head_dim).permute(2, 0, 3, 1, 4)
    weights = (query * attention.head_dim**-0.5 @ key.transpose(-1, -2)).softmax(dim=-1).to(value.dtype)
    mixed = (weights @ value).transpose(1, 2).reshape(size, length, width)
    tokens = tokens + attention.out_proj(mixed)
    after: Tensor = tokens + block.mlp(block.ln_2(tokens))
    return after


def text_features(clip: Any, ids: Tensor) -> Tensor:
    """Text features, unit rows (texts, joint); padding is cut off, which does not change a causal tower's output."""
    ends = ids.argmax(dim=1)
    length = int(ends.max()) + 1
    states = clip.token_embedding(ids[:, :length]) + clip.positional_embedding[:length]
    mask = torch.full((length, length), float("-inf")).triu(1)
    for block in clip.transformer.resblocks:
        states = block(states, attn_mask=mask)
    states = clip.ln_final(states).float()
    return normalize(states[torch.arange(len(ids)), ends] @ clip.text_projection, dim=-1)


def contrastive(images: Tensor, texts: Tensor, scale: Tensor, batch: Batch) -> Tensor:
    """CLIP's symmetric loss; other captions that are true of a region, and other such regions, are not negatives."""
    rows = torch.arange(len(images))
    logits = scale * images @ texts.T
    others = batch.true.clone()
    others[rows, batch.own] = False
    logits = logits.masked_fill(others, float("-inf"))
    to_text = cross_entropy(logits, batch.own)
    own = logits[:, batch.own]  # region × region: the caption of the second, scored on the first
    same = batch.true[:, batch.own]
    same[rows, rows] = False
    to_image = cross_entropy(own.masked_fill(same, float("-inf")).T, rows)
    return (to_text + to_image) / 2


def optimiser(clip: nn.Module, settings: Settings) -> torch.optim.Optimizer:
    """AdamW without weight decay of gains, biases and embedding tables."""
    named = [(name, value) for name, value in clip.named_parameters() if value.requires_grad]
    decayed = [value for name, value in named if value.ndim > 1 and "embedding" not in name]
    free = [value for name, value in named if value.ndim <= 1 or "embedding" in name]
    groups = [{"params": decayed, "weight_decay": settings.weight_decay}, {"params": free, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=settings.lr, betas=(0.9, 0.98), eps=1e-6)


def rate(step: int, settings: Settings) -> float:
    """The learning rate: linear warm-up, then cosine decay to 0."""
    if step < settings.warmup:
        return settings.lr * (step + 1) / settings.warmup
    along = (step - settings.warmup) / max(1, settings.steps - settings.warmup)
    return settings.lr * 0.5 * (1 + math.cos(math.pi * along))

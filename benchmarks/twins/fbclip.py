"""FB-CLIP's head in the order of the published code.

Masks are computed again for every view; the semantic view has both L × L matrices, the spatial one tensors unfolded 25
times; FB-Attention runs group by group and stream by stream; the bank of background rows is one tensor; the error that
is added to both logits alike is computed. Text features are passed in; the published code computes them per batch.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import avg_pool1d, cosine_similarity, normalize, pad, unfold

from twins.attention import attend
from zsadbench.types import Scores, Tokens


def score(detector: Any, tokens: Tokens, text: Tensor) -> Scores:
    """Image scores (batch,) and maps (batch, grid, grid), for the default options."""
    groups = []
    for number, z in enumerate(tokens.layers):
        before = tokens.layers[number - 1] if number else None
        for view in ("id", "sem", "spa"):
            soft = soft_mask(z, before)  # also for the identity
            groups.append(attention(detector.network.attention, VIEWS[view](z, soft)))
    half = groups[0].shape[1] // 2
    bank = torch.cat([group[:, :half] for group in groups], dim=1)
    prototype = (0.5 * bank.mean(dim=1) + 0.5 * bank.amax(dim=1)).unsqueeze(1)
    shares, logits = detector.network.layer_weights.softmax(dim=0), 0
    for number, group in enumerate(groups):
        rest = group - prototype
        error = rest.norm(dim=-1, keepdim=True)
        similarity = cosine_similarity(group, prototype, dim=-1).unsqueeze(-1)
        kept = 0.5 * group + 0.5 * (1 - similarity) * rest
        joint = normalize(kept @ detector.backbone.vision.projection, dim=-1)
        logits = logits + shares[number // 3] * (joint @ text.T / detector.options.temperature + 0.5 * error)
    abnormal = logits.softmax(dim=-1)[..., 1]
    return Scores(abnormal[:, 0], abnormal[:, 1:].reshape(-1, tokens.grid, tokens.grid))


def soft_mask(z: Tensor, before: Tensor | None) -> Tensor:
    """1 on foreground, 0.5 elsewhere: (batch, patches)."""
    cls, x = z[:, :1], z[:, 1:]
    local = avg_pool1d(x.transpose(1, 2), 3, stride=1, padding=1).transpose(1, 2)  # zeros count beyond the ends
    cues = [(x - local).norm(dim=-1), (x - x.mean(dim=1, keepdim=True)).norm(dim=-1)]
    cues.append(1 - cosine_similarity(x, cls, dim=-1))
    cues.append(torch.zeros_like(cues[0]) if before is None else (x - before[:, 1:]).norm(dim=-1))
    total = sum(weight * scaled(cue) for weight, cue in zip((0.3, 0.3, 0.3, 0.1), cues, strict=True))
    smooth = avg_pool1d(pad(total.unsqueeze(1), (2, 2), mode="reflect"), 5, stride=1).squeeze(1)
    return torch.where(smooth > 0.5, 1.0, 0.5)


def scaled(cue: Tensor) -> Tensor:
    """Scale to [0, 1] over the patches of an image."""
    low, high = cue.amin(dim=1, keepdim=True), cue.amax(dim=1, keepdim=True)
    return (cue - low) / (high - low).clamp_min(1e-6)


def semantic(z: Tensor, soft: Tensor) -> Tensor:
    """The semantic view, with both L × L attentions written out."""
    cls, x, rest = z[:, :1], z[:, 1:], 1 - soft
    stability = cosine_similarity(x, cls, dim=-1)
    alpha = ((1 - stability)[:, :, None] * soft[:, :, None] * soft[:, None, :]).softmax(dim=-1)
    beta = (stability[:, :, None] * rest[:, :, None] * rest[:, None, :]).softmax(dim=-1)
    mixed = soft[..., None] * (alpha @ x) + rest[..., None] * (beta @ x)
    return torch.cat([cls, 0.6 * mixed + 0.4 * x], dim=1)


def spatial(z: Tensor, soft: Tensor) -> Tensor:
    """The spatial view, with the 25 tokens of every window unfolded; tokens are 0 outside the image."""
    cls, x, batch, length = z[:, :1], z[:, 1:], len(z), z.shape[1] - 1
    grid = round(length**0.5)
    direction = normalize(cls, dim=-1).unsqueeze(1)  # (batch, 1, 1, width)

    def windows(values: Tensor) -> Tensor:
        """(batch, patches, channels) → (batch, patches, 25, channels)."""
        maps = values.transpose(1, 2).reshape(batch, -1, grid, grid)
        return unfold(maps, 5, padding=2).view(batch, -1, 25, length).permute(0, 3, 2, 1)

    part = windows(soft.unsqueeze(-1))[..., 0]
    rest = 1 - part  # 1 outside the image
    behind = windows((1 - soft).unsqueeze(-1) * x)
    alike = (normalize(behind, dim=-1) * direction).sum(dim=-1) * behind.norm(dim=-1)
    back = (alike.softmax(dim=-1).unsqueeze(-1) * behind).sum(dim=2) / rest.sum(dim=-1, keepdim=True).clamp_min(1e-8)
    ahead = windows(soft.unsqueeze(-1) * x)
    unlike = 1 - (normalize(ahead, dim=-1) * direction).sum(dim=-1)
    spread = (ahead - ahead.mean(dim=2, keepdim=True)).norm(dim=-1)
    front = ((unlike * spread).softmax(dim=-1).unsqueeze(-1) * ahead).sum(dim=2)
    front = front / part.sum(dim=-1, keepdim=True).clamp_min(1e-8)
    return torch.cat([cls, front + back], dim=1)


VIEWS = {"id": lambda z, soft: z, "sem": semantic, "spa": spatial}


def attention(module: Any, z: Tensor) -> Tensor:
    """FB-Attention of one group, stream by stream."""
    gate = module.gate(z).sigmoid()
    streams = []
    for stream, share in ((module.foreground, gate), (module.background, 1 - gate)):
        h = stream.norm(share * z)
        attended = attend(stream.to_q(h), stream.to_k(h), stream.to_v(h), stream.scale)
        streams.append(stream.to_out(attended))
    out: Tensor = module.norm(streams[0] + streams[1])
    return out

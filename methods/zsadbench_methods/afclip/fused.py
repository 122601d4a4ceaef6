"""The fast path of the adapter: queries, keys and values of all windows of a layer from one product.

Before the softmax, the adapter is linear in the token except for the factor `1/√(v + ε)` of its layer norm, with v the
variance of the token (see `parts.layernorm`). A token set is a weighted sum of the tokens of its layer, so it takes the
same weighted sum of the layer's products. `Adapter.forward` is the definition, and a test compares the two.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import linear, scaled_dot_product_attention

from zsadbench_methods.afclip.adapter import Adapter
from zsadbench_methods.afclip.options import HEAD_WIDTH, HEADS
from zsadbench_methods.parts.layernorm import fold_layernorm, token_variance
from zsadbench_methods.parts.precision import single_precision


class QKVProducts(NamedTuple):
    """Queries, keys and values before the factor of the norm.

    `rows`, (…, 3 · inner), are linear in the tokens; `offset`, (3 · inner,), is the same for all tokens.
    """

    rows: Tensor
    offset: Tensor


def project_qkv(adapter: Adapter, tokens: Tensor) -> QKVProducts:
    """Multiply raw tokens, (…, width), with the weights of queries, keys and values."""
    with single_precision(tokens):
        weight = torch.cat([adapter.to_q.weight, adapter.to_k.weight, adapter.to_v.weight])  # (3 · inner, width)
        folded = fold_layernorm(adapter.norm, weight)
    return QKVProducts(linear(tokens, folded.weight), folded.offset)


def attend(adapter: Adapter, tokens: Tensor, products: QKVProducts) -> Tensor:
    """Apply the adapter to (batch, 1 + patches, width) tokens of which `products` are known: the same shape."""
    batch, length, _ = tokens.shape
    factor = torch.rsqrt(token_variance(tokens) + adapter.norm.eps)  # (batch, tokens, 1)
    normed = torch.addcmul(products.offset, factor, products.rows).to(products.rows.dtype)  # (batch, tokens, 3 · inner)
    q, k, v = normed.view(batch, length, 3, HEADS, HEAD_WIDTH).permute(2, 0, 3, 1, 4)  # (batch, heads, tokens, 64)
    return adapter.output(scaled_dot_product_attention(q, k, v))

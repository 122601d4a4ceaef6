"""The fast path of FB-Attention: all views of a layer from one product of the layer's tokens.

What comes before the softmax of `FBAttention` is linear in the token, except for two numbers per token (see
`parts.layernorm`): with the share s of the stream, γ or 1 − γ, and the variance v of the token, the products are
multiplied by `s/√(s²·v + ε)`. One product per layer therefore gives the queries, keys and values of both streams and
the first layer of the gate; a view, which is a weighted sum of the layer's tokens, takes the same weighted sum of them.
`FBAttention.forward` is the definition, and a test compares the two.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import linear, scaled_dot_product_attention

from zsadbench_methods.fbclip.attention import HEADS, INNER, FBAttention, Stream, merge_heads, split_heads
from zsadbench_methods.fbclip.views import Group, Mix, View
from zsadbench_methods.parts.layernorm import fold_layernorm, token_variance
from zsadbench_methods.parts.precision import single_precision


class LayerProducts(NamedTuple):
    """Products of the raw tokens of one layer: queries, keys and values of both streams, first layer of the gate.

    (batch, tokens, 2 · inner) each, `gate` (batch, tokens, hidden) with no column where there is no gate.
    """

    queries: Tensor
    keys: Tensor
    values: Tensor
    gate: Tensor


class OutputParams(NamedTuple):
    """The other parameters, of both streams in one; computed once for all views."""

    offsets: Tensor  # (3, 2, inner): what the biases of the norms add to queries, keys and values
    weight: Tensor  # (width, 2 · inner): both output layers
    bias: Tensor  # (width,): both output layers


def attend_views(attention: FBAttention, layers: Sequence[Tensor], views: Iterable[Sequence[View]]) -> Iterator[Group]:
    """Apply FB-Attention to every view of every layer.

    Args:
        attention: the parameters.
        layers: the raw tokens of every tapped layer, (batch, 1 + patches, width).
        views: per layer, its views.

    Yields:
        The attended tokens of one view after the other, (batch, 1 + patches, width).
    """
    with single_precision(layers[0]):
        params = output_params(attention)
    products = _layer_products(attention, layers)
    for layer_views in views:
        yield from _attend_layer(attention, layer_views, next(products), params)


def _attend_layer(
    attention: FBAttention, views: Sequence[View], products: LayerProducts, params: OutputParams
) -> Iterator[Group]:
    """Attend the views of one layer; a separate generator, so that the products are freed with the layer."""
    for view in views:
        with torch.no_grad(), single_precision(view.source):
            variance = token_variance(view.mix(view.source))
        yield Group(view.layer, view.name, attend_view(attention, variance, products, params, view.mix))


def _layer_products(attention: FBAttention, layers: Sequence[Tensor]) -> Iterator[LayerProducts]:
    """Yield the products of one layer after the other; free the weights before the last layer is attended."""
    *before, last = layers
    with single_precision(last):
        weights = qkv_weights(attention)
    for layer in before:
        yield project_layer(attention, layer, weights)
    products = project_layer(attention, last, weights)
    del weights
    yield products


def qkv_weights(attention: FBAttention) -> Tensor:
    """Stack all weights that tokens are multiplied by, (rows, width): queries, keys, values of either stream; gate."""
    folded = [fold_layernorm(stream.norm, _stream_weights(stream)).weight for stream in attention.streams]
    rows = torch.stack([weight.view(3, INNER, -1) for weight in folded], dim=1)  # (3, 2, inner, width)
    return torch.cat([rows.flatten(0, 2)] + ([attention.gate_layers[0].weight] if attention.gated else []))


def output_params(attention: FBAttention) -> OutputParams:
    """Join the parameters of both streams that are applied after the products."""
    streams = attention.streams
    offsets = [(_stream_weights(stream) @ stream.norm.bias).view(3, INNER) for stream in streams]
    weight = torch.cat([stream.to_out.weight for stream in streams], dim=1)
    bias = attention.foreground.to_out.bias + attention.background.to_out.bias
    return OutputParams(torch.stack(offsets, dim=1), weight, bias)


def _stream_weights(stream: Stream) -> Tensor:
    """Queries with the softmax scale, keys and values as one matrix, (3 · inner, width)."""
    return torch.cat([stream.to_q.weight * stream.scale, stream.to_k.weight, stream.to_v.weight])


def project_layer(attention: FBAttention, tokens: Tensor, weights: Tensor) -> LayerProducts:
    """Multiply the tokens of a layer, (batch, tokens, width), with all of `qkv_weights` at once."""
    sizes = [2 * INNER, 2 * INNER, 2 * INNER, len(weights) - 6 * INNER]
    return LayerProducts(*torch.split(linear(tokens, weights), sizes, dim=-1))


def attend_view(
    attention: FBAttention,
    variance: Tensor,
    products: LayerProducts,
    params: OutputParams,
    mix: Mix,
) -> Tensor:
    """Apply FB-Attention to one view of a layer: (batch, tokens, width).

    Args:
        attention: the module.
        variance: of the tokens of the view, (batch, tokens, 1).
        products: of the tokens of the layer.
        params: the other parameters.
        mix: the weighted sum that makes the view from the layer.
    """
    gate = attention.gate_from_products(mix(products.gate))  # (batch, tokens, 1)
    shares = torch.cat([gate, 1 - gate], dim=-1)  # (batch, tokens, 2): foreground, background
    factors = (shares * torch.rsqrt(shares.square() * variance + attention.foreground.norm.eps)).unsqueeze(-1)

    def normed_heads(product: Tensor, offset: Tensor) -> Tensor:
        by_stream = (*product.shape[:2], 2, INNER)  # (batch, tokens, 2 · inner) → (batch, tokens, 2, inner)
        normed = torch.addcmul(offset, factors, mix(product).reshape(by_stream)).to(product.dtype)
        return split_heads(normed, 2 * HEADS)  # (batch, 2 · heads, tokens, 64)

    q, k, v = (normed_heads(product, offset) for product, offset in zip(products[:3], params.offsets, strict=True))
    attended = scaled_dot_product_attention(q, k, v, scale=1.0)  # (batch, 2 · heads, tokens, 64)
    del q, k, v
    heads = merge_heads(attended)  # (batch, tokens, 2 · inner)
    output: Tensor = attention.norm(linear(heads, params.weight, params.bias).float())
    return output.to(heads.dtype)  # the results of all views are in memory until the background is known

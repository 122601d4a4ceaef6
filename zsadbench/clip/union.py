"""One run of the image tower for several methods: the union of their taps, and the tokens of each method from it.

The value-value path does not act on the plain path, and blocks after the last tap act on nothing before it. The tokens
that are picked are therefore bit-equal to those of a run for one method alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from zsadbench.clip.taps import place_taps
from zsadbench.errors import UsageError
from zsadbench.tokens import Tokens

if TYPE_CHECKING:
    from zsadbench.tokens import Taps


def unite(several: Sequence[Taps], depth: int) -> Taps | None:
    """Find the taps with which one run of a tower of `depth` blocks serves all; None where one run cannot.

    One run cannot where a method encodes images itself, where two value-value paths begin at different blocks, where
    only some apply the final norm or number blocks in their own way, or where different taps are mapped to the same
    block of a shallow tower. Activation, position rule and preprocessing are taken from the first; the caller ensures
    that they agree.
    """
    if len(several) > 1 and any(taps.own_encoding for taps in several):
        return None
    if len({(taps.numbering, taps.final_norm) for taps in several}) > 1:
        return None
    begins = {taps.value_from for taps in several if taps.value_blocks}
    if len(begins) > 1:
        return None
    united = replace(
        several[0],
        blocks=tuple(sorted({block for taps in several for block in taps.blocks})),
        value_blocks=tuple(sorted({block for taps in several for block in taps.value_blocks})),
        value_from=begins.pop() if begins else several[0].value_from,
        colours=any(taps.colours for taps in several),
    )
    try:
        place_taps(united, depth)
    except UsageError:
        return None
    return united


def pick(tokens: Tokens, united: Taps, taps: Taps) -> Tokens:
    """Pick the tokens of `taps` from a run for `united`, which includes them; nothing is copied."""
    if taps.own_encoding:
        return tokens
    blocks, value_blocks = sorted(united.blocks), sorted(united.value_blocks)
    return Tokens(
        tuple(tokens.layers[blocks.index(block)] for block in sorted(taps.blocks)),
        tokens.grid,
        tuple(tokens.value_layers[value_blocks.index(block)] for block in sorted(taps.value_blocks)),
        tokens.colours if taps.colours else None,
        rows=tokens.rows,
    )


def slice_batch(tokens: Tokens, rows: slice | list[int]) -> Tokens:
    """Take the tokens of some images of a batch; nothing is copied where `rows` is a slice."""
    return Tokens(
        tuple(layer[rows] for layer in tokens.layers),
        tokens.grid,
        tuple(layer[rows] for layer in tokens.value_layers),
        None if tokens.colours is None else tokens.colours[rows],
        {name: part[rows] for name, part in tokens.parts.items()},
        tokens.rows,
    )


def join(batches: Sequence[Tokens]) -> Tokens:
    """Concatenate the tokens of several batches."""
    if len(batches) == 1:
        return batches[0]
    colours = [batch.colours for batch in batches if batch.colours is not None]
    return Tokens(
        tuple(torch.cat(layers) for layers in zip(*(batch.layers for batch in batches), strict=True)),
        batches[0].grid,
        tuple(torch.cat(layers) for layers in zip(*(batch.value_layers for batch in batches), strict=True)),
        torch.cat(colours) if colours else None,
        {name: torch.cat([batch.parts[name] for batch in batches]) for name in batches[0].parts},
        batches[0].rows,
    )

"""One run of the tower for several readers: the union of what they tap, and each one's own tokens out of it.

The value-value path does not act on the plain one, and blocks after the last tap act on nothing before it: what
is picked is bit for bit what a run for one reader alone would give.
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
    """What one run of a tower of `depth` blocks must keep to serve all; None where one run cannot.

    It cannot where two begin the value-value path at different blocks, or where taps that differ fall on one block
    of a shallow tower. Activation, position rule and preprocessing are the first one's: that these agree is for
    the caller to see to.
    """
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
    """The tokens of `taps` out of a run for `united`, which holds them all; nothing is copied."""
    return Tokens(
        tuple(tokens.layers[sorted(united.blocks).index(block)] for block in sorted(taps.blocks)),
        tokens.grid,
        tuple(tokens.value_layers[sorted(united.value_blocks).index(block)] for block in sorted(taps.value_blocks)),
        tokens.colours if taps.colours else None,
    )


def some(tokens: Tokens, rows: slice) -> Tokens:
    """The tokens of some images of a batch; nothing is copied."""
    return Tokens(
        tuple(layer[rows] for layer in tokens.layers),
        tokens.grid,
        tuple(layer[rows] for layer in tokens.value_layers),
        None if tokens.colours is None else tokens.colours[rows],
    )


def join(parts: Sequence[Tokens]) -> Tokens:
    """The tokens of several batches as those of one."""
    if len(parts) == 1:
        return parts[0]
    colours = [part.colours for part in parts if part.colours is not None]
    return Tokens(
        tuple(torch.cat(layers) for layers in zip(*(part.layers for part in parts), strict=True)),
        parts[0].grid,
        tuple(torch.cat(layers) for layers in zip(*(part.value_layers for part in parts), strict=True)),
        torch.cat(colours) if colours else None,
    )

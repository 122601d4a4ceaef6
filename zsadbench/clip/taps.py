"""Which blocks to tap in a tower that is not 24 blocks deep."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import TYPE_CHECKING, NamedTuple

from zsadbench.errors import UsageError

if TYPE_CHECKING:
    from zsadbench.tokens import Taps

REFERENCE_DEPTH = 24
RULE = "ceil(block * depth / 24)"
OWN_RULE = "the encoder's own numbers"


def map_taps(blocks: Sequence[int], depth: int) -> tuple[int, ...]:
    """Map 1-based block numbers of a 24-block tower to a tower of `depth` blocks, in order of depth.

    Raises:
        UsageError: a block lies outside 1..24, or two of them are mapped to one block.
    """
    outside = [block for block in blocks if not 1 <= block <= REFERENCE_DEPTH]
    if outside:
        raise UsageError(f"tapped blocks {outside} lie outside 1..{REFERENCE_DEPTH}; blocks count from 1")
    mapped = tuple(ceil(block * depth / REFERENCE_DEPTH) for block in sorted(blocks))
    if len(set(mapped)) < len(mapped):
        raise UsageError(
            f"a tower of {depth} blocks is too shallow for taps {list(blocks)}: they fall on {list(mapped)}; "
            "choose a deeper backbone or other layers"
        )
    return mapped


class PlacedTaps(NamedTuple):
    """Taps in a tower of a given depth: 1-based blocks of both paths, and where the value-value path begins."""

    blocks: tuple[int, ...]
    value_blocks: tuple[int, ...]
    value_from: int

    @property
    def last(self) -> int:
        """The last tapped block, after which the tower may stop; 0 where no block is tapped."""
        return max(self.blocks + self.value_blocks, default=0)


def own_taps(blocks: Sequence[int], depth: int) -> tuple[int, ...]:
    """Check 1-based block numbers of a tower of `depth` blocks itself, and return them in order of depth.

    Raises:
        UsageError: there is no such block, or one is named twice.
    """
    outside = [block for block in blocks if not 1 <= block <= depth]
    if outside:
        raise UsageError(f"tapped blocks {outside} lie outside the {depth} blocks of the encoder; blocks count from 1")
    if len(set(blocks)) < len(blocks):
        raise UsageError(f"a block is tapped twice: {list(blocks)}")
    return tuple(sorted(blocks))


def place_taps(taps: Taps, depth: int) -> PlacedTaps:
    """Find the blocks of all taps of a method in a tower of `depth` blocks.

    Raises:
        UsageError: as `map_taps` and `own_taps`; nothing is tapped; the value-value path is tapped before it begins.
    """
    if not (taps.blocks + taps.value_blocks or taps.colours or taps.own_encoding):
        raise UsageError("no block is tapped; choose one at least")
    early = [block for block in taps.value_blocks if block < taps.value_from]
    if early:
        raise UsageError(f"the value-value path begins at block {taps.value_from}; it cannot be read after {early}")
    place = own_taps if taps.numbering == "own" else map_taps
    begin = place((taps.value_from,), depth)[0] if taps.value_blocks or taps.numbering == "reference" else depth
    return PlacedTaps(place(taps.blocks, depth), place(taps.value_blocks, depth), begin)

"""Which blocks to tap in a tower that is not 24 blocks deep."""

from collections.abc import Sequence
from math import ceil

from zsadbench.errors import UsageError

REFERENCE_DEPTH = 24
RULE = "ceil(block * depth / 24)"


def map_taps(blocks: Sequence[int], depth: int) -> tuple[int, ...]:
    """Map 1-based block numbers of a 24-block tower to a tower of `depth` blocks.

    Raises:
        UsageError: a block lies outside 1..24, or two of them fall on one block.
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

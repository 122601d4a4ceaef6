"""Compiled: count normal scores at, and between, given keys. Import this module only in functions that call it.

The given keys are the distinct anomalous ones. They are bits of a bitmap, which exists only for pages with a key (a
page is the upper half of a key), with the number of keys before each word, so that the rank of a key needs no search.
Normal scores first go into a buffer of their page; a full buffer is counted at once, because bitmap, ranks and counters
of one page fit into the first-level cache. A page with d keys has 2d + 1 counters: below its first key, at it, between
it and the next, …
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from zsadbench.metrics.counting.arrays import Int64s, UInt32s, UInt64s
from zsadbench.metrics.counting.compiled import compiled, popcount
from zsadbench.metrics.counting.keys_kernel import key_of

PAGES = 1 << 16
WORDS = 1 << 10  # words of 64 keys per page
HALF = np.uint64(16)
LOWER = np.uint64(0xFFFF)
SIX = np.uint64(6)
IN_WORD = np.uint64(63)
ONE = np.uint64(1)
TWO = np.uint64(2)


class Keys(NamedTuple):
    """Ascending keys by page: `slot_of` (PAGES,) is the slot of a page, -1 for a page without a key.

    `bitmap` and `ranks` (slots · WORDS,) are a bit per key, and the number of keys of the page before each word;
    `first` (slots + 1,) is the first counter of each slot.
    """

    slot_of: NDArray[np.int32]
    bitmap: UInt64s
    ranks: NDArray[np.uint16]
    first: Int64s


class Counters(NamedTuple):
    """What one thread writes: buffers (slots · room,) and their fill, counters, and the scores of other pages."""

    room: np.uint64
    buffers: NDArray[np.uint16]
    filled: UInt64s
    counters: UInt32s
    elsewhere: Int64s


@compiled
def mark_keys(keys: UInt32s, slot_of: NDArray[np.int32], slots: int) -> Keys:
    """Return the keys by page; there is one slot per page with a key."""
    bitmap, ranks = np.zeros(slots * WORDS, np.uint64), np.zeros(slots * WORDS, np.uint16)
    first = np.zeros(slots + 1, np.int64)
    for index in range(len(keys)):
        key = np.uint64(keys[index])
        slot = np.uint64(slot_of[key >> HALF])
        bitmap[slot * np.uint64(WORDS) + ((key & LOWER) >> SIX)] |= ONE << (key & IN_WORD)
    for page in range(slots):
        before = np.uint64(0)
        for word in range(page * WORDS, (page + 1) * WORDS):
            ranks[word] = np.uint16(before)
            before += popcount(bitmap[word])
        first[page + 1] = first[page] + np.int64(TWO * before + ONE)
    return Keys(slot_of, bitmap, ranks, first)


@compiled
def count_scores(bits: UInt32s, runs: Int64s, keys: Keys, into: Counters) -> None:
    """Count the scores between the runs; for a page without a key only their number is kept."""
    start = np.uint64(0)
    for run in range(len(runs) + 1):
        stop = np.uint64(runs[run, 0]) if run < len(runs) else np.uint64(len(bits))
        for pixel in range(start, stop):
            key = np.uint64(key_of(bits[pixel]))
            page_slot = keys.slot_of[key >> HALF]
            if page_slot < 0:
                into.elsewhere[key >> HALF] += 1
                continue
            slot = np.uint64(page_slot)
            fill = into.filled[slot]
            into.buffers[slot * into.room + fill] = np.uint16(key & LOWER)
            into.filled[slot] = fill + ONE
            if fill + ONE == into.room:
                empty(slot, keys, into)
        if run < len(runs):
            start = np.uint64(runs[run, 1])


@compiled
def empty(slot: np.uint64, keys: Keys, into: Counters) -> None:
    """Count the scores in the buffer of one page, and empty it."""
    words, counter = slot * np.uint64(WORDS), np.uint64(keys.first[slot])
    for index in range(slot * into.room, slot * into.room + into.filled[slot]):
        lower = np.uint64(into.buffers[index])
        word, bit = words + (lower >> SIX), lower & IN_WORD
        rank = np.uint64(keys.ranks[word]) + popcount(keys.bitmap[word] & ((ONE << bit) - ONE))
        into.counters[counter + TWO * rank + ((keys.bitmap[word] >> bit) & ONE)] += np.uint32(1)
    into.filled[slot] = np.uint64(0)


@compiled
def empty_all(keys: Keys, into: Counters) -> None:
    """Count the scores in all buffers, and empty them."""
    for slot in range(len(into.filled)):
        empty(np.uint64(slot), keys, into)

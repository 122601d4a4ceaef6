"""Compiled: how many normal scores lie at, and between, given keys. Import it only where it is called.

The given keys are set in a bitmap that exists for their pages alone (a page is the upper half of a key),
with the number of keys before each word, so that a key finds its rank without a search. Normal scores
first go into a buffer of their page, and a full buffer is counted at once: bitmap, ranks and counters of
one page fit into the first cache. A page with d keys has 2d + 1 counters: below its first key, at it, …
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from zsadbench.metrics.counting.compiled import compiled, popcount
from zsadbench.metrics.counting.keys_kernel import Runs, Words, key_of

PAGES = 1 << 16
WORDS = 1 << 10  # words of 64 keys in a page
HALF = np.uint64(16)
LOWER = np.uint64(0xFFFF)
SIX = np.uint64(6)
IN_WORD = np.uint64(63)
ONE = np.uint64(1)
TWO = np.uint64(2)

Places = NDArray[np.int64]


class Keys(NamedTuple):
    """Ascending keys, by page: `slot_of` (PAGES,) is the slot of a page or -1.

    `bitmap` and `ranks` (slots · WORDS,) have a bit for each key, and the number of keys of its page before
    each word; `first` (slots + 1,) is each slot's first counter.
    """

    slot_of: NDArray[np.int32]
    bitmap: NDArray[np.uint64]
    ranks: NDArray[np.uint16]
    first: Places


class Counters(NamedTuple):
    """What one thread writes: buffers (slots · room,) with how full each is, counters, and scores of other pages."""

    room: np.uint64
    buffers: NDArray[np.uint16]
    filled: NDArray[np.uint64]
    counters: Words
    elsewhere: Places


@compiled
def mark_keys(keys: Words, slot_of: NDArray[np.int32], slots: int) -> Keys:
    """The keys by page; there are as many slots as pages with a key."""
    bitmap, ranks = np.zeros(slots * WORDS, np.uint64), np.zeros(slots * WORDS, np.uint16)
    first = np.zeros(slots + 1, np.int64)
    for place in range(len(keys)):
        key = np.uint64(keys[place])
        slot = np.uint64(slot_of[key >> HALF])
        bitmap[slot * np.uint64(WORDS) + ((key & LOWER) >> SIX)] |= ONE << (key & IN_WORD)
    for page in range(slots):
        seen = np.uint64(0)
        for word in range(page * WORDS, (page + 1) * WORDS):
            ranks[word] = np.uint16(seen)
            seen += popcount(bitmap[word])
        first[page + 1] = first[page] + np.int64(TWO * seen + ONE)
    return Keys(slot_of, bitmap, ranks, first)


@compiled
def count_scores(bits: Words, runs: Runs, keys: Keys, into: Counters) -> None:
    """Take in the scores between the runs; pages without a key are counted as a whole."""
    start = np.uint64(0)
    for run in range(len(runs) + 1):
        stop = np.uint64(runs[run, 0]) if run < len(runs) else np.uint64(len(bits))
        for place in range(start, stop):
            key = np.uint64(key_of(bits[place]))
            found = keys.slot_of[key >> HALF]
            if found < 0:
                into.elsewhere[key >> HALF] += 1
                continue
            slot = np.uint64(found)
            at = into.filled[slot]
            into.buffers[slot * into.room + at] = np.uint16(key & LOWER)
            into.filled[slot] = at + ONE
            if at + ONE == into.room:
                empty(slot, keys, into)
        if run < len(runs):
            start = np.uint64(runs[run, 1])


@compiled
def empty(slot: np.uint64, keys: Keys, into: Counters) -> None:
    """Count what the buffer of one page holds."""
    words, counter = slot * np.uint64(WORDS), np.uint64(keys.first[slot])
    for place in range(slot * into.room, slot * into.room + into.filled[slot]):
        lower = np.uint64(into.buffers[place])
        word, bit = words + (lower >> SIX), lower & IN_WORD
        rank = np.uint64(keys.ranks[word]) + popcount(keys.bitmap[word] & ((ONE << bit) - ONE))
        into.counters[counter + TWO * rank + ((keys.bitmap[word] >> bit) & ONE)] += np.uint32(1)
    into.filled[slot] = np.uint64(0)


@compiled
def empty_all(keys: Keys, into: Counters) -> None:
    """Count what all buffers hold."""
    for slot in range(len(into.filled)):
        empty(np.uint64(slot), keys, into)

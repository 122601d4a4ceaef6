"""Cut a class into shards: slices of its rows that are scored on their own, about a minute of work each.

Shards begin and end at multiples of the batch size, so that batches, and with them the last bits of results, are those
of the whole class.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from zsadbench.clip.macs import image_macs
from zsadbench.engine.plan.method_setup import taps_of

if TYPE_CHECKING:
    import torch

    from zsadbench.engine.plan.method_setup import MethodSetup

SECONDS = 60
SPEED = {"cpu": 2.5e10, "cuda": 2.5e13}  # multiply-accumulates a second: of one thread of a CPU, of a GPU

Span = tuple[int, int]  # the first row of a shard, and the row after its last


def tower_macs(setup: MethodSetup) -> float:
    """Count multiply-accumulates of encoding one image; a method inside the encoders states its own."""
    vision, card = setup.spec.config.vision, setup.method.card
    if taps_of(setup).own_encoding and card.macs is not None:
        own = card.macs(setup.spec.config, setup.method.options, setup.image_size // vision.patch_size).tower
        if own is not None:
            return own
    return image_macs(vision, setup.image_size)


def default_shard(setup: MethodSetup, device: torch.device, workers: int) -> int:
    """Return how many images the encoder takes in about a minute, by a rule that needs no measurement.

    The rule: a GPU does 25 trillion multiply-accumulates a second, a thread of a CPU 25 billion; `workers` share the
    threads.
    """
    import torch

    speed = SPEED[device.type] * (max(1, torch.get_num_threads() // workers) if device.type == "cpu" else 1)
    return max(1, int(SECONDS * speed / tower_macs(setup)))


def whole_batches(images: int, batch_size: int) -> int:
    """Round a number of images up to whole batches."""
    return -(-images // batch_size) * batch_size


def cut(count: int, size: int, batch_size: int, done: Iterable[Span] = ()) -> list[Span]:
    """Cut `count` rows into shards, in order.

    Args:
        count: rows of the class.
        size: the most rows of a shard; a multiple of the batch size.
        batch_size: rows of a batch.
        done: shards that are there already, of any size; of those that overlap, the first is used.

    Returns:
        The shards of `done` that are used, and new ones for the rows between them.
    """
    spans: list[Span] = []
    covered = 0
    whole = [span for span in done if not span[0] % batch_size and (not span[1] % batch_size or span[1] == count)]
    for start, stop in [*sorted(span for span in whole if span[0] < span[1] <= count), (count, count)]:
        if start < covered:
            continue
        spans += [(first, min(first + size, start)) for first in range(covered, start, size)]
        spans += [(start, stop)] if start < stop else []
        covered = stop
    return spans

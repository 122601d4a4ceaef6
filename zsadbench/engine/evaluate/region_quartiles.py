"""Compute the quartiles of region area over all masks of a data set at their evaluated size; they are cached."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from math import isfinite
from typing import TYPE_CHECKING

from zsadbench.clip import cache_folder
from zsadbench.data.images.masks import read_mask
from zsadbench.engine.encode.masks import resize_mask
from zsadbench.errors import DataError
from zsadbench.files import DAMAGED, write_atomically
from zsadbench.metrics import area_quartiles
from zsadbench.records import canonical

if TYPE_CHECKING:
    from pathlib import Path

    from zsadbench.data import Dataset
    from zsadbench.engine.encode.masks import Mask
    from zsadbench.protocol import EvaluationProtocol

log = logging.getLogger(__name__)

VERSION = 1  # of the rule by which quartiles are computed
NUMBER = 3  # of the quartiles


def quartiles_of(dataset: Dataset, protocol: EvaluationProtocol, size: int, workers: int) -> list[float] | None:
    """Return the quartiles of region area, in pixels, over all masks of the set, even if only some are evaluated.

    None if no mask has a region. A mask that cannot be read, or has changed since the set was hashed, is left out with
    a warning; then nothing is cached.
    """
    path = _cache_file(dataset, protocol, size)
    try:
        return _quartiles_in(path)
    except FileNotFoundError:
        pass
    except DAMAGED as failure:
        log.info("'%s' is damaged and is written again: %s", path, failure)
    unreadable: list[str] = []
    try:
        quartiles: list[float] | None = list(area_quartiles(_masks(dataset, protocol, size, workers, unreadable)))
    except ValueError:
        quartiles = None
    if unreadable:
        log.warning(
            "%s: %d masks cannot be read or have changed; the quartiles of region area are those of the others",
            dataset.card.name,
            len(unreadable),
        )
    else:
        with suppress(OSError):  # a cache that cannot be written is left out
            write_atomically(path, json.dumps({"edges": quartiles}).encode())
    return quartiles


def _quartiles_in(path: Path) -> list[float] | None:
    """Return the quartiles in a cache file.

    Raises:
        ValueError: they are no ascending finite numbers; and whatever is in `DAMAGED`.
    """
    quartiles = json.loads(path.read_text())["edges"]
    if quartiles is None:
        return None
    values = [float(value) for value in quartiles if isinstance(value, int | float) and isfinite(value)]
    if len(values) != len(quartiles) or len(values) != NUMBER or values != sorted(values):
        raise ValueError(f"'edges' are no {NUMBER} ascending numbers")
    return values


def _masks(
    dataset: Dataset, protocol: EvaluationProtocol, size: int, workers: int, unreadable: list[str]
) -> Iterator[Mask]:
    """Yield every anomalous mask at its evaluated size.

    The paths of those that cannot be read, or have changed, are added to `unreadable`.
    """
    positive = dataset.card.positive if protocol.mask_values == "card" else "!= 0"

    def read(path: str, image: str) -> Mask | None:
        try:
            with dataset.files.unchanged(path):
                mask = read_mask(path, positive, image)
        except DataError:
            return None
        return resize_mask(mask, protocol, size)

    marked = dataset.manifest[(dataset.manifest["mask"] != "") & (dataset.manifest["label"] == 1)]
    with ThreadPoolExecutor(max(1, workers), thread_name_prefix="zsadbench-areas") as pool:
        for path, mask in zip(marked["mask"], pool.map(read, marked["mask"], marked["path"]), strict=True):
            if mask is None:
                unreadable.append(path)
            else:
                yield mask


def _cache_file(dataset: Dataset, protocol: EvaluationProtocol, size: int) -> Path:
    """Return the path of the cached quartiles; its name is a hash of everything that determines them."""
    determines = [
        VERSION,
        dataset.fingerprint,
        size,
        protocol.mask_resize,
        protocol.mask_values,
        str(dataset.card.positive),
    ]
    return cache_folder() / "areas" / f"{hashlib.sha256(canonical(determines).encode()).hexdigest()[:32]}.json"

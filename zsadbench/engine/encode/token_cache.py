"""Frozen tokens on disk, so that a second epoch, or another method or seed, does not run the tower.

An entry holds the tokens of one image after one tapped block, (1 + grid², width), as float32, or as float16 where they
were rounded to it before: what is read back is bit-equal to what a method would learn from without a cache. Entries
lie in a folder named after everything that decides them, the block apart; each is a header with shape, size and time of
change of the image's file and a checksum, then the tokens. Whatever is not exactly right (truncated, foreign, of an
older file) counts as absent and is written anew.
"""

from __future__ import annotations

import hashlib
import json
import logging
import mmap
import struct
import zlib
from typing import TYPE_CHECKING

import numpy as np
import PIL
import torch

from zsadbench.clip import cache_folder
from zsadbench.data import DiskBudget, file_stamp, mapped
from zsadbench.engine.plan.method_setup import activation_of

if TYPE_CHECKING:
    from pathlib import Path

    from zsadbench.data import Dataset
    from zsadbench.engine.plan.method_setup import MethodSetup

log = logging.getLogger(__name__)

KINDS = {"fp32": (b"zsadtok1", np.float32), "fp16": (b"zsadtok2", np.float16)}  # magic and numbers of an entry
HEADER = struct.Struct("<8sIIQqI28x")  # magic, tokens, width, bytes and time of the file, checksum


class TokenCache:
    """The tokens of one auxiliary set through one tower; `room` bytes are for all sets together."""

    def __init__(self, folder: Path, shape: tuple[int, int], room: int, precision: str = "fp32") -> None:
        self.folder, self.shape = folder, shape
        self._magic, self._kind = KINDS[precision]
        self.entry_bytes = _entry_bytes(shape, precision)
        self._room = DiskBudget(folder, self.entry_bytes, room, "token cache")

    @classmethod
    def for_training(cls, setup: MethodSetup, aux: Dataset, device: torch.device, room: int) -> TokenCache | None:
        """The cache of what a method learns from, below the cache folder; None without room, or where it augments."""
        taps = setup.method.card.taps(setup.method.options)
        if not room or setup.method.card.augments or taps.colours:
            return None
        decides = [
            *(aux.fingerprint, setup.image_size, taps.preprocessing, PIL.__version__),
            *(setup.spec.config.sizes(), setup.spec.weights.sha256),
            *(activation_of(setup.spec, taps), taps.position, setup.precision),
            *(_arithmetic(device, setup.compiling), torch.__version__, KINDS[setup.token_precision][0].decode()),
        ]
        key = hashlib.sha256(json.dumps(decides).encode()).hexdigest()[:32]
        return cls(cache_folder() / "tokens" / key, _shape(setup), room, setup.token_precision)

    def find(self, tap: str, relative: str, path: str) -> torch.Tensor | None:
        """Tokens of the image at `path` after one block, float32 (1, tokens, width); None where no sound entry is."""
        content = mapped(self._entry(tap, relative))
        try:
            return None if content is None else self._read(content, path)
        except OSError:  # the image itself has gone
            return None

    def keep(self, tap: str, relative: str, path: str, tokens: torch.Tensor) -> None:
        """Write an entry, if there is room; a cache that cannot be written to is none."""

        def content() -> tuple[bytes, memoryview]:
            values = np.ascontiguousarray(tokens.detach().cpu().numpy(), self._kind).data
            return HEADER.pack(self._magic, *self.shape, *file_stamp(path), zlib.crc32(values)), values

        self._room.write(self._entry(tap, relative), content, "tokens")

    def _entry(self, tap: str, relative: str) -> Path:
        return self.folder / f"{hashlib.sha256(relative.encode()).hexdigest()[:32]}-{tap}"

    def _read(self, content: mmap.mmap, path: str) -> torch.Tensor | None:
        if len(content) != self.entry_bytes:
            return None
        magic, *shape, length, changed, checksum = HEADER.unpack_from(content)
        if (magic, tuple(shape), (length, changed)) != (self._magic, self.shape, file_stamp(path)):
            return None
        values = np.frombuffer(content, self._kind, offset=HEADER.size).reshape(1, *self.shape)
        return torch.from_numpy(values.astype(np.float32)) if zlib.crc32(values.data) == checksum else None


def entry_bytes(setup: MethodSetup) -> int:
    """Bytes that the tokens of one image after one block take on disk."""
    return _entry_bytes(_shape(setup), setup.token_precision)


def _shape(setup: MethodSetup) -> tuple[int, int]:
    vision = setup.spec.config.vision
    return ((setup.image_size // vision.patch_size) ** 2 + 1, vision.width)


def _entry_bytes(shape: tuple[int, int], precision: str) -> int:
    return HEADER.size + np.dtype(KINDS[precision][1]).itemsize * shape[0] * shape[1]


def _arithmetic(device: torch.device, compiling: str) -> list[object]:
    """What the last bits of a float depend on besides the version of torch."""
    compiled = [] if compiling == "off" else [compiling]
    if device.type == "cuda":
        return [torch.cuda.get_device_name(device), torch.backends.cuda.matmul.allow_tf32, *compiled]
    return [device.type, torch.get_num_threads(), torch.backends.cpu.get_cpu_capability(), *compiled]

"""A cache of training tokens on disk, so that later epochs, other methods and other seeds need not encode images again.

An entry holds the tokens of one image after one tapped block: (1 + grid², width) as float32, or as float16 if they were
rounded to it before they were used, so that cached tokens are bit-equal to computed ones. Entries are files in a folder
whose name is a hash of everything else that determines the tokens. An entry has a header with the shape, the size in
bytes and modification time of the image file, and a checksum; then come the tokens. An entry that is truncated,
foreign, or made from an older file counts as absent and is written again.
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
from zsadbench.engine.plan.method_setup import activation_of, taps_of

if TYPE_CHECKING:
    from pathlib import Path

    from zsadbench.data import Dataset
    from zsadbench.engine.plan.method_setup import MethodSetup

log = logging.getLogger(__name__)

FORMATS = {"fp32": (b"zsadtok1", np.float32), "fp16": (b"zsadtok2", np.float16)}  # magic number and type of an entry
HEADER = struct.Struct("<8sIIQqI28x")  # magic, tokens, width, bytes and time of the file, checksum


class TokenCache:
    """The cached tokens of one auxiliary set through one image encoder.

    Args:
        folder: the folder of the entries.
        shape: of the tokens of one image after one block, (1 + grid², width).
        budget_bytes: disk space for the tokens of all sets together.
        precision: of the stored tokens.
    """

    def __init__(self, folder: Path, shape: tuple[int, int], budget_bytes: int, precision: str = "fp32") -> None:
        self.folder, self.shape = folder, shape
        self._magic, self._dtype = FORMATS[precision]
        self.entry_bytes = _entry_bytes(shape, precision)
        self._budget = DiskBudget(folder, self.entry_bytes, budget_bytes, "token cache")

    @classmethod
    def for_training(
        cls, setup: MethodSetup, aux: Dataset, device: torch.device, budget_bytes: int
    ) -> TokenCache | None:
        """Return the cache for a training, in the cache folder.

        None if the budget is 0, or if the method augments images or reads the colours of patches, which are not cached.
        """
        taps = taps_of(setup)
        if not budget_bytes or setup.method.card.augments or taps.colours:
            return None
        determines_tokens = [
            *(aux.fingerprint, setup.image_size, taps.preprocessing, PIL.__version__),
            *(setup.spec.config.sizes(), setup.spec.weights.sha256),
            *(activation_of(setup.spec, taps), taps.position, setup.precision),
            *(_arithmetic(device, setup.compiling), torch.__version__, FORMATS[setup.token_precision][0].decode()),
        ]
        key = hashlib.sha256(json.dumps(determines_tokens).encode()).hexdigest()[:32]
        return cls(cache_folder() / "tokens" / key, _shape(setup), budget_bytes, setup.token_precision)

    def find(self, tap: str, relative: str, path: str) -> torch.Tensor | None:
        """Return the cached tokens of one image after one block, float32 (1, *shape); None if there is no valid entry.

        Args:
            tap: name of the block.
            relative: path of the image relative to the root of the data set; names the entry.
            path: absolute path of the image, to check that the file has not changed.
        """
        content = mapped(self._entry(tap, relative))
        try:
            return None if content is None else self._read(content, path)
        except OSError:  # the image file no longer exists
            return None

    def keep(self, tap: str, relative: str, path: str, tokens: torch.Tensor) -> None:
        """Write an entry if the budget allows it; a failure to write is logged and does not raise."""

        def content() -> tuple[bytes, memoryview]:
            values = np.ascontiguousarray(tokens.detach().cpu().numpy(), self._dtype).data
            return HEADER.pack(self._magic, *self.shape, *file_stamp(path), zlib.crc32(values)), values

        self._budget.write(self._entry(tap, relative), content, "tokens")

    def _entry(self, tap: str, relative: str) -> Path:
        return self.folder / f"{hashlib.sha256(relative.encode()).hexdigest()[:32]}-{tap}"

    def _read(self, content: mmap.mmap, path: str) -> torch.Tensor | None:
        if len(content) != self.entry_bytes:
            return None
        magic, *shape, length, changed, checksum = HEADER.unpack_from(content)
        if (magic, tuple(shape), (length, changed)) != (self._magic, self.shape, file_stamp(path)):
            return None
        values = np.frombuffer(content, self._dtype, offset=HEADER.size).reshape(1, *self.shape)
        return torch.from_numpy(values.astype(np.float32)) if zlib.crc32(values.data) == checksum else None


def entry_bytes(setup: MethodSetup) -> int:
    """Return the bytes on disk of the tokens of one image after one block."""
    return _entry_bytes(_shape(setup), setup.token_precision)


def _shape(setup: MethodSetup) -> tuple[int, int]:
    vision = setup.spec.config.vision
    return ((setup.image_size // vision.patch_size) ** 2 + 1, vision.width)


def _entry_bytes(shape: tuple[int, int], precision: str) -> int:
    return HEADER.size + np.dtype(FORMATS[precision][1]).itemsize * shape[0] * shape[1]


def _arithmetic(device: torch.device, compiling: str) -> list[object]:
    """Return what the last bits of a computed float depend on, besides the version of PyTorch."""
    compiled = [] if compiling == "off" else [compiling]
    if device.type == "cuda":
        return [torch.cuda.get_device_name(device), torch.backends.cuda.matmul.allow_tf32, *compiled]
    return [device.type, torch.get_num_threads(), torch.backends.cpu.get_cpu_capability(), *compiled]

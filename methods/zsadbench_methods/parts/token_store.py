"""Tokens of all images of a class: in memory up to a bound, beyond it in a temporary file."""

from __future__ import annotations

import tempfile
import weakref
from functools import cached_property
from typing import IO

import numpy as np
import torch
from torch import Tensor

IN_MEMORY = 1 << 30  # bytes of one store


class TokenStore:
    """Tensors of one shape, one per image, in the order in which they came; `read` gives some of them as a batch.

    Args:
        in_memory: bytes that are kept in memory; further tensors go into a file that no other process sees and that
            goes with the store.
    """

    def __init__(self, in_memory: int = IN_MEMORY) -> None:
        self.in_memory = in_memory
        self._images: list[Tensor] = []
        self._in_file = 0
        self._shape: tuple[int, ...] = ()
        self._device = torch.device("cpu")

    def __len__(self) -> int:
        return len(self._images) + self._in_file

    def add(self, batch: Tensor) -> None:
        """Add the tensors of further images, float32 (batch, …)."""
        self._shape, self._device = tuple(batch.shape[1:]), batch.device
        for image in batch.float():
            size = image.numel() * image.element_size()
            if not self._in_file and (len(self._images) + 1) * size <= self.in_memory:
                self._images.append(image.clone())
            else:
                self._file.seek(self._in_file * size)
                self._file.write(image.cpu().contiguous().numpy().tobytes())
                self._in_file += 1

    def read(self, start: int, stop: int) -> Tensor:
        """Return the images from `start` to before `stop`, float32 (stop − start, …), on their device."""
        kept = self._images[start:stop]
        first, last = (max(0, place - len(self._images)) for place in (start, stop))
        if last > first:
            count = int(np.prod(self._shape))
            self._file.seek(first * count * 4)
            raw = np.frombuffer(self._file.read((last - first) * count * 4), dtype=np.float32)
            kept = [*kept, *torch.from_numpy(raw.copy()).view(-1, *self._shape).to(self._device)]
        return torch.stack(kept)

    @cached_property
    def _file(self) -> IO[bytes]:
        file = tempfile.TemporaryFile(prefix="zsadbench-tokens-")  # noqa: SIM115 - closed with the store
        weakref.finalize(self, file.close)
        return file

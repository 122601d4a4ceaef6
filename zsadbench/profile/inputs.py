"""What is timed on: drawn images, so that nothing must be there, and that every machine gets the same ones."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image

from zsadbench.data import prepare

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from zsadbench.types import Batch, Preprocessing

SIDE = 1024  # pixels, as large as most images of MVTec AD
GRAIN = 64  # pixels of one random colour before they are blended


def drawn_image(number: int) -> Image.Image:
    """A smooth colour field of 1024 × 1024 with fine noise; the same for the same number."""
    generator = np.random.default_rng([518, number])
    coarse = Image.fromarray(generator.integers(0, 256, (SIDE // GRAIN, SIDE // GRAIN, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize((SIDE, SIDE), Image.Resampling.BICUBIC), dtype=np.int16)
    noise = generator.integers(-8, 9, smooth.shape, dtype=np.int16)
    return Image.fromarray(np.clip(smooth + noise, 0, 255).astype(np.uint8))


def drawn_files(count: int) -> list[bytes]:
    """So many drawn images as PNG files in memory: reading them costs decoding and no disk."""
    files = []
    for number in range(count):
        buffer = io.BytesIO()
        drawn_image(number).save(buffer, format="PNG", compress_level=1)
        files.append(buffer.getvalue())
    return files


def decode(files: list[bytes]) -> list[Image.Image]:
    """Files as pictures, one after the other."""
    pictures: list[Image.Image] = [Image.open(io.BytesIO(one)) for one in files]
    for picture in pictures:
        picture.load()
    return pictures


def preprocess(pictures: list[Image.Image], size: int, order: Preprocessing) -> torch.Tensor:
    """Pictures as a batch, float32 (batch, 3, size, size), normalised."""
    return torch.from_numpy(np.stack([prepare(picture, size, order) for picture in pictures]))


def drawn_masks(count: int, size: int) -> NDArray[np.uint8]:
    """A disc in every second mask, uint8 (count, size, size); the first has one."""
    rows, columns = np.ogrid[:size, :size]
    disc = (rows - size // 3) ** 2 + (columns - size // 2) ** 2 < (size // 8) ** 2
    return np.stack([disc if number % 2 == 0 else np.zeros_like(disc) for number in range(count)]).astype(np.uint8)


def training_batch(images: torch.Tensor, device: torch.device) -> Batch:
    """Drawn masks and labels with the images, on the device."""
    from zsadbench.types import Batch as Made

    masks = drawn_masks(len(images), images.shape[-1])
    labels: Any = torch.from_numpy(masks.any(axis=(1, 2)).astype(np.int64))
    maps = torch.from_numpy(masks.astype(np.float32))
    return Made(images.to(device), maps.to(device), labels.to(device), ("object",) * len(images))

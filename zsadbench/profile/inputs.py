"""The inputs of a profile: generated images, so that no data set is needed and every machine gets the same ones."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image

from zsadbench.data import prepare
from zsadbench.tokens import CLIP_PIXELS, PixelNorm
from zsadbench.types import Batch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from zsadbench.types import Preprocessing

SIDE = 1024  # pixels, the side of most images of MVTec AD
GRAIN = 64  # pixels per random colour, before the colours are interpolated


def generated_image(number: int) -> Image.Image:
    """Make a smooth field of colours with fine noise, 1024 × 1024 RGB; equal for equal numbers."""
    generator = np.random.default_rng([518, number])
    coarse = Image.fromarray(generator.integers(0, 256, (SIDE // GRAIN, SIDE // GRAIN, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize((SIDE, SIDE), Image.Resampling.BICUBIC), dtype=np.int16)
    noise = generator.integers(-8, 9, smooth.shape, dtype=np.int16)
    return Image.fromarray(np.clip(smooth + noise, 0, 255).astype(np.uint8))


def generated_files(count: int) -> list[bytes]:
    """Make generated images as PNG files in memory, so that reading them is decoding without a disk."""
    files = []
    for number in range(count):
        buffer = io.BytesIO()
        generated_image(number).save(buffer, format="PNG", compress_level=1)
        files.append(buffer.getvalue())
    return files


def decode(files: list[bytes]) -> list[Image.Image]:
    """Decode image files one after another."""
    images: list[Image.Image] = [Image.open(io.BytesIO(file)) for file in files]
    for image in images:
        image.load()
    return images


def preprocess(
    images: list[Image.Image], size: int, order: Preprocessing, pixels: PixelNorm = CLIP_PIXELS
) -> torch.Tensor:
    """Resize and normalise images to one batch, float32 (batch, 3, size, size)."""
    return torch.from_numpy(np.stack([prepare(image, size, order, pixels) for image in images]))


def generated_masks(count: int, size: int) -> NDArray[np.uint8]:
    """Make masks of 0 and 1, uint8 (count, size, size): a disc in the first and in every second one after it."""
    rows, columns = np.ogrid[:size, :size]
    disc = (rows - size // 3) ** 2 + (columns - size // 2) ** 2 < (size // 8) ** 2
    return np.stack([disc if number % 2 == 0 else np.zeros_like(disc) for number in range(count)]).astype(np.uint8)


def training_batch(images: torch.Tensor, device: torch.device) -> Batch:
    """Make a training batch on the device: the images with generated masks and their labels."""
    masks = generated_masks(len(images), images.shape[-1])
    labels: Any = torch.from_numpy(masks.any(axis=(1, 2)).astype(np.int64))
    maps = torch.from_numpy(masks.astype(np.float32))
    return Batch(images.to(device), maps.to(device), labels.to(device), ("object",) * len(images))

"""The random changes of training images: colours of images, and places of images and masks together."""

from __future__ import annotations

from collections.abc import Callable
from math import cos, radians, sin
from typing import NamedTuple

import torch
from torch import Generator, Tensor
from torch.nn.functional import affine_grid, grid_sample

MEAN, DEVIATION = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)  # of CLIP's pixels
GREY = (0.2989, 0.587, 0.114)
COLOUR_CHANCE, COLOUR_RANGE = 0.7, 0.5
PLACE_CHANCE, ANGLE, SHIFT = 0.5, 30.0, 0.15  # degrees, and a share of the side


class Move(NamedTuple):
    """A turn in degrees, a shift in pixels to the right and down, and whether both axes are mirrored."""

    angle: float = 0.0
    right: int = 0
    down: int = 0
    across: bool = False
    upside_down: bool = False


def jitter_colours(images: Tensor, generator: Generator) -> Tensor:
    """Change brightness, contrast and saturation of every image by a factor from 0.5 to 1.5, each with chance 0.7.

    `images` are normalised, (batch, 3, size, size), and so is the result; values stay from black to white.
    """
    mean, deviation = (images.new_tensor(values).view(3, 1, 1) for values in (MEAN, DEVIATION))
    coloured = [_jitter(image, generator) for image in images * deviation + mean]
    return (torch.stack(coloured) - mean) / deviation


def _jitter(image: Tensor, generator: Generator) -> Tensor:
    """Change the colours of one image, (3, size, size) from 0 to 1."""
    grey = image.new_tensor(GREY).view(3, 1, 1)
    others: tuple[Callable[[Tensor], Tensor], ...] = (  # what an image is mixed with: black, its mean grey, its greys
        torch.zeros_like,
        lambda seen: (seen * grey).sum(dim=0).mean(),
        lambda seen: (seen * grey).sum(dim=0),
    )
    for other in others:
        chance, place = torch.rand(2, generator=generator).tolist()
        if chance < COLOUR_CHANCE:
            factor = 1 + COLOUR_RANGE * (2 * place - 1)
            image = (factor * image + (1 - factor) * other(image)).clamp(0, 1)
    return image


def draw_move(size: int, generator: Generator) -> Move:
    """Draw what happens to an image of this side: each change with chance one half."""
    chance = torch.rand(4, generator=generator).tolist()
    angle, right, down = (2 * torch.rand(3, generator=generator) - 1).tolist()
    turned, shifted, across, upside_down = (draw < PLACE_CHANCE for draw in chance)
    far = SHIFT * size if shifted else 0.0
    return Move(ANGLE * angle if turned else 0.0, round(right * far), round(down * far), across, upside_down)


def move(images: Tensor, how: Move) -> Tensor:
    """Turn, then shift, then mirror images, (batch, channels, size, size); what comes in from outside is 0.

    Pixels are those of the nearest neighbour.
    """
    size = images.shape[-1]
    if how.angle:
        turn = radians(how.angle)
        images = _sample(images, [[cos(turn), -sin(turn), 0.0], [sin(turn), cos(turn), 0.0]])
    if how.right or how.down:
        images = _sample(images, [[1.0, 0.0, -2 * how.right / size], [0.0, 1.0, -2 * how.down / size]])
    axes = [axis for axis, mirrored in ((3, how.across), (2, how.upside_down)) if mirrored]
    return images.flip(axes) if axes else images


def _sample(images: Tensor, matrix: list[list[float]]) -> Tensor:
    theta = images.new_tensor(matrix).expand(len(images), 2, 3)
    grid = affine_grid(theta, list(images.shape), align_corners=False)
    return grid_sample(images, grid, mode="nearest", padding_mode="zeros", align_corners=False)


def move_batch(images: Tensor, masks: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
    """Move every image, (batch, 3, size, size), and its mask, (batch, size, size), together."""
    both = torch.cat([images, masks.unsqueeze(1)], dim=1)
    moved = torch.cat([move(both[row : row + 1], draw_move(both.shape[-1], generator)) for row in range(len(both))])
    return moved[:, :3], moved[:, 3]

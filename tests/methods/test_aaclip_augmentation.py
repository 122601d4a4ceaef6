"""The random changes of AA-CLIP's training images: masks move with their images, colours stay colours."""

import pytest
import torch

from zsadbench.types import Batch
from zsadbench_methods.aaclip.augmentation import DEVIATION, MEAN, Move, draw_move, jitter_colours, move, move_batch
from zsadbench_methods.aaclip.names import IMAGE_STAGE, TEXT_STAGE


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_images_and_masks_move_together():
    masks = torch.zeros(8, 20, 20)
    masks[:, 3:9, 4:15] = 1.0
    images = masks.unsqueeze(1).repeat(1, 3, 1, 1) * 5
    moved, moved_masks = move_batch(images, masks, seeded())
    assert torch.equal(moved, 5 * moved_masks.unsqueeze(1).expand(-1, 3, -1, -1))
    assert not torch.equal(moved_masks, masks)
    assert set(moved_masks.unique().tolist()) == {0.0, 1.0}


def test_every_move_is_what_it_says():
    image = torch.arange(1.0, 26.0).view(1, 1, 5, 5)
    assert torch.equal(move(image, Move()), image)
    assert torch.equal(move(image, Move(across=True)), image.flip(3))
    assert torch.equal(move(image, Move(upside_down=True)), image.flip(2))
    right = move(image, Move(right=1))
    assert torch.equal(right[..., 1:], image[..., :-1])
    assert not right[..., 0].any()
    down = move(image, Move(down=-2))
    assert torch.equal(down[:, :, :-2], image[:, :, 2:])
    assert not down[:, :, -2:].any()
    assert torch.equal(move(image, Move(angle=90.0)).flatten().sort().values, image.flatten())
    assert torch.equal(move(image, Move(angle=90.0)), image.rot90(1, (2, 3)))


def test_moves_stay_within_their_bounds_and_each_happens_half_the_time():
    generator = seeded()
    moves = [draw_move(100, generator) for _ in range(2000)]
    assert max(abs(one.angle) for one in moves) <= 30
    assert 10 < max(abs(one.right) for one in moves) <= 15
    for happened in (lambda m: m.angle != 0, lambda m: m.across, lambda m: m.upside_down):
        assert sum(map(happened, moves)) == pytest.approx(1000, abs=100)
    assert all(-15 <= one.down <= 15 for one in moves)


def test_colours_stay_between_black_and_white_and_change():
    mean, deviation = (torch.tensor(values).view(3, 1, 1) for values in (MEAN, DEVIATION))
    images = (torch.rand(6, 3, 9, 9, generator=seeded(1)) - mean) / deviation
    jittered = jitter_colours(images, seeded())
    pixels = jittered * deviation + mean
    assert pixels.min() >= -1e-6
    assert pixels.max() <= 1 + 1e-6
    assert sum(not torch.allclose(one, other) for one, other in zip(images, jittered, strict=True)) >= 4
    grey = (torch.full((4, 3, 9, 9), 0.4) - mean) / deviation
    spread = (jitter_colours(grey, seeded()) * deviation + mean).std(dim=1)
    assert spread.max() <= 1e-3, "grey stays grey"


def test_the_text_stage_moves_alone_and_nothing_happens_if_unwanted(widened, tiny_images):
    batch = Batch(tiny_images, torch.zeros(3, 70, 70), torch.tensor([0, 0, 0]), ("bolt",) * 3)
    detector = widened("aaclip")
    detector.begin_stage(TEXT_STAGE)
    moved = detector.augment(batch, seeded(3))
    assert torch.equal(moved.images, move_batch(batch.images, batch.masks, seeded(3))[0])
    detector.begin_stage(IMAGE_STAGE)
    assert not torch.equal(detector.augment(batch, seeded(3)).images, moved.images)
    assert torch.equal(detector.augment(batch, seeded(3)).images, detector.augment(batch, seeded(3)).images)
    assert widened("aaclip", augment=False).augment(batch, seeded(3)) is batch

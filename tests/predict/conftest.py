"""A detector that costs nothing: brightness."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from zsadbench.errors import CellError
from zsadbench.types import Scores

SIDE = 16


class Brightness:
    """The map of an image is its brightness on a grid of 16 × 16, from 0 to 1; the score is the mean of the map.

    `seen` are the sizes of the batches. An image that is red everywhere fails.
    """

    scores_whole_classes = False

    def __init__(self):
        self.seen = []
        self.setup = SimpleNamespace(method=SimpleNamespace(card=SimpleNamespace(map_range=(0.0, 1.0))))

    def automatic_batch(self):
        return 4

    def score_batch(self, images, word):
        self.seen.append(len(images))
        if any(image.convert("RGB").getpixel((0, 0)) == (255, 0, 0) for image in images):
            raise CellError("the anomaly map of this image holds NaN or infinity; nothing can be ranked with it")
        grids = [
            np.asarray(image.convert("L").resize((SIDE, SIDE), Image.Resampling.BOX), np.float32) / 255
            for image in images
        ]
        maps = torch.from_numpy(np.stack(grids))
        return Scores(maps.mean(dim=(1, 2)), maps)


@pytest.fixture
def brightness():
    return Brightness()


@pytest.fixture(scope="module")
def brightness_of_module():
    return Brightness()

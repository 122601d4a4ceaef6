"""Training batches: images, regions in them, captions of both, and which caption is true of which region."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from demo_backbone.captions import Caption, attributes, caption
from demo_backbone.pictures import Picture, turned
from demo_backbone.regions import Shows, choose, weights
from demo_backbone.settings import Settings

MEAN = torch.tensor((0.48145466, 0.4578275, 0.40821073)).view(3, 1, 1)  # of CLIP's training images
STD = torch.tensor((0.26862954, 0.26130258, 0.27577711)).view(3, 1, 1)


class Batch(NamedTuple):
    """One batch; a region is a whole image or a box in it.

    Attributes:
        images: (n, 3, 120, 120), normalised.
        owner: (regions,), the index of the region's image.
        pooling: (regions, 145), the weights of the tokens in the region's feature, the class token first.
        texts: the distinct captions.
        own: (regions,), the index of the region's caption.
        true: (regions, texts), whether a caption is true of a region.
    """

    images: Tensor
    owner: Tensor
    pooling: Tensor
    texts: list[str]
    own: Tensor
    true: Tensor


def batches(pool: Sequence[Picture], settings: Settings) -> Iterator[Batch]:
    """Yield all batches of a training; each pass through the pool has a new order."""
    rng = np.random.default_rng(settings.seed)
    order: list[int] = []
    for _ in range(settings.steps):
        while len(order) < settings.batch:
            order += rng.permutation(len(pool)).tolist()
        taken, order = order[: settings.batch], order[settings.batch :]
        yield make([turned(pool[number], int(rng.integers(8))) for number in taken], settings.boxes, rng)


def make(pictures: Sequence[Picture], boxes: int, rng: np.random.Generator) -> Batch:
    """Make one batch, with the whole image and `boxes` boxes of each picture."""
    grid = pictures[0].defect.shape[0]
    owner, pooling, facts, captions = [], [], [], []
    for number, picture in enumerate(pictures):
        whole = np.zeros(1 + grid * grid, np.float32)
        whole[0] = 1
        regions = choose(picture, boxes, rng)
        everything = Shows(picture.facts.kind is not None, picture.facts.mark is not None, thing=True)
        for shows in (everything, *(region.shows for region in regions)):
            facts.append(attributes(picture.facts, shows))
            captions.append(caption(picture.facts, shows, rng))
        pooling += [whole, *(np.concatenate([[np.float32(0)], weights(region, grid)]) for region in regions)]
        owner += [number] * (1 + len(regions))
    distinct = list(dict.fromkeys(captions))
    index_of = {distinct_caption: index for index, distinct_caption in enumerate(distinct)}
    return Batch(
        images=_normalised(pictures),
        owner=torch.tensor(owner),
        pooling=torch.from_numpy(np.stack(pooling)),
        texts=[distinct_caption.text for distinct_caption in distinct],
        own=torch.tensor([index_of[region_caption] for region_caption in captions]),
        true=truth(facts, distinct),
    )


def truth(facts: Sequence[frozenset[str]], captions: Sequence[Caption]) -> Tensor:
    """Whether each caption is true of each region, bool (regions, captions): all that it asserts are region's facts."""
    names = sorted(set().union(*facts, *(text.asserts for text in captions)))
    column = {name: number for number, name in enumerate(names)}
    has, says = np.zeros((len(facts), len(names)), np.float32), np.zeros((len(captions), len(names)), np.float32)
    for table, rows in ((has, facts), (says, [text.asserts for text in captions])):
        for row, members in enumerate(rows):
            table[row, [column[name] for name in members]] = 1
    return torch.from_numpy(says @ (1 - has).T == 0).T


def _normalised(pictures: Sequence[Picture]) -> Tensor:
    pixels = torch.from_numpy(np.stack([picture.image for picture in pictures])).permute(0, 3, 1, 2)
    return (pixels.float() / 255 - MEAN) / STD

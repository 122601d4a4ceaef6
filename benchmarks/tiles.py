"""Measure how maps of images in tiles differ from those of whole images at the same scale.

Each image is a square of four generated ones of `demo`, 240 × 240 pixels. As a whole it goes through the encoder at
240 pixels; its tiles have 120 pixels, the size of the demo backbone. A patch covers the same pixels in both, but in a
tile it sees less of its surroundings, and has another position. Differences are those of pixels that one tile alone
covers, in standard deviations of all whole maps.

    python benchmarks/tiles.py
    python benchmarks/tiles.py --method fbclip --checkpoint FILE
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

import zsadbench
from zsadbench.metrics import aupro, pixel_auroc
from zsadbench.predict.tiles import Tiles, resized, score_tiled

SIDE = 120  # pixels of a tile
WHOLE = (2 * SIDE, 2 * SIDE)


def squares(count: int) -> list[tuple[Image.Image, np.ndarray]]:
    """Return squares of four test images, each with its mask, (240, 240), bool; every second image has a defect."""
    found = zsadbench.load_dataset("demo").manifest.query("split == 'test'")
    chosen = found.groupby(["class", "label"]).head(count)
    normal, anomalous = (chosen[chosen.label == label].itertuples() for label in (0, 1))
    rows = [row for pair in zip(normal, anomalous, strict=False) for row in pair]
    made = []
    for first in range(0, len(rows) - 3, 4):
        image, mask = Image.new("RGB", WHOLE), np.zeros(WHOLE, bool)
        for place, row in enumerate(rows[first : first + 4]):
            top, left = SIDE * (place // 2), SIDE * (place % 2)
            image.paste(Image.open(row.path).convert("RGB").resize((SIDE, SIDE)), (left, top))
            if Path(row.mask).is_file():
                one = Image.open(row.mask).convert("L").resize((SIDE, SIDE), Image.Resampling.NEAREST)
                mask[top : top + SIDE, left : left + SIDE] = np.asarray(one) > 0
        made.append((image, mask))
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--method", default="clip")
    parser.add_argument("--checkpoint")
    parser.add_argument("--images", type=int, default=8, help="of each class and label")
    arguments = parser.parse_args()
    whole, piece = (
        zsadbench.load_method(arguments.method, "demo", checkpoint=arguments.checkpoint, image_size=size)
        for size in (2 * SIDE, SIDE)
    )
    images = squares(arguments.images)
    masks = np.stack([mask for _, mask in images])
    wanted = np.stack([resized(whole.score_batch([image], "object").pixel[0].numpy(), WHOLE) for image, _ in images])
    print(f"{arguments.method}: {len(images)} images of {WHOLE[0]} × {WHOLE[1]} pixels in tiles of {SIDE}")
    print("| overlap | median | 95 % | 99 % | largest | correlation | pixel AUROC | AUPRO |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    print(f"| whole | | | | | | {100 * pixel_auroc(wanted, masks):.1f} | {100 * aupro(wanted, masks):.1f} |")
    for overlap in (0, SIDE // 4, SIDE // 2):
        tiles = Tiles(SIDE, overlap)
        maps = np.stack([score_tiled(piece, image, "object", tiles, 4)[1] for image, _ in images])
        along = np.zeros(WHOLE[0], int)
        for start in tiles.starts(WHOLE[0]):
            along[start : start + SIDE] += 1
        alone = np.outer(along, along) == 1
        apart = np.abs(maps - wanted)[:, alone] / wanted.std()
        shown = [f"{value:.2f}" for value in (*np.quantile(apart, (0.5, 0.95, 0.99)), apart.max())]
        together = np.corrcoef(maps[:, alone].ravel(), wanted[:, alone].ravel())[0, 1]
        auroc, pro = (100 * metric(maps, masks) for metric in (pixel_auroc, aupro))
        print(f"| {overlap} | {' | '.join(shown)} | {together:.3f} | {auroc:.1f} | {pro:.1f} |")


if __name__ == "__main__":
    main()

"""Few-shot and batch methods on real images with a real image encoder: a smoke test of 49 images, no benchmark.

Three classes of MVTec AD, 16 or 17 test images each. Methods that compare with normal images get the first four normal
test images of the class, and are measured on the others; methods that need none are measured on all. Such a memory is
no published protocol, and an image AUROC of 13 images moves in steps of two to three points.

    ZSADBENCH_REAL_DATA=DIR ZSADBENCH_REAL_WEIGHTS=DIR python benchmarks/real.py [--maps OUT] [--json]

The folders hold `mvtec_sample/` and `vit_small_patch14_518.safetensors`; without them nothing is measured.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch

from zsadbench import load_method
from zsadbench.clip.union import join, slice_batch
from zsadbench.data import read_image
from zsadbench.data.images.masks import read_mask, resize_mask_nearest
from zsadbench.engine.evaluate.whole_class import ClassGathering
from zsadbench.metrics import PixelMetrics, image_metrics
from zsadbench.pictures import overlay, write_png
from zsadbench.predict.detector import LoadedMethod
from zsadbench.types import FewShot, Scores, Tokens

CLASSES = ("bottle", "capsule", "metal_nut")
BACKBONE, WEIGHTS = "vit_small_patch14_dinov2", "vit_small_patch14_518.safetensors"
SHOTS = 4
OWN = ("numbering=own",)
PLAIN = ("masks=off", "angles=0", "layer=7", "final_norm=false", *OWN)  # AnomalyDINO as a plain nearest neighbour
MUTUAL = ("layers=4,6,8,10", "class_layer=12", "activation=native", *OWN)
METRICS = ("image_auroc", "pixel_auroc", "pixel_aupro", "pixel_ap")


@dataclass(frozen=True)
class Subject:
    """One row of the table.

    `size` is the side of the images, `map_size` that of the measured maps, 0 for that of the original images; `sigma`
    of the Gaussian in pixels of these maps, None for the method's own.
    """

    title: str
    method: str
    options: tuple[str, ...] = ()
    size: int = 518
    map_size: int = 518
    sigma: float | None = None
    expected: dict[str, tuple[float, ...]] = field(default_factory=dict)  # pixel AUROC of the reference by class


SUBJECTS = (
    Subject(
        "nearest neighbour, block 7", "anomalydino", PLAIN, sigma=0.0, expected={"pixel_auroc": (97.1, 97.8, 97.3)}
    ),
    Subject("AnomalyDINO, block 7, 448 px", "anomalydino", PLAIN, 448, 0, expected={"pixel_auroc": (97.7, 98.0, 97.0)}),
    Subject("AnomalyDINO, block 7, eight angles, 448 px", "anomalydino", PLAIN[:1] + PLAIN[2:], 448, 0),
    Subject("AnomalyDINO, last block, as published, 448 px", "anomalydino", ("masks=off", "angles=0"), 448, 0),
    Subject("AnomalyDINO batched, block 7, 448 px", "anomalydino", ("batched=true", *PLAIN), 448, 0),
    Subject("MuSc, blocks 4, 6, 8, 10", "musc", MUTUAL, expected={"pixel_auroc": (98.4, 98.5, 98.1)}),
    Subject("MuSc, the same through the final norm", "musc", ("final_norm=true", *MUTUAL)),
    Subject("AF-CLIP+'s memory, block 7", "afclip-memory", ("layers=14",)),
    Subject("AF-CLIP+'s memory, blocks 3, 6, 9, 12", "afclip-memory"),
    Subject("PatchCore's memory, block 7, 10 %", "patchcore", ("layers=7", *OWN)),
    Subject("PatchCore's memory, block 7, unit length", "patchcore", ("layers=7", "unit=true", "coreset=all", *OWN)),
    Subject("distance to the mean token, block 7", "token-distance", ("layer=13",)),
    Subject("distance to the mean colour", "colour-distance"),
)


@dataclass(frozen=True)
class ClassFiles:
    """The test images of one class: `paths`, `masks` (None for normal ones); the first normal ones come first."""

    paths: list[Path]
    masks: list[Path | None]

    @classmethod
    def of(cls, root: Path) -> ClassFiles:
        """Find the files below the folder of a class."""
        normal = sorted((root / "test" / "good").glob("*.png"))
        anomalous = sorted(path for path in (root / "test").glob("*/*.png") if path.parent.name != "good")
        masks = [root / "ground_truth" / path.parent.name / f"{path.stem}_mask.png" for path in anomalous]
        return cls([*normal, *anomalous], [*(None for _ in normal), *masks])

    @property
    def labels(self) -> list[int]:
        """0 normal, 1 anomalous."""
        return [int(mask is not None) for mask in self.masks]


def scored(detector: LoadedMethod, files: ClassFiles, angles: Sequence[float]) -> Iterator[tuple[int, Scores]]:
    """Yield number and scores of the test images of one class."""
    from zsadbench.data.images.turn import turned

    def tokens_of(path: Path, angle: float = 0.0) -> Tokens:
        return detector.tokens(turned(read_image(path), angle), "object")

    tokens = join([tokens_of(path) for path in files.paths])
    everything = range(len(files.paths))
    if detector.scores_whole_classes:
        gathering = ClassGathering(detector.scorer)
        gathering.begin("object")
        gathering.gather(tokens, [str(path) for path in files.paths])
        yield from zip(everything, gathering.images(len(files.paths)), strict=True)
        return
    first = 0
    if isinstance(detector.method, FewShot) and detector.setup.method.card.few_shot:
        first = SHOTS
        with torch.inference_mode():
            detector.method.remember(join([tokens_of(path, angle) for angle in angles for path in files.paths[:SHOTS]]))
    for number in everything[first:]:
        yield number, detector.scorer.score(slice_batch(tokens, slice(number, number + 1)), ["object"])


def measured(subject: Subject, files: ClassFiles, detector: LoadedMethod, out: Path | None) -> dict[str, float]:
    """Measure one method on one class: metrics in percent, and seconds."""
    card, start = detector.setup.method.card, perf_counter()
    turned = card.turned_supports
    angles = (0.0,) if turned is None else turned(detector.setup.method.options)
    if subject.sigma is not None:
        detector.scorer.sigma = subject.sigma
    pixels, scores, labels, maps = PixelMetrics(), [], [], {}
    for number, one in scored(detector, files, angles):
        mask = _mask(files.masks[number], files.paths[number], subject.map_size)
        (anomaly_map,) = (wait() for wait in detector.scorer.start_maps(one.pixel, [(mask.shape[0], mask.shape[1])]))
        pixels.update(anomaly_map[None], mask[None])
        scores.append(float(one.image[0]))
        labels.append(files.labels[number])
        maps[files.paths[number]] = anomaly_map
    if out is not None:
        _draw(maps, out)
    of_images, of_pixels = image_metrics(np.array(scores), np.array(labels)), pixels.compute()
    values = {f"image_{name}": of_images[name].value for name in ("auroc",)}
    values |= {f"pixel_{name}": of_pixels[name].value for name in ("auroc", "aupro", "ap")}
    return {name: 100 * (value or 0.0) for name, value in values.items()} | {"seconds": perf_counter() - start}


def _mask(mask: Path | None, image: Path, size: int) -> Any:
    """Return a mask at the size of the map, uint8 of 0 and 1; zeros for a normal image."""
    picture = read_image(image)
    native = np.zeros((picture.height, picture.width), np.uint8) if mask is None else read_mask(mask, "!= 0")
    return resize_mask_nearest(native, size) if size else native


def _draw(maps: dict[Path, Any], out: Path) -> None:
    """Write a heat map per image, on one scale for the class."""
    high = max(float(one.max()) for one in maps.values())
    for path, anomaly_map in maps.items():
        write_png(out / f"{path.parent.name}-{path.stem}.png", overlay(read_image(path), anomaly_map, 0.0, high))


def main() -> None:
    """Measure every method on every class and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object per row and class")
    parser.add_argument("--maps", type=Path, help="folder for heat maps")
    parser.add_argument("--only", default="", help="rows whose title contains this text")
    parser.add_argument("--class", dest="classes", action="append", choices=CLASSES, help="repeatable; default: all")
    arguments = parser.parse_args()
    data = Path(os.environ.get("ZSADBENCH_REAL_DATA", ".")) / "mvtec_sample"
    weights = Path(os.environ.get("ZSADBENCH_REAL_WEIGHTS", ".")) / WEIGHTS
    missing = [str(path) for path in (data, weights) if not path.exists()]
    if missing:
        print(f"skipped: {' and '.join(missing)} not found; set ZSADBENCH_REAL_DATA and ZSADBENCH_REAL_WEIGHTS")
        return
    for subject in SUBJECTS:
        if arguments.only not in subject.title:
            continue
        detector = load_method(
            subject.method, BACKBONE, str(weights), options=subject.options, image_size=subject.size, offline=True
        )
        for number, name in enumerate(CLASSES):
            if arguments.classes and name not in arguments.classes:
                continue
            out = arguments.maps / subject.title.replace(" ", "-") / name if arguments.maps else None
            values = measured(subject, ClassFiles.of(data / name), detector, out)
            expected = {metric: known[number] for metric, known in subject.expected.items()}
            if arguments.json:
                print(json.dumps({"row": subject.title, "class": name, **values, "expected": expected}), flush=True)
                continue
            told = " / ".join(f"{values[metric]:.1f}" for metric in METRICS)
            reference = "".join(f", reference {value}" for value in expected.values())
            print(f"{subject.title:48} {name:10} {told}{reference} ({values['seconds']:.0f} s)", flush=True)


if __name__ == "__main__":
    main()

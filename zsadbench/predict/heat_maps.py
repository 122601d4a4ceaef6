"""`zsadbench predict`: heat maps and scores of one's own images, no labels needed."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from zsadbench.data import read_image
from zsadbench.engine.encode.towers import build_towers
from zsadbench.engine.learn.detector import train_or_load
from zsadbench.engine.machine.device import choose_device
from zsadbench.engine.machine.threads import limited_threads
from zsadbench.engine.plan.jobs import make_detector_plan
from zsadbench.engine.plan.request import RunRequest
from zsadbench.errors import DataError
from zsadbench.files import write_atomically
from zsadbench.pictures import overlay, write_png
from zsadbench.predict.detector import LoadedMethod
from zsadbench.printing import one_line


@dataclass(frozen=True)
class Finding:
    """One image: its score, its largest map value and its heat map; or why it could not be scored."""

    image: Path
    score: float | None = None
    highest: float | None = None
    heat_map: Path | None = None
    failure: str = ""


def make_detector(request: RunRequest) -> LoadedMethod:
    """The only method of a request, from its checkpoint, from the cache, or trained on the auxiliary set.

    Raises:
        UsageError, WeightsError, DataError: as `make_plan`.
    """
    setup, aux = make_detector_plan(request)
    towers = build_towers(setup, choose_device(request.device))
    seed = next(iter(request.seeds), 0)
    with limited_threads():
        trained = train_or_load(setup, towers, aux, seed, workers=request.workers)
    return LoadedMethod(setup, towers, trained.method)


def inspect(detector: LoadedMethod, images: Iterable[Path], class_name: str, out: Path) -> Iterator[Finding]:
    """Score the images one after another and write each heat map below `out`; an unreadable one is reported."""
    low, high = detector.setup.method.card.map_range
    taken: set[str] = set()
    for image in images:
        try:
            picture = read_image(image)
            with limited_threads():
                scores = detector.predict(picture, class_name)
        except DataError as failure:
            yield Finding(image, failure=str(failure))
            continue
        heat_map = out / free_name(image.stem, taken, ".png")
        values = scores.pixel[0].numpy()
        write_png(heat_map, overlay(picture, values, low, high))
        yield Finding(image, float(scores.image[0]), float(values.max()), heat_map)


def free_name(stem: str, taken: set[str], ending: str = "") -> str:
    """A name that no other image of this call has, whatever the case; from now on it is taken."""
    name, number = f"{stem}{ending}", 1
    while name.casefold() in taken:
        number += 1
        name = f"{stem}-{number}{ending}"
    taken.add(name.casefold())
    return name


def write_scores(path: Path, findings: Iterable[Finding]) -> None:
    """`path, score, highest, heat_map` of every image, in the order given; empty where it could not be scored.

    Paths are as they are printed, so that every row is one line of UTF-8.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["path", "score", "highest", "heat_map"])
    for one in findings:
        cells = (one.image, one.score, one.highest, one.heat_map)
        writer.writerow(["" if cell is None else one_line(cell) for cell in cells])
    write_atomically(path, buffer.getvalue().encode())

"""`zsadbench predict`: scores and heat maps of images without labels."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from zsadbench.data import read_image
from zsadbench.errors import CellError, DataError
from zsadbench.files import write_atomically
from zsadbench.pictures import write_png
from zsadbench.predict.colour_range import ColourRange, attempt, choose_range
from zsadbench.predict.detector import LoadedMethod
from zsadbench.predict.map_picture import map_picture
from zsadbench.printing import spreadsheet_text
from zsadbench.types import Scores


@dataclass(frozen=True)
class Prediction:
    """The result of one image: score, largest value of its anomaly map, file of its picture and its colour scale.

    Where the image could not be read or scored, `failure` says why and the other fields are None.
    """

    image: Path
    score: float | None = None
    highest: float | None = None
    heat_map: Path | None = None
    failure: str = ""
    scale: ColourRange | None = None


def predict_images(detector: LoadedMethod, images: Mapping[Path, str], out: Path) -> Iterator[Prediction]:
    """Score images one after another and write a picture of the map of each.

    All maps have one colour scale, which is chosen from at most 32 maps of this call (`colour_range.choose_range`). An
    image that cannot be read or scored gives a prediction with a `failure`, and the others go on.

    Args:
        detector: the loaded method.
        images: path of an image → the word for its prompts.
        out: folder for the pictures, `<image name>.png`.
    """
    scale, attempts = choose_range(detector, images)
    taken: set[str] = set()
    for path, word in images.items():
        scores = attempts.pop(path, None) or attempt(detector, path, word)
        try:
            if not isinstance(scores, Scores):
                raise scores
            image = read_image(path)
        except (DataError, CellError) as failure:
            yield Prediction(path, failure=f"{path}: {failure}" if isinstance(failure, CellError) else str(failure))
            continue
        heat_map = out / free_name(path.stem, taken, ".png")
        anomaly_map = scores.pixel[0].numpy()
        write_png(heat_map, map_picture(image, anomaly_map, scale))
        yield Prediction(path, float(scores.image[0]), float(anomaly_map.max()), heat_map, scale=scale)


def free_name(stem: str, taken: set[str], suffix: str = "") -> str:
    """Return a file name that is not in `taken`, upper and lower case being the same, and add it to `taken`."""
    name, number = f"{stem}{suffix}", 1
    while name.casefold() in taken:
        number += 1
        name = f"{stem}-{number}{suffix}"
    taken.add(name.casefold())
    return name


def write_scores(path: Path, predictions: Iterable[Prediction]) -> None:
    """Write a CSV table with one row per image: `path, score, highest, heat_map`.

    Rows are in the order of the images; the last three columns are empty where the image could not be read. Paths are
    escaped as on the terminal, so that every row is one line of UTF-8. A path that begins like a formula gets an
    apostrophe.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["path", "score", "highest", "heat_map"])
    for prediction in predictions:
        numbers = ["" if value is None else value for value in (prediction.score, prediction.highest)]
        heat_map = "" if prediction.heat_map is None else spreadsheet_text(prediction.heat_map)
        writer.writerow([spreadsheet_text(prediction.image), *numbers, heat_map])
    write_atomically(path, buffer.getvalue().encode())

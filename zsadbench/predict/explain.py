"""`zsadbench explain`: the stages of a method as pictures, one folder per image.

OUT/<image>/<stage>.png       one file per picture, in the aspect of the image; `stages.py` says what it shows
OUT/<image>/sheet.png         all pictures, with titles and colour scales
OUT/<image>/stages.json       per stage: name, shape, smallest and largest value, equation, drawing, scale, files
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zsadbench.data import UserImage, read_image
from zsadbench.errors import CellError, DataError
from zsadbench.files import write_atomically
from zsadbench.pictures import SCALES, write_png
from zsadbench.predict.detector import LoadedMethod
from zsadbench.predict.drawing.contact_sheet import contact_sheet
from zsadbench.predict.heat_maps import choose_scale, free_name
from zsadbench.predict.scoring import ImageScorer
from zsadbench.predict.stages import TOKEN_RANGE, Stage, stages_of
from zsadbench.records import safe_name

if TYPE_CHECKING:
    from PIL.Image import Image

    from zsadbench.pictures import Colours

SIDE = 448  # pixels of the longer side of a picture
SCHEMA = 1  # version of stages.json

PictureFiles = dict[str, list[tuple[str, str]]]  # label and file name of every picture, by stage


@dataclass(frozen=True)
class Explanation:
    """The result of one image: its folder, its score and the number of pictures.

    Where the image could not be read, `failure` says why and there is no folder.
    """

    image: Path
    folder: Path | None = None
    score: float | None = None
    pictures: int = 0
    failure: str = ""


def explain(detector: LoadedMethod, images: Mapping[Path, str], out: Path) -> Iterator[Explanation]:
    """Draw all stages of images one after another, the anomaly map first.

    Maps have one colour scale, chosen from at most 12 maps of this call (`heat_maps.choose_scale`); the scales of
    other stages are those of the method's notes.

    An image that cannot be read gives an explanation with a `failure`, and the others go on.

    Args:
        detector: the loaded method.
        images: path of an image → the word for its prompts.
        out: folder in which every image gets a folder.

    Raises:
        UsageError: the method does not return its stages.
    """
    listed = [UserImage(path, word, path.name) for path, word in images.items()]
    scale, _ = choose_scale(ImageScorer(detector), listed)
    ends = tuple(map(float, scale.ends))
    taken: set[str] = set()
    for path, word in images.items():
        try:
            image = read_image(path)
            tensors = detector.stages(image, word)
        except (DataError, CellError) as failure:
            yield Explanation(path, failure=f"{path}: {failure}" if isinstance(failure, CellError) else str(failure))
            continue
        grid = detector.backbone.grid
        stages = stages_of(tensors, detector.setup.method.card, grid, (ends[0], ends[1]))
        folder = out / free_name(safe_name(path.stem), taken)
        files = _write_pictures(folder, stages, image)
        score = float(tensors["score"].reshape(-1)[0])
        about = {"method": detector.setup.name, "image": path.name, "class_name": word, "score": score}
        headline = f"{about['method']}: {path.name} as '{word}', score {score:.4f}"
        drawn = (tensors["map"][0].numpy(), ends[0], ends[1])
        write_png(folder / "sheet.png", contact_sheet(image, stages, headline, drawn))
        _write_json(folder / "stages.json", {"schema": SCHEMA, **about, "grid": grid}, stages, files)
        yield Explanation(path, folder, score, sum(map(len, files.values())))


def _write_pictures(folder: Path, stages: Sequence[Stage], image: Image) -> PictureFiles:
    """Write one file per panel and return the files by stage."""
    files: PictureFiles = {}
    for stage in stages:
        several = len(stage.panels) > 1
        for panel in stage.panels:
            name = safe_name(f"{stage.name}_{panel.label}" if several else stage.name) + ".png"
            write_png(folder / name, _enlarged(panel.colours, image.size))
            files.setdefault(stage.name, []).append((panel.label, name))
    return files


def _enlarged(colours: Colours, size: tuple[int, int]) -> Image:
    """Enlarge a grid of colours to the aspect of an image of `size`, longer side `SIDE`; a patch becomes one block."""
    from PIL import Image as Pictures

    scale = SIDE / max(size)
    shape = tuple(max(1, round(scale * side)) for side in size)
    return Pictures.fromarray(colours).resize((shape[0], shape[1]), Pictures.Resampling.NEAREST)


def _write_json(path: Path, about: dict[str, Any], stages: Sequence[Stage], files: PictureFiles) -> None:
    """Write `stages.json`: what was explained, the colour scales, and one entry per stage."""
    entries = [_entry(stage, files.get(stage.name, [])) for stage in stages]
    text = json.dumps({**about, "scales": SCALES, "stages": entries}, indent=1, allow_nan=False, ensure_ascii=False)
    write_atomically(path, f"{text}\n".encode(errors="backslashreplace"))  # JSON's own way to write a lone surrogate


def _entry(stage: Stage, files: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Make the entry of one stage in `stages.json`."""
    finite = stage.values[np.isfinite(stage.values)]
    entry: dict[str, Any] = {
        "name": stage.name,
        "shape": list(stage.values.shape),
        "min": float(finite.min()) if finite.size else None,
        "max": float(finite.max()) if finite.size else None,
        "not_finite": math.prod(stage.values.shape) - int(finite.size),
    }
    note = stage.note
    if note is not None:
        entry |= {"title": note.title, "equation": note.equation, "paper": note.paper}
    if not stage.panels or note is None:
        return entry | {"pictures": [], "not_drawn": stage.undrawn}
    scale: dict[str, Any] = {"colours": note.scale, "low": note.low, "high": note.high}
    if note.drawing == "tokens":
        scale = {"colours": "components", "low": -TOKEN_RANGE, "high": TOKEN_RANGE}
        scale["unit"] = "deviations of the first component"
    pictures = [{"label": label, "file": name} for label, name in files]
    return entry | {"drawing": note.drawing, "scale": scale, "pictures": pictures}

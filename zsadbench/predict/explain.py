"""`zsadbench explain`: the stages of a method as pictures, one folder an image.

OUT/<image>/<stage>.png       one a picture, in the image's aspect; see `engine.explain_stages` for what it shows
OUT/<image>/sheet.png         all of them, with titles and scales
OUT/<image>/stages.json       name, shape, smallest and largest value, equation, drawing, colour scale, files
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zsadbench.data import read_image
from zsadbench.errors import DataError
from zsadbench.files import write_atomically
from zsadbench.pictures import SCALES, write_png
from zsadbench.predict.contact_sheet import contact_sheet
from zsadbench.predict.detector import LoadedMethod
from zsadbench.predict.heat_maps import free_name
from zsadbench.predict.stages import REACH, Stage, stages_of
from zsadbench.records import safe_name

if TYPE_CHECKING:
    from PIL.Image import Image

    from zsadbench.pictures import Colours

SIDE = 448  # pixels of the longer side of a picture
SCHEMA = 1


@dataclass(frozen=True)
class Explained:
    """One image: its score, its folder and how many pictures lie there; or why it has none."""

    image: Path
    folder: Path | None = None
    score: float | None = None
    pictures: int = 0
    failure: str = ""


def explain(detector: LoadedMethod, images: Iterable[Path], class_name: str, out: Path) -> Iterator[Explained]:
    """Draw the stages of the images one after another below `out`; an unreadable image is reported.

    Raises:
        UsageError: the method shows no stages.
    """
    taken: set[str] = set()
    for image in images:
        try:
            picture = read_image(image)
            found = detector.stages(picture, class_name)
        except DataError as failure:
            yield Explained(image, failure=str(failure))
            continue
        grid = detector.backbone.grid
        stages = stages_of(found, detector.setup.method.card, grid)
        folder = out / free_name(safe_name(image.stem), taken)
        files = _write_pictures(folder, stages, picture)
        score = float(found["score"].reshape(-1)[0])
        about = {"method": detector.setup.name, "image": image.name, "class_name": class_name, "score": score}
        write_png(folder / "sheet.png", contact_sheet(picture, stages, _headline(about)))
        _write_list(folder / "stages.json", {"schema": SCHEMA, **about, "grid": grid}, stages, files)
        yield Explained(image, folder, score, sum(map(len, files.values())))


def _headline(about: dict[str, Any]) -> str:
    return f"{about['method']}: {about['image']} as '{about['class_name']}', score {about['score']:.4f}"


def _write_pictures(folder: Path, stages: Sequence[Stage], image: Image) -> dict[str, list[tuple[str, str]]]:
    """Write all panels; label and file name of each, by stage."""
    files: dict[str, list[tuple[str, str]]] = {}
    for stage in stages:
        several = len(stage.panels) > 1
        for panel in stage.panels:
            name = safe_name(f"{stage.name}_{panel.label}" if several else stage.name) + ".png"
            write_png(folder / name, _as_picture(panel.colours, image.size))
            files.setdefault(stage.name, []).append((panel.label, name))
    return files


def _as_picture(colours: Colours, size: tuple[int, int]) -> Image:
    """A grid in the aspect of an image of `size`, its longer side `SIDE`; each patch stays one block of colour."""
    from PIL import Image as Pictures

    scale = SIDE / max(size)
    shape = tuple(max(1, round(scale * side)) for side in size)
    return Pictures.fromarray(colours).resize((shape[0], shape[1]), Pictures.Resampling.NEAREST)


def _write_list(
    path: Path, about: dict[str, Any], stages: Sequence[Stage], files: dict[str, list[tuple[str, str]]]
) -> None:
    listed = [_entry(stage, files.get(stage.name, [])) for stage in stages]
    text = json.dumps({**about, "scales": SCALES, "stages": listed}, indent=1, allow_nan=False, ensure_ascii=False)
    write_atomically(path, f"{text}\n".encode(errors="backslashreplace"))  # JSON's own way to write a lone surrogate


def _entry(stage: Stage, files: Sequence[tuple[str, str]]) -> dict[str, Any]:
    finite = stage.values[np.isfinite(stage.values)]
    entry: dict[str, Any] = {
        "name": stage.name,
        "shape": list(stage.values.shape),
        "min": float(finite.min()) if finite.size else None,
        "max": float(finite.max()) if finite.size else None,
        "not_finite": math.prod(stage.values.shape) - int(finite.size),
    }
    if stage.note is not None:
        entry |= {"title": stage.note.title, "equation": stage.note.equation, "paper": stage.note.paper}
    if not stage.panels or stage.note is None:
        return entry | {"pictures": [], "not_drawn": stage.undrawn}
    pictures = [{"label": label, "file": name} for label, name in files]
    return entry | {"drawing": stage.note.drawing, "scale": _scale(stage), "pictures": pictures}


def _scale(stage: Stage) -> dict[str, Any]:
    assert stage.note is not None  # noqa: S101 - a stage with pictures has one
    if stage.note.drawing == "tokens":
        return {"colours": "components", "low": -REACH, "high": REACH, "unit": "deviations of the first component"}
    return {"colours": stage.note.scale, "low": stage.note.low, "high": stage.note.high}

"""From the stages of one image to grids of colours: which tensors have a picture, and how it is made.

A stage is drawn where its last axes are the patches of the image: (…, grid, grid), (…, patches) or, with a vector a
patch, (…, patches, width); a class token before the patches is left out. `map` has a value a pixel. Axes before those,
such as one for the tapped layers, give several pictures. What each picture shows is the stage's `StageNote`:

- `values`: one number a patch.
- `tokens`: the first three principal components of the patches of this image as red, green and blue. Each is divided
  by the deviation of the first and shown from −2.5 to 2.5; mid-grey is the mean. Its sign is such that the sum of its
  cubes is positive: the rarer side is bright. Colours of two pictures are no common axes.
- `text`: cos(u, abnormal) − cos(u, normal) of a vector u of the joint space, with the rows of `text_features`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from zsadbench.pictures import Colours, paint
from zsadbench.types import StageNote

if TYPE_CHECKING:
    from torch import Tensor

    from zsadbench.types import MethodCard

Array = NDArray[np.float32]
REACH = 2.5  # deviations of the first component from mid-grey to black and to full colour
BLOCK = re.compile(r"_(l\d+)")
WHOLE = ("text_features", "score")  # what every method calls its numbers that have no place in the image


@dataclass(frozen=True)
class Panel:
    """One picture of a stage: `row` is the same for its like, `label` says which of them, such as the tapped block."""

    row: str
    label: str
    colours: Colours


@dataclass(frozen=True)
class Stage:
    """One stage of one image. `panels` is empty where it has no picture, and `undrawn` says why."""

    name: str
    values: Array
    note: StageNote | None = None
    panels: Sequence[Panel] = ()
    undrawn: str = ""


def stages_of(found: Mapping[str, Tensor], card: MethodCard, grid: int) -> list[Stage]:
    """Every stage: those with a picture in the order of the notes, then the others.

    Args:
        found: what `LoadedMethod.stages` gave for one image.
        card: the method's, for its notes and the range of its maps.
        grid: patches along a side.
    """
    arrays = {name: np.asarray(tensor.numpy(), np.float32) for name, tensor in found.items()}
    notes = [*card.notes, *_usual(card)]
    made = [_stage(name, arrays, notes, grid, guess=not card.notes) for name in arrays]
    order = [note.stages for note in notes]
    return sorted(made, key=lambda one: (not one.panels, order.index(one.note.stages) if one.note in notes else -1))


def _usual(card: MethodCard) -> list[StageNote]:
    """What every method has: its map before and after it is enlarged."""
    low, high = card.map_range
    smoothing = f"Gaussian, sigma {card.smoothing:g} pixels" if card.smoothing else "no smoothing"
    return [
        StageNote("map_grid", "map", "the score of every patch", "", "values", low, high, "heat"),
        StageNote("map", "map, enlarged", f"bilinear to the image size; {smoothing}", "", "values", low, high, "heat"),
    ]


def _stage(name: str, found: Mapping[str, Array], notes: Sequence[StageNote], grid: int, *, guess: bool) -> Stage:
    values = found[name]
    if name in WHOLE:
        return Stage(name, values, undrawn="it is of the whole image")
    if not np.isfinite(values).all():
        return Stage(name, values, undrawn="it has values that are not finite")
    note = next((one for one in notes if fnmatchcase(name, one.stages)), None)
    if note is None and guess:
        note = _guessed(name, values, grid)
    if note is None:
        return Stage(name, values, undrawn="its method has no note on it")
    fields = _by_patch(values, grid) if note.drawing == "values" else _vectors(values, grid)
    if fields is None:
        return Stage(
            name, values, note, undrawn=f"its shape {list(values.shape)} has no grid of {grid} × {grid} patches"
        )
    return Stage(name, values, note, tuple(_panels(name, fields, note, found)))


def _guessed(name: str, values: Array, grid: int) -> StageNote | None:
    """A note on what its method does not describe; numbers are drawn between their own ends, and the title says so."""
    if values.ndim > 2 and _vectors(values, grid) is not None:
        return StageNote(name, name, "", "", "tokens")
    if _by_patch(values, grid) is None:
        return None
    low, high = float(values.min()), float(values.max())
    return StageNote(name, f"{name} (own range)", "", "", "values", low, high if high > low else low + 1)


def _by_patch(values: Array, grid: int) -> Array | None:
    """(pictures, height, width) of a stage with one number a patch, or a pixel; None where it has no such axes."""
    *_, high, wide = (1, *values.shape) if values.ndim else (0, 0)
    if high == wide >= grid:
        return values.reshape(-1, high, wide)
    kept = values[..., 1:] if wide == 1 + grid**2 else values
    return kept.reshape(-1, grid, grid) if kept.shape[-1:] == (grid**2,) else None


def _vectors(values: Array, grid: int) -> Array | None:
    """(pictures, patches, width) of a stage with a vector a patch; None where it has no such axes."""
    if values.ndim < 2 or values.shape[-2] not in {grid**2, 1 + grid**2}:
        return None
    return values[..., values.shape[-2] - grid**2 :, :].reshape(-1, grid**2, values.shape[-1])


def _panels(name: str, fields: Array, note: StageNote, found: Mapping[str, Array]) -> Iterator[Panel]:
    block = BLOCK.search(name)
    row = BLOCK.sub("", name)
    taps = list(dict.fromkeys(one[1] for stage in found if (one := BLOCK.search(stage))))
    numbers = taps if len(taps) == len(fields) else [str(place + 1) for place in range(len(fields))]
    labels = numbers if len(fields) > 1 else [block[1] if block else ""]
    for label, field in zip(labels, fields, strict=True):
        yield Panel(row, label, _colours(field, note, found))


def _colours(field: Array, note: StageNote, found: Mapping[str, Array]) -> Colours:
    if note.drawing == "tokens":
        return components(field)
    if note.drawing == "text":
        field = towards_abnormal(field, found["text_features"])
    return paint(field, note.low, note.high, note.scale)


def components(vectors: Array) -> Colours:
    """The picture of (grid², width) vectors by their first three principal components; see the module."""
    grid = math.isqrt(len(vectors))
    scores = _principal(vectors.astype(np.float64) - vectors.mean(axis=0, dtype=np.float64))
    deviation = float(scores[:, 0].std())
    scaled = scores / (REACH * deviation) if deviation > 0 else scores
    shown = np.clip((1 + scaled) / 2, 0, 1).reshape(grid, grid, 3)
    return np.asarray((255 * shown).round().astype(np.uint8))


def _principal(centred: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scores (patches, 3) on the three directions of largest variance, the signs by the sum of cubes."""
    from scipy.linalg import eigh

    width = centred.shape[1]
    first = min(3, width)
    _, directions = eigh(centred.T @ centred, subset_by_index=[width - first, width - 1])
    scores = centred @ directions[:, ::-1]
    scores *= np.where((scores**3).sum(axis=0) < 0, -1.0, 1.0)
    return np.pad(scores, ((0, 0), (0, 3 - first)))


def towards_abnormal(vectors: Array, text: Array) -> Array:
    """(grid, grid) differences of cosines of (grid², joint) vectors, with the abnormal and with the normal text."""
    grid = math.isqrt(len(vectors))
    normal, abnormal = text.reshape(-1, text.shape[-1])[:2]
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    away = abnormal / np.linalg.norm(abnormal) - normal / np.linalg.norm(normal)
    return np.asarray(unit @ away, np.float32).reshape(grid, grid)

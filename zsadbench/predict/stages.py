"""Turn the stages of one image into pictures: which tensors have a picture, and how it is coloured.

A stage has a picture if its last axes are the patches of the image: (…, grid, grid), (…, patches) or, with one vector
per patch, (…, patches, width). A class token before the patches is left out. `map` has one value per pixel. Axes before
those, such as one for the tapped blocks, give several pictures. The `drawing` of the stage's `StageNote` says what a
picture shows:

- `values`: one number per patch.
- `tokens`: the first three principal components of the patches of this image as red, green and blue. Each component is
  divided by the standard deviation of the first and shown from −2.5 to 2.5; mid-grey is the mean. Its sign is the one
  for which the sum of the cubes of its scores is positive, so that what is rare in the image is bright. The components
  are those of one picture: equal colours in two pictures mean nothing.
- `text`: cos(u, abnormal) − cos(u, normal) of a vector u of the joint space and the rows of `text_features`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
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
TOKEN_RANGE = 2.5  # standard deviations of the first component from mid-grey to black, and to full colour
BLOCK = re.compile(r"_(l\d+)")  # the tapped block in the name of a stage
MAPS = ("map", "map_grid")  # stages of every method, shown first
IMAGE_LEVEL = ("text_features", "score")  # stages of every method that have no position in the image


@dataclass(frozen=True)
class Panel:
    """One picture of a stage.

    `row` is the name of the stage without its block: panels of one row stand next to each other. `label` tells the
    panels of a row apart, for example by the tapped block. `colours` is (height, width, 3) uint8.
    """

    row: str
    label: str
    colours: Colours


@dataclass(frozen=True)
class Stage:
    """One stage of one image; where it has no `panels`, `undrawn` says why."""

    name: str
    values: Array
    note: StageNote | None = None
    panels: Sequence[Panel] = ()
    undrawn: str = ""


def stages_of(
    tensors: Mapping[str, Tensor], card: MethodCard, grid: int, map_range: tuple[float, float]
) -> list[Stage]:
    """Make the pictures of all stages: the map, those with a picture in the order of the notes, then the others.

    Args:
        tensors: stages of one image by name, from `LoadedMethod.stages`.
        card: the card of the method, for its notes.
        grid: patches along one side.
        map_range: map values at the two ends of the colour scale of maps.
    """
    arrays = {name: np.asarray(tensor.numpy(), np.float32) for name, tensor in tensors.items()}
    notes = [*(_on_range(note, card, map_range) for note in card.notes), *_map_notes(card, map_range)]
    stages = [_stage(name, arrays, notes, grid, guess=not card.notes) for name in arrays]
    order = [note.stages for note in notes]

    def place(stage: Stage) -> tuple[bool, int, int]:
        """Those with a picture first, of these the map first, then in the order of the notes."""
        first = MAPS.index(stage.name) if stage.name in MAPS else len(MAPS)
        return not stage.panels, first, order.index(stage.note.stages) if stage.note in notes else -1

    return sorted(stages, key=place)


def _on_range(note: StageNote, card: MethodCard, map_range: tuple[float, float]) -> StageNote:
    """A note on a map of the method takes the scale of maps; other notes keep theirs."""
    is_map = note.scale == "heat" and (note.low, note.high) == card.map_range
    return replace(note, low=map_range[0], high=map_range[1]) if is_map else note


def _map_notes(card: MethodCard, map_range: tuple[float, float]) -> list[StageNote]:
    """Return notes on the stages of every method: its map before and after enlarging."""
    low, high = map_range
    smoothing = f"Gaussian, sigma {card.smoothing:g} pixels" if card.smoothing else "no smoothing"
    return [
        StageNote("map", "anomaly map", f"bilinear to the image size; {smoothing}", "", "values", low, high, "heat"),
        StageNote("map_grid", "map by patch", "the score of every patch", "", "values", low, high, "heat"),
    ]


def _stage(name: str, arrays: Mapping[str, Array], notes: Sequence[StageNote], grid: int, *, guess: bool) -> Stage:
    """Make the pictures of one stage; with `guess`, a stage without a note gets one."""
    values = arrays[name]
    if name in IMAGE_LEVEL:
        return Stage(name, values, undrawn="it is of the whole image")
    if not np.isfinite(values).all():
        return Stage(name, values, undrawn="it has values that are not finite")
    note = next((note for note in notes if fnmatchcase(name, note.stages)), None)
    if note is None and guess:
        note = _guess_note(name, values, grid)
    if note is None:
        return Stage(name, values, undrawn="its method has no note on it")
    fields = _numbers_per_patch(values, grid) if note.drawing == "values" else _vectors_per_patch(values, grid)
    if fields is None:
        shape = list(values.shape)
        return Stage(name, values, note, undrawn=f"its shape {shape} has no grid of {grid} × {grid} patches")
    return Stage(name, values, note, tuple(_panels(name, fields, note, arrays)))


def _guess_note(name: str, values: Array, grid: int) -> StageNote | None:
    """Make a note from the shape of a stage; numbers are drawn from the smallest to the largest of this image."""
    if values.ndim > 2 and _vectors_per_patch(values, grid) is not None:
        return StageNote(name, name, "", "", "tokens")
    if _numbers_per_patch(values, grid) is None:
        return None
    low, high = float(values.min()), float(values.max())
    return StageNote(name, f"{name} (own range)", "", "", "values", low, high if high > low else low + 1)


def _numbers_per_patch(values: Array, grid: int) -> Array | None:
    """Reshape to (pictures, height, width), one number per patch or pixel; None where the shape does not fit."""
    *_, height, width = (1, *values.shape) if values.ndim else (0, 0)
    if height == width >= grid:
        return values.reshape(-1, height, width)
    patches = values[..., 1:] if width == 1 + grid**2 else values
    return patches.reshape(-1, grid, grid) if patches.shape[-1:] == (grid**2,) else None


def _vectors_per_patch(values: Array, grid: int) -> Array | None:
    """Reshape to (pictures, patches, width), one vector per patch; None where the shape does not fit."""
    if values.ndim < 2 or values.shape[-2] not in {grid**2, 1 + grid**2}:
        return None
    return values[..., values.shape[-2] - grid**2 :, :].reshape(-1, grid**2, values.shape[-1])


def _panels(name: str, fields: Array, note: StageNote, arrays: Mapping[str, Array]) -> Iterator[Panel]:
    """Colour every field of a stage; several fields are labelled by tapped block if there are as many blocks."""
    block = BLOCK.search(name)
    row = BLOCK.sub("", name)
    blocks = list(dict.fromkeys(match[1] for stage in arrays if (match := BLOCK.search(stage))))
    labels = [block[1] if block else ""]
    if len(fields) > 1:
        labels = blocks if len(blocks) == len(fields) else [str(number) for number in range(1, len(fields) + 1)]
    for label, field in zip(labels, fields, strict=True):
        if note.drawing == "tokens":
            colours = components(field)
        else:
            numbers = towards_abnormal(field, arrays["text_features"]) if note.drawing == "text" else field
            colours = paint(numbers, note.low, note.high, note.scale)
        yield Panel(row, label, colours)


def components(vectors: Array) -> Colours:
    """Draw vectors (grid², width) by their first three principal components, (grid, grid, 3) uint8.

    The range and the signs are described at the top of this module.
    """
    grid = math.isqrt(len(vectors))
    scores = _principal(vectors.astype(np.float64) - vectors.mean(axis=0, dtype=np.float64))
    deviation = float(scores[:, 0].std())
    scaled = scores / (TOKEN_RANGE * deviation) if deviation > 0 else scores
    shown = np.clip((1 + scaled) / 2, 0, 1).reshape(grid, grid, 3)
    return np.asarray((255 * shown).round().astype(np.uint8))


def _principal(centred: NDArray[np.float64]) -> NDArray[np.float64]:
    """Project centred vectors (patches, width) on the three directions of largest variance, (patches, 3).

    The sum of the cubes of each column is not negative. Where `width` is below 3, the last columns are 0.
    """
    from scipy.linalg import eigh

    width = centred.shape[1]
    count = min(3, width)
    _, directions = eigh(centred.T @ centred, subset_by_index=[width - count, width - 1])
    scores = centred @ directions[:, ::-1]
    scores *= np.where((scores**3).sum(axis=0) < 0, -1.0, 1.0)
    return np.pad(scores, ((0, 0), (0, 3 - count)))


def towards_abnormal(vectors: Array, text: Array) -> Array:
    """Compute cos(u, abnormal) − cos(u, normal) of every vector u, (grid, grid).

    Args:
        vectors: (grid², joint) in the joint space.
        text: text features, (…, joint); the first two rows are those of normal and abnormal.
    """
    grid = math.isqrt(len(vectors))
    normal, abnormal = text.reshape(-1, text.shape[-1])[:2]
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    difference = abnormal / np.linalg.norm(abnormal) - normal / np.linalg.norm(normal)
    return np.asarray(unit @ difference, np.float32).reshape(grid, grid)

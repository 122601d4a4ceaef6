"""Score images without labels, and draw a heat map and a small picture of each.

OUT/maps/<as the input>.png          the map over the image, the map alone, colour bar; `drawing/map_picture.py`
OUT/thumbnails/<as the input>.jpg    the image and the map over it, small, for the page
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path, PurePosixPath

from zsadbench.data import UserImage, read_image
from zsadbench.display.colour_range import ColourRange, contrast_range, evenly
from zsadbench.errors import DataError
from zsadbench.files import write_atomically
from zsadbench.pictures import encoded
from zsadbench.predict.drawing.map_picture import picture_bands, thumbnail
from zsadbench.predict.drawing.png_rows import write_rows
from zsadbench.predict.limits import Limits
from zsadbench.predict.prediction import Prediction
from zsadbench.predict.regions import strongest_region
from zsadbench.predict.scoring import Failed, ImageScorer, Scored

MAPS, THUMBNAILS = "maps", "thumbnails"
KEPT = 300_000_000  # bytes of maps that are kept after the scale was chosen; others are scored again
DRAWERS = 2  # threads that draw
LARGE = 12_000_000  # pixels; larger images are drawn one at a time


class Drawer:
    """Writes the pictures of scored images below `out`, on one colour scale.

    `taken` are names of pictures that are in use, without their extension and folded to lower case.
    """

    def __init__(self, out: Path, scale: ColourRange, limits: Limits, taken: Iterable[str] = ()) -> None:
        self.out, self.scale, self.limits, self.taken = out, scale, limits, set(taken)

    def place(self, image: UserImage) -> str:
        """Choose the name of an image's pictures, without extension: its relative path, `-2` added where taken."""
        path = PurePosixPath(image.relative)
        return free_name(path.with_suffix("").as_posix() if path.stem else path.as_posix(), self.taken)

    def draw(self, scored: Scored, place: str) -> Prediction:
        """Write the pictures of one image, and find its strongest region."""
        image = scored.image
        try:
            picture = scored.picture or read_image(image.path)
        except DataError as failure:
            return failure_of(Failed(image, str(failure)))
        heat_map, small = self.out / MAPS / f"{place}.png", self.out / THUMBNAILS / f"{place}.jpg"
        region = strongest_region(scored.map, picture.size, self.limits.pixel)
        write_atomically(small, encoded(thumbnail(picture, scored.map, self.scale, region), "JPEG", quality=82))
        write_rows(heat_map, *picture_bands(picture, scored.map, self.scale))
        return Prediction(
            image.path,
            scored.score,
            float(scored.map.max()),
            heat_map,
            scale=self.scale,
            relative=image.relative,
            word=image.word,
            region=region,
            seconds=scored.seconds,
            size=picture.size,
            thumbnail=small,
        )

    def draw_all(self, results: Iterable[Scored | Failed]) -> Iterator[Prediction]:
        """Draw images in their order, a few at a time; large ones, which need memory, one at a time."""
        with ThreadPoolExecutor(DRAWERS) as pool:
            waiting: deque[Future[Prediction]] = deque()
            for result in results:
                work: Callable[[], Prediction] = (
                    partial(failure_of, result)
                    if isinstance(result, Failed)
                    else partial(self.draw, result, self.place(result.image))
                )
                waiting.append(pool.submit(work))
                large = isinstance(result, Scored) and result.map.size > LARGE
                del result, work
                while waiting and (large or len(waiting) > DRAWERS or waiting[0].done()):
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()


def predict_images(
    scorer: ImageScorer,
    images: Sequence[UserImage],
    out: Path,
    limits: Limits | None = None,
    scale: ColourRange | None = None,
) -> Iterator[Prediction]:
    """Score images one batch after another and draw each.

    All maps have one colour scale. An image that cannot be read or scored gives a prediction with a `failure`, and the
    others go on.

    Args:
        scorer: the loaded method, with its batches and tiles.
        images: what to score.
        out: folder for the pictures.
        limits: thresholds; the pixel threshold is the level of the strongest region.
        scale: the colour scale; None to choose it from at most 12 maps of this call.
    """
    kept: dict[Path, Scored | Failed] = {}
    if scale is None:
        scale, kept = choose_scale(scorer, images)
    yield from Drawer(out, scale, limits or Limits()).draw_all(_with_kept(scorer, images, kept))


def choose_scale(scorer: ImageScorer, images: Sequence[UserImage]) -> tuple[ColourRange, dict[Path, Scored | Failed]]:
    """Score at most 12 images, evenly spaced over all, and choose the scale from their maps.

    A method that scores whole classes scores all images.

    Returns:
        The scale, that of the method's card where no map could be made; and the results by path, so that they need not
        be computed again, as far as they do not fill the memory.
    """
    widest = scorer.detector.setup.method.card.map_range
    if scorer.detector.scores_whole_classes:  # no image has a score without all others
        all_of = {result.image.path: result for result in scorer(images)}
        maps = [result.map for result in evenly(list(all_of.values())) if isinstance(result, Scored)]
        return (contrast_range(maps, widest) if maps else ColourRange(*widest)), all_of
    ranges, kept, held = [], {}, 0
    for result in scorer(evenly(images)):
        found = result
        if isinstance(result, Scored):
            ranges.append(result.map)
            found = result._replace(picture=None)
            held += result.map.nbytes
        if held <= KEPT:
            kept[result.image.path] = found
        elif ranges:
            ranges[-1] = ranges[-1][::8, ::8].copy()
    return (contrast_range(ranges, widest) if ranges else ColourRange(*widest)), kept


def _with_kept(
    scorer: ImageScorer, images: Sequence[UserImage], kept: dict[Path, Scored | Failed]
) -> Iterator[Scored | Failed]:
    """Score images in their order; those that are kept come from there, and leave it."""
    waiting: list[UserImage] = []
    for image in images:
        if image.path not in kept:
            waiting.append(image)
            continue
        yield from scorer(waiting)
        waiting = []
        yield kept.pop(image.path)
    yield from scorer(waiting)


def failure_of(failed: Failed) -> Prediction:
    """Return the prediction of an image that could not be read or scored."""
    return Prediction(failed.image.path, failure=failed.reason, relative=failed.image.relative, word=failed.image.word)


def free_name(stem: str, taken: set[str], suffix: str = "") -> str:
    """Return a file name that is not in `taken`, upper and lower case being the same, and add it to `taken`."""
    name, number = f"{stem}{suffix}", 1
    while name.casefold() in taken:
        number += 1
        name = f"{stem}-{number}{suffix}"
    taken.add(name.casefold())
    return name

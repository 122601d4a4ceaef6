"""Images without labels that a method scores together: all images of one class word are one class."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import torch

from zsadbench.engine.evaluate.scoring import check_finite
from zsadbench.engine.evaluate.whole_class import ClassGathering
from zsadbench.errors import CellError, DataError
from zsadbench.types import Scores, Tokens

if TYPE_CHECKING:
    from zsadbench.engine.evaluate.scoring import Scorer


class Scoring(Protocol):
    """What is used of a `LoadedMethod`."""

    scorer: Scorer

    def tokens(self, image: Any, class_name: str) -> Tokens:
        """Read, preprocess and encode one image."""


def score_together(detector: Scoring, images: Iterable[Any], class_name: str) -> Iterator[Scores]:
    """Score images of one class: (1,) and (1, size, size) of one image after the other, float32 on the host.

    Raises:
        DataError: an image cannot be read, or is none.
        CellError: the method fails, or a score or a map is not finite.
    """
    gathering, count = _begun(detector, class_name), 0
    for image in images:
        gathering.gather(detector.tokens(image, class_name), ("this image",))
        count += 1
    yield from _scored(detector, gathering, count, class_name)


def score_classes(
    detector: Scoring, images: Mapping[Path, str], read: Callable[[Path], Any]
) -> Iterator[tuple[Path, Scores | DataError | CellError]]:
    """Score the images of every class word, and say of each image its scores, or why there are none.

    Args:
        detector: the loaded method.
        images: path → class word.
        read: gives the image of a path.
    """
    for word in dict.fromkeys(images.values()):
        gathering, taken = _begun(detector, word), []
        for path in (path for path, of in images.items() if of == word):
            try:
                gathering.gather(detector.tokens(read(path), word), (str(path),))
                taken.append(path)
            except (DataError, CellError) as failure:
                yield path, failure
        scores = _scored(detector, gathering, len(taken), word) if taken else iter(())
        waiting = iter(taken)
        try:
            for one in scores:
                yield next(waiting), one
        except CellError as failure:
            yield from ((path, failure) for path in waiting)


def _begun(detector: Scoring, class_name: str) -> ClassGathering:
    gathering = ClassGathering(detector.scorer)
    gathering.begin(class_name)
    return gathering


def _scored(detector: Scoring, gathering: ClassGathering, count: int, class_name: str) -> Iterator[Scores]:
    """Yield the scores of the images that were gathered, and have the method forget them."""
    for scores in gathering.images(count):
        (wait_for_map,) = detector.scorer.start_maps(scores.pixel)
        image_score, anomaly_map = scores.image.float().cpu(), wait_for_map()
        check_finite(image_score.numpy(), ("this image",), "image score")
        check_finite(anomaly_map, ("this image",), "anomaly map")
        yield Scores(image_score, torch.from_numpy(anomaly_map).unsqueeze(0))
    gathering.begin(class_name)

"""The state of a part of a class, and the merge of all parts: bit for bit the measurement of the whole class."""

import io
import json
from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest

from zsadbench.engine.evaluate.measure import PART, ClassMeasurement
from zsadbench.engine.evaluate.thresholds import Thresholds
from zsadbench.metrics import DEFAULT_NAMES
from zsadbench.metrics.names import parse_metric
from zsadbench.types import Transductive

EXTRA = ("pixel_aupro@0.05", "image_auroc@sample", "image_ap@pooled", "pixel_ap@pooled", "image_f1@aux", "pixel_f1@aux")
NAMES = (*DEFAULT_NAMES, *map(parse_metric, EXTRA))
COUNT, SIDE, BATCH = 23, 40, 4
STREAMED = 10**9  # pixels: more than exact counting takes


@pytest.fixture(scope="module")
def images():
    """Rows, image scores, maps, masks and parts of a class with views, samples and several kinds of defects."""
    generator = np.random.default_rng(3)
    labels = generator.integers(0, 2, COUNT)
    masks = np.zeros((COUNT, SIDE, SIDE), np.uint8)
    for number in np.flatnonzero(labels):
        for _ in range(generator.integers(1, 4)):
            y, x = generator.integers(0, SIDE - 9, 2)
            masks[number, y : y + generator.integers(1, 9), x : x + generator.integers(1, 9)] = 1
    maps = (generator.normal(size=masks.shape) + masks).astype(np.float32)
    maps[5, :3] = maps.min()  # ties at the extreme of the class
    defects = np.where(labels, generator.choice(["crack", "ünreal", "good"], COUNT), "good")
    names = [f"{number:03}.png" for number in range(COUNT)]
    columns = {"relative": names, "path": names, "class": "bolt", "label": labels, "defect": defects}
    columns |= {"view": [f"C{number % 3}" for number in range(COUNT)], "sample": [f"S{n // 3}" for n in range(COUNT)]}
    scores = generator.normal(size=COUNT).astype(np.float32)
    return pd.DataFrame(columns), scores, maps, masks, {"left": scores * 2}


def measure(images, first, last, *, masked=True, pixels=1, area_quartiles=(0.001, 0.01, 0.03), image=0.1):
    """A measurement of the images from `first` to `last`; `area_quartiles` and `image` are its settings."""
    rows, scores, maps, masks, parts = images
    settings = {"area_quartiles": area_quartiles, "thresholds": Thresholds(image=image, pixel=0.5)}
    measurement = ClassMeasurement(NAMES, rows, masked=masked, pixels=pixels, **settings)
    for start in range(first, last, BATCH):
        of = np.arange(start, min(start + BATCH, last))
        both = (list(maps[of]), list(masks[of])) if masked else (None, None)
        measurement.update(scores[of], of, *both, 0.25, parts={name: values[of] for name, values in parts.items()})
    return measurement


def stored(measurement):
    """The state after a way through a file."""
    stream = io.BytesIO()
    np.savez(stream, **measurement.state())
    with np.load(io.BytesIO(stream.getvalue()), allow_pickle=False) as arrays:
        return dict(arrays)


def merged(images, cuts, **settings):
    whole = measure(images, 0, 0, **settings)
    for first, last in zip((0, *cuts), (*cuts, COUNT), strict=True):
        whole.add_state(stored(measure(images, first, last, **settings)))
    return whole


def everything(measurement):
    """All that a record and its sidecars take from a result, as text."""
    result = measurement.result(2, {"left_out": 1})
    details = result.details
    arrays = {f"pooled {key}": (str(value.dtype), value.tolist()) for key, value in result.pooled.items()}
    if details is not None:
        arrays |= {key: (str(value.dtype), value.tolist()) for key, value in details.spread.items()}
        arrays |= {"parts": {name: (part.images, repr(part)) for name, part in details.parts.items()}}
        arrays |= {"others": repr((details.curves, details.intervals, details.spans, details.regions))}
    estimates = {name: asdict(estimate) for name, estimate in result.estimates.items()}
    return json.dumps([estimates, result.counts, result.images, arrays])


@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize("pixels", [1, STREAMED])
def test_shards_that_are_merged_equal_the_whole_class(images, masked, pixels):
    settings = {"masked": masked, "pixels": pixels}
    assert everything(merged(images, (4, 8, 20), **settings)) == everything(measure(images, 0, COUNT, **settings))


def test_a_finishing_step_after_the_merge_sees_all_images(images):
    seen = []

    def finish(parts):
        seen.append(parts["left"].copy())
        return np.argsort(np.argsort(parts["left"])).astype(np.float32)

    step = Transductive("rank", "ranks", parts=("left",), finish=finish)
    whole, parts = measure(images, 0, COUNT), merged(images, (8, 12))
    whole.finish(step)
    parts.finish(step)
    assert len(seen[1]) == COUNT
    assert everything(parts) == everything(whole)
    assert f"{PART}left" in parts.result(0, {}).images[0]


def test_what_does_not_fit_is_refused(images):
    whole, part = measure(images, 0, 8), measure(images, 8, 12).state()
    with pytest.raises(ValueError, match="counted already"):
        whole.add_state(measure(images, 4, 8).state())
    with pytest.raises(ValueError, match="quartiles"):
        measure(images, 0, 8, area_quartiles=(0.1, 0.2, 0.3)).add_state(part)
    with pytest.raises(ValueError, match="thresholds"):
        measure(images, 0, 8, image=0.3).add_state(part)
    with pytest.raises(ValueError, match="mode"):
        measure(images, 0, 8, pixels=STREAMED).add_state(part)

"""F1 at a given threshold, and the threshold that gives the largest F1, by trying every one."""

import numpy as np
import pytest

from zsadbench.metrics import F1At, PixelMetrics, best_threshold, best_threshold_of, f1_max


def f1_at(threshold, scores, labels):
    flagged, labels = np.asarray(scores) >= threshold, np.asarray(labels) == 1
    return 2 * (flagged & labels).sum() / (flagged.sum() + labels.sum())


@pytest.mark.parametrize("levels", [3, 12, 10_000])
def test_the_best_threshold_by_trying_every_score(levels):
    for seed in range(20):
        rng = np.random.default_rng(seed)
        labels = rng.integers(0, 2, 30)
        scores = np.round((rng.random(30) + 0.4 * labels) * levels) / levels
        tried = {score: f1_at(score, scores, labels) for score in scores}
        found = best_threshold(scores, labels)
        assert tried[found] == max(tried.values()) == f1_max(scores, labels)
        assert found == max(score for score, value in tried.items() if value == tried[found])


@pytest.mark.parametrize("mode", ["exact", "stream"])
def test_the_best_threshold_of_pixels(mode):
    rng = np.random.default_rng(1)
    masks = np.zeros((6, 20, 20), bool)
    masks[:3, 4:9, 6:12] = True
    maps = (rng.normal(size=masks.shape) + 2 * masks).astype(np.float32)
    pixels = PixelMetrics(mode=mode)
    pixels.update(maps, masks)
    found = best_threshold_of(pixels.groups())
    best = max(f1_at(score, maps, masks) for score in maps[masks])
    assert f1_at(np.float32(found), maps, masks) == pytest.approx(best, abs=0 if mode == "exact" else 1e-3)
    measured = F1At(found, "pixel")
    measured.take(pixels.read(maps[:2], masks[:2]))
    measured.take(pixels.read(maps[2:], masks[2:]))
    assert measured.compute().value == f1_at(np.float32(found), maps, masks)
    assert measured.compute().exact


def test_what_is_undefined_and_what_is_zero():
    assert best_threshold([0.1, 0.2], [1, 1]) is None
    assert best_threshold_of(PixelMetrics().groups()) is None
    nothing = F1At(0.5, "image")
    assert nothing.compute().reason == "no image"
    nothing.update([0.7], [0])
    assert nothing.compute().reason == "no anomalous image"
    nothing.update([0.1], [1])
    assert nothing.compute().value == 0
    with pytest.raises(ValueError, match="NaN"):
        nothing.update([np.nan], [1])

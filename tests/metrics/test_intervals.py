"""Intervals: against DeLong's variance, against how often they hold the truth, and the laws of resampling."""

from statistics import NormalDist

import numpy as np
import pytest

from zsadbench.metrics import ClassMetrics, image_auroc
from zsadbench.metrics.intervals import BootstrapCounts, differences, interval, mean_of
from zsadbench.metrics.resampling.tables import BIN

SHIFT = 1.2
TRUTH = NormalDist().cdf(SHIFT / 2**0.5)  # the AUROC of two normal distributions that far apart


def images_of(seed, normal=60, anomalous=60):
    rng = np.random.default_rng(seed)
    labels = np.repeat([0, 1], [normal, anomalous])
    return rng.normal(size=labels.size) + SHIFT * labels, labels


def bootstrap_of(scores, labels, maps=None, masks=None):
    found = BootstrapCounts()
    found.update([f"{index:05}" for index in range(len(scores))], scores, labels, maps, masks)
    return found


def pixels_of(seed, number=16, size=24, shift=1.5):
    rng = np.random.default_rng(seed)
    labels, masks = np.arange(number) % 2, np.zeros((number, size, size), bool)
    masks[1::2, 4:12, 6:18] = masks[1::4, 16:20, 2:6] = True
    hardness = rng.normal(size=(number, 1, 1))
    maps = (rng.normal(size=masks.shape) + hardness + shift * masks).astype(np.float32)
    return maps.max((1, 2)).astype(np.float64), labels, maps, masks


def delong(scores, labels):
    """The variance of AUROC by E. R. DeLong et al., Biometrics 44 (1988)."""
    normal, anomalous = scores[labels == 0], scores[labels == 1]
    wins = (anomalous[:, None] > normal) + 0.5 * (anomalous[:, None] == normal)
    return wins.mean(1).var(ddof=1) / anomalous.size + wins.mean(0).var(ddof=1) / normal.size


@pytest.mark.parametrize(("normal", "anomalous"), [(150, 150), (60, 240)])
def test_the_spread_of_image_auroc_is_delongs(normal, anomalous):
    for seed in range(3):
        scores, labels = images_of(seed, normal, anomalous)
        found = bootstrap_of(scores, labels).deviations(8000, seed)["image_auroc"]
        assert found.std() == pytest.approx(delong(scores, labels) ** 0.5, rel=0.05)


def test_intervals_of_image_auroc_hold_the_truth_as_often_as_they_say():
    covered = 0
    for seed in range(2000):
        scores, labels = images_of(seed)
        low, high = interval(
            image_auroc(scores, labels), bootstrap_of(scores, labels).deviations(400, seed)["image_auroc"]
        )
        covered += low <= TRUTH <= high
    assert 0.93 <= covered / 2000 <= 0.97


@pytest.mark.parametrize(
    ("samples", "least", "most"), [(200, 0.91, 0.985), pytest.param(2000, 0.93, 0.97, marks=pytest.mark.slow)]
)
def test_intervals_of_pixel_auroc_hold_the_truth_as_often_as_they_say(samples, least, most):
    # every pixel of an image shares its hardness; two pixels of two images differ by 1.5 and a variance of 2 · 2,
    # two of one image by a variance of 2
    truth, covered = NormalDist().cdf(1.5 / 2), 0
    for seed in range(20, 20 + samples):
        scores, labels, maps, masks = pixels_of(seed, 60, 24)
        metrics = ClassMetrics(threads=1)
        metrics.update(scores, labels, maps, masks)
        value = metrics.compute()["pixel_auroc"].value
        low, high = interval(value, bootstrap_of(scores, labels, maps, masks).deviations(300, seed)["pixel_auroc"])
        covered += low <= truth <= high
    assert least <= covered / samples <= most


def test_the_middle_is_the_metric_itself_at_full_resolution():
    scores, labels, maps, masks = pixels_of(0, 40)
    found = bootstrap_of(scores, labels, maps, masks).deviations(3000)
    exact = ClassMetrics()
    exact.update(scores, labels, maps, masks)
    values = exact.compute()
    for key, deviation in found.items():
        low, high = interval(values[key].value, deviation)
        assert low < values[key].value < high
        resampled = [resampled_once(key, seed, scores, labels, maps, masks) for seed in range(60)]
        assert deviation.std() == pytest.approx(np.std(resampled), rel=0.4), key  # resampled at full resolution
    assert set(found) == {
        *(f"image_{kind}" for kind in ("auroc", "ap", "f1max")),
        *(f"pixel_{kind}" for kind in ("auroc", "ap", "f1max", "aupro")),
    }


def resampled_once(key, seed, scores, labels, maps, masks):
    rng = np.random.default_rng(seed)
    chosen = np.concatenate([rng.choice(np.flatnonzero(labels == one), (labels == one).sum()) for one in (0, 1)])
    metrics = ClassMetrics(threads=1)
    metrics.update(scores[chosen], labels[chosen], maps[chosen], masks[chosen])
    return metrics.compute()[key].value


def test_a_method_differs_from_itself_by_nothing_and_pairing_narrows():
    scores, labels, maps, masks = pixels_of(1)
    one = bootstrap_of(scores, labels, maps, masks)
    for deviation in differences(one, one).values():
        assert (deviation == 0).all()
    better = bootstrap_of(scores + 0.1 * labels, labels, maps + np.float32(0.2) * masks, masks)
    paired = differences(better, one)
    alone, other = better.deviations(2000, 1), one.deviations(2000, 2)
    for key in ("image_auroc", "pixel_auroc", "pixel_aupro"):
        assert paired[key].std() < (alone[key] - other[key]).std() / 2
    with pytest.raises(ValueError, match="the same images"):
        differences(one, bootstrap_of(scores[1:], labels[1:]))


def test_neither_the_order_of_images_nor_shards_nor_files_change_a_bit():
    scores, labels, maps, masks = pixels_of(2)
    whole = bootstrap_of(scores, labels, maps, masks)
    shards = [BootstrapCounts(), BootstrapCounts()]
    for index in (7, 3, 15, 0, 1, 2, 14, 13, 12, 4, 5, 6, 11, 10, 9, 8):
        at = slice(index, index + 1)
        shards[index % 2].update([f"{index:05}"], scores[at], labels[at], maps[at], masks[at])
    merged = BootstrapCounts.from_state(shards[1].state()).merge(shards[0])
    assert all(merged.state()[key].tobytes() == value.tobytes() for key, value in whole.state().items())
    for key, values in whole.deviations(50, (3, 1)).items():
        assert np.array_equal(values, merged.deviations(50, (3, 1))[key])
        assert not np.array_equal(values, merged.deviations(50, (3, 2))[key])
    with pytest.raises(ValueError, match="'00000' is in both"):
        merged.merge(whole)
    with pytest.raises(ValueError, match="'00003' came before"):
        whole.update(["00003"], [0.1], [0])
    with pytest.raises(ValueError, match="lacks normal"):
        BootstrapCounts.from_state({key: value for key, value in whole.state().items() if key != "normal"})
    with pytest.raises(ValueError, match="one table for each"):
        BootstrapCounts.from_state({**whole.state(), "lengths": whole.state()["lengths"][1:]})


def test_what_a_class_does_not_define_is_left_out():
    scores, labels, maps, masks = pixels_of(3)
    assert set(bootstrap_of(scores, labels).deviations(10)) == {"image_auroc", "image_ap", "image_f1max"}
    only = labels == 1
    found = bootstrap_of(scores[only], labels[only], maps[only], masks[only]).deviations(10)
    assert set(found) == {"pixel_auroc", "pixel_ap", "pixel_f1max", "pixel_aupro"}
    assert bootstrap_of(scores[~only], labels[~only], maps[~only], masks[~only]).deviations(10) == {}
    assert "pixel_auroc" not in bootstrap_of(scores, labels, maps, masks).deviations(10, pixels=False)
    mean = mean_of([bootstrap_of(scores, labels).deviations(10, 1), found])
    assert len(mean) == 7
    both = [bootstrap_of(scores, labels).deviations(10, seed) for seed in (1, 2)]
    assert np.array_equal(mean_of(both)["image_ap"], (both[0]["image_ap"] + both[1]["image_ap"]) / 2)


def test_an_image_takes_a_few_kilobytes():
    rng = np.random.default_rng(4)
    coarse = np.kron(rng.normal(size=(37, 37)), np.ones((14, 14))) + rng.normal(size=(518, 518)) / 4
    maps = (1 / (1 + np.exp(3 - coarse))).astype(np.float32)[None]
    masks = np.zeros(maps.shape, bool)
    masks[0, 50:200, 60:300] = True
    counts = bootstrap_of([0.5], [1], maps, masks)
    ((_, _, place),) = counts._images.values()
    found = counts._table(place)
    assert found.dtype == BIN
    assert found.nbytes <= 6000
    assert found["normal"].sum() + found["anomalous"].sum() == maps.size
    assert found["weight"].sum() == pytest.approx(1, abs=1e-5)

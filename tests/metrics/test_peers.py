"""Cases on which published evaluation code goes wrong, with the values that the definitions give."""

import numpy as np
import pytest

from zsadbench.metrics import PixelMetrics, aupro, average_precision, f1_max, image_metrics, pixel_auroc

MODES = ("exact", "stream")


def compute(maps, masks, mode="exact"):
    accumulator = PixelMetrics(mode=mode)
    accumulator.update(maps, masks)
    return accumulator.compute()


def logits(seed=0, shape=(12, 48, 48)):
    rng = np.random.default_rng(seed)
    masks = np.zeros(shape, bool)
    masks[::2, 8:16, 5:30] = masks[1::4, 30:33, 40:44] = masks[0, 40, 2] = True
    return rng.normal(size=shape) - 3 + 2 * masks, masks


@pytest.mark.parametrize("mode", MODES)
def test_a_steeper_softmax_changes_nothing(mode):
    # 200 equispaced thresholds lose 0.3 of AUPRO here, a thousand strips 0.1
    values, masks = logits()
    found = [compute((1 / (1 + np.exp(-scale * values))).astype(np.float32), masks, mode) for scale in (1, 2, 4, 8)]
    for key in ("auroc", "ap", "f1max", "aupro"):
        assert max(one[key].value for one in found) - min(one[key].value for one in found) < 5e-5, key
    stretched = [one["aupro_200"].value for one in found]
    assert max(stretched) - min(stretched) > 0.05  # the published variant does move


@pytest.mark.parametrize("mode", MODES)
def test_two_levels_of_scores(mode):
    # the curve starts at (0, 0): no strip is lost, and average precision has steps, not trapezoids
    maps = np.array([[[1, 1, 1, 0, 0, 0, 0, 0, 0, 0]]], np.float32)
    masks = np.array([[[1, 1, 0, 1, 0, 0, 0, 0, 0, 0]]])
    found = compute(maps, masks, mode)
    assert found["ap"].value == pytest.approx(2 / 3 * 2 / 3 + 1 / 3 * 3 / 10, abs=1e-15)
    ramp = (1 / 7) * 0.5 / 2 + (0.3 - 1 / 7) * 0.5 + (0.3 - 1 / 7) ** 2 / (6 / 7) * 0.5 / 2
    assert found["aupro"].value == pytest.approx(ramp / 0.3, abs=1e-15)
    assert all(one.value is None or 0 <= one.value <= 1 for one in found.values())


@pytest.mark.parametrize("mode", MODES)
def test_one_outlier_does_not_spoil_the_curve(mode):
    values, masks = logits(1)
    plain = compute(values.astype(np.float32), masks, mode)
    values[1, 0, 0] = 1e6  # one normal pixel: equispaced thresholds see nothing else any more
    spoilt = compute(values.astype(np.float32), masks, mode)
    for key in ("auroc", "ap", "aupro"):
        assert abs(plain[key].value - spoilt[key].value) < 0.02
    assert spoilt["aupro_200"].value is None
    assert spoilt["aupro_200"].reason


@pytest.mark.parametrize("mode", MODES)
def test_detectors_of_known_value(mode):
    rng = np.random.default_rng(2)
    _, masks = logits(2, (40, 48, 48))
    rate = masks.mean()
    constant = compute(np.full(masks.shape, 0.5, np.float32), masks, mode)
    noise = compute(rng.random(masks.shape, np.float32), masks, mode)
    inverted = compute(1 - masks.astype(np.float32), masks, mode)
    perfect = compute(masks.astype(np.float32), masks, mode)
    assert [constant[key].value for key in ("auroc", "ap", "aupro")] == pytest.approx([0.5, rate, 0.15], abs=1e-12)
    assert [noise[key].value for key in ("auroc", "ap", "aupro")] == pytest.approx([0.5, rate, 0.15], abs=0.02)
    assert [inverted[key].value for key in ("auroc", "ap", "aupro")] == pytest.approx([0, rate, 0], abs=1e-12)
    assert [perfect[key].value for key in ("auroc", "ap", "f1max", "aupro")] == [1.0] * 4


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("low", [-40.0, 0.0, 250.0])
def test_scores_of_any_range_are_taken(mode, low):
    values, masks = logits(3)
    reference = compute(values.astype(np.float32), masks)["aupro"].value
    assert compute((values + low).astype(np.float32), masks, mode)["aupro"].value == pytest.approx(reference, abs=1e-4)


@pytest.mark.parametrize("mode", MODES)
def test_masks_of_bytes_do_not_wrap(mode):
    values, masks = logits(4)
    maps = values.astype(np.float32)
    reference = compute(maps, masks, mode)
    for other in (masks.astype(np.uint8), masks.astype(np.uint8) * 255, masks.astype(np.int64)):
        assert compute(maps, other, mode) == reference
    assert average_precision(maps, masks.astype(np.uint8) * 255) == average_precision(maps, masks)


@pytest.mark.parametrize("mode", MODES)
def test_one_kind_of_pixel_is_undefined_never_a_number(mode):
    maps = np.random.default_rng(5).random((2, 4, 4), np.float32)
    for fill, reason in ((0, "no anomalous pixel"), (1, "no normal pixel")):
        masks = np.full(maps.shape, fill, np.uint8)
        found = compute(maps, masks, mode)
        assert {one.value for one in found.values()} == {None}
        assert {one.reason for one in found.values()} == {reason}
        assert aupro(maps, masks) is pixel_auroc(maps, masks) is f1_max(maps, masks) is None
    assert {one.value for one in image_metrics([0.1, 0.2], [0, 0]).values()} == {None}


@pytest.mark.parametrize("mode", MODES)
def test_nan_is_refused_never_ranked(mode):
    maps, masks = logits(6)
    maps[7, 1, 1] = np.nan
    for dtype in (np.float16, np.float32, np.float64):
        for sign in (1, -1):
            with pytest.raises(ValueError, match=r"^scores\[7\] contains NaN$"):
                compute(np.copysign(maps, sign).astype(dtype), masks, mode)


def test_rounding_maps_to_half_costs_precision_and_is_not_done():
    values, masks = logits(7, (30, 64, 64))
    maps = (1 / (1 + np.exp(-values))).astype(np.float32)
    exact, half = (average_precision(one, masks) for one in (maps, maps.astype(np.float16)))
    assert compute(maps, masks)["ap"].value == pytest.approx(exact, abs=1e-13)
    assert abs(compute(maps, masks, "stream")["ap"].value - exact) < abs(half - exact) / 10


def test_many_regions_of_many_images_need_no_small_integers():
    masks = np.zeros((4, 200, 200), np.uint8)
    masks[:, ::2, ::2] = 255
    maps = np.random.default_rng(8).random(masks.shape, np.float32)
    accumulator = PixelMetrics()
    accumulator.update(maps, masks)
    assert accumulator.regions == 40_000
    assert accumulator.compute()["aupro"].value == pytest.approx(0.15, abs=0.01)
    assert accumulator.compute()["auroc"].value == pixel_auroc(maps, masks)

"""The edges: what is undefined, what is refused, and the shapes and dtypes that must not matter."""

import numpy as np
import pytest

from zsadbench import metrics
from zsadbench.metrics import Estimate, PixelMetrics

EVERY = {"auroc", "ap", "f1max", "aupro", "aupro_200", "aupro_200_max"}


@pytest.fixture
def example():
    rng = np.random.default_rng(3)
    masks = np.zeros((3, 10, 12), bool)
    masks[0, 2:5, 3:7] = masks[0, 5, 7] = masks[2, 9, 0] = True
    return (rng.random(masks.shape) + 0.4 * masks).astype(np.float32), masks


def compute(maps, masks, **options):
    accumulator = PixelMetrics(**options)
    accumulator.update(maps, masks)
    return accumulator.compute()


def test_constant_map_is_chance(example):
    _, masks = example
    found = compute(np.full(masks.shape, 0.7, np.float32), masks)
    rate = masks.mean()
    assert found["auroc"].value == 0.5
    assert found["ap"].value == pytest.approx(rate, abs=1e-15)
    assert found["f1max"].value == pytest.approx(2 * rate / (1 + rate), abs=1e-15)
    assert found["aupro"].value == pytest.approx(0.15, abs=1e-15)
    for name in ("aupro_200", "aupro_200_max"):
        assert found[name] == Estimate.undefined("equal scores leave no range for 200 thresholds")


def test_perfect_map_is_one_and_inverted_map_is_zero(example):
    _, masks = example
    perfect = compute(masks.astype(np.float64), masks)
    assert [perfect[name] for name in ("auroc", "ap", "f1max", "aupro")] == [Estimate(1.0, 1.0, 1.0)] * 4
    inverted = compute(-masks.astype(np.float32), masks)
    assert inverted["auroc"].value == inverted["aupro"].value == 0
    assert inverted["ap"].value == pytest.approx(masks.mean(), abs=1e-15)


def test_each_region_weighs_one():
    mask = np.zeros((1, 20, 20), bool)
    mask[0, :10, :10] = mask[0, 15, 15] = True
    scores = np.zeros(mask.shape)
    scores[0, 15, 15] = 1.0  # the region of one pixel is found, the one of a hundred is level with the rest
    assert metrics.aupro(scores, mask) == pytest.approx(0.5 + 0.5 * 0.15, abs=1e-15)


@pytest.mark.parametrize(
    ("fill", "reason"), [(True, "no normal pixel"), (False, "no anomalous pixel"), (None, "no pixel")]
)
def test_undefined_is_none_with_a_reason(fill, reason):
    masks = np.full((0 if fill is None else 2, 4, 5), bool(fill))
    maps = np.random.default_rng(0).random(masks.shape)
    found = compute(maps, masks)
    assert set(found) == EVERY
    assert set(found.values()) == {Estimate(None, None, None, reason)}
    for function in (metrics.pixel_auroc, metrics.aupro, metrics.aupro_200, metrics.aupro_200_max):
        assert function(maps, masks) is None
    for function in (metrics.average_precision, metrics.f1_max):
        assert function(maps, masks) is None


@pytest.mark.parametrize(
    ("labels", "reason"), [([1, 1], "no normal image"), ([0, 0], "no anomalous image"), ([], "no image")]
)
def test_undefined_image_metrics(labels, reason):
    scores = [0.1, 0.2][: len(labels)]
    assert metrics.image_metrics(scores, labels) == dict.fromkeys(
        ("auroc", "ap", "f1max"), Estimate(None, None, None, reason)
    )
    assert metrics.image_auroc(scores, labels) is None


def test_an_accumulator_that_saw_nothing_is_undefined_and_merges():
    assert set(PixelMetrics().compute().values()) == {Estimate(None, None, None, "no pixel")}
    assert PixelMetrics.from_state(PixelMetrics().state()).merge(PixelMetrics()).regions == 0


def test_masks_may_be_boolean_or_numbers_of_two_kinds(example):
    maps, masks = example
    expected = compute(maps, masks)
    for dtype in (np.uint8, np.int64, np.float32):
        assert compute(maps, masks.astype(dtype)) == expected
    assert compute(maps, masks.astype(np.uint8) * 255) == expected
    assert compute(maps, masks * 255.0) == expected
    assert metrics.f1_max(maps, masks * 255) == expected["f1max"].value


def test_layout_does_not_matter(example):
    maps, masks = example
    expected = compute(maps, masks)
    wide = np.zeros((3, 20, 24), np.float32)
    wide[:, ::2, ::2] = maps
    assert not wide[:, ::2, ::2].flags.c_contiguous
    assert compute(wide[:, ::2, ::2], np.asfortranarray(masks)) == expected
    assert compute(list(maps), list(masks)) == expected
    assert compute(maps.tolist(), masks.tolist())["aupro"] == expected["aupro"]
    assert compute(maps.astype(">f4"), masks) == expected


def test_what_is_stored(example):
    maps, masks = example
    for given, stored in ((np.float16, np.float32), (np.float32, np.float32), (np.float64, np.float64)):
        accumulator = PixelMetrics()
        accumulator.update(maps.astype(given), masks)
        assert accumulator.state()["normal"].dtype == accumulator.state()["anomalous"].dtype == stored
    half = maps.astype(np.float16)
    assert compute(half, masks) == compute(half.astype(np.float32), masks)


def test_double_precision_is_kept():
    maps = np.array([[[1.0, 1.0 + 1e-12]]])
    masks = np.array([[[False, True]]])
    assert compute(maps, masks)["auroc"].value == 1.0
    assert compute(maps.astype(np.float32), masks)["auroc"].value == 0.5


def test_the_accumulator_keeps_nothing_of_its_arguments(example):
    maps, masks = example
    own = maps.copy(), masks.copy()
    accumulator = PixelMetrics()
    accumulator.update(*own)
    own[0][:], own[1][:] = 0, True
    assert accumulator.compute() == compute(maps, masks)


def test_minus_zero_is_zero():
    masks = np.array([[[0, 1, 0, 1]]])
    mixed, plain = np.array([[[0.0, -0.0, -0.0, 1.0]]]), np.array([[[0.0, 0.0, 0.0, 1.0]]])
    assert compute(mixed, masks) == compute(plain, masks)
    assert metrics.image_auroc([0.0, -0.0], [1, 0]) == 0.5


def test_infinite_scores_rank():
    masks = np.array([[[0, 0, 1, 1]]])
    found = compute(np.array([[[-np.inf, 0.0, 0.0, np.inf]]]), masks)
    assert found["auroc"].value == 0.875
    assert found["aupro"].value == pytest.approx((0.3 * 0.5 + 0.3 * 0.3 / 2) / 0.3, abs=1e-15)
    assert found["aupro_200"].reason == "infinite scores leave no range for 200 thresholds"


@pytest.mark.parametrize(
    ("normal", "reason"),
    [
        ([0.0] * 4 + [1.0], "span no"),  # an anomaly-like outlier: the one rate below the limit repeats
        ([1.0] * 5, "fewer than two"),
    ],
)
def test_200_thresholds_without_a_range_are_undefined(normal, reason):
    maps, masks = np.array([[[*normal, 1.0, 0.0]]]), np.array([[[0] * 5 + [1, 1]]])
    found = compute(maps, masks)
    assert reason in found["aupro_200"].reason
    assert found["aupro"].value is not None


def test_a_single_point_below_the_limit_is_no_curve():
    maps = np.array([[[0.993] * 9 + [1.0, 0.5, 0.0]]])  # rates: 1 up to 0.99, then 0.1 at 0.995
    found = compute(maps, np.array([[[0] * 10 + [1, 1]]]))
    for name in ("aupro_200", "aupro_200_max"):
        assert found[name] == Estimate.undefined("fewer than two of the 200 thresholds stay below the limit")


@pytest.mark.parametrize("extreme", [[-3e38, 3e38], [1.0, np.nextafter(np.float32(1), np.float32(2))], [0, 1e-45]])
def test_200_thresholds_survive_extreme_ranges(extreme):
    maps = np.array([[[*extreme, extreme[1]]]], np.float32)
    found = compute(maps, np.array([[[0, 0, 1]]]))
    assert found["aupro_200"].value is None
    assert found["auroc"].value == 0.75


@pytest.mark.parametrize("shape", [(1, 1, 9), (1, 9, 1), (2, 3, 7)])
def test_thin_and_oblong_images(shape):
    masks = np.zeros(shape, bool)
    masks[0].flat[[0, -1]] = True
    scores = np.arange(masks.size, dtype=np.float32).reshape(shape)
    assert compute(scores, masks)["aupro"].value is not None
    assert PixelMetrics().merge(_seen(scores, masks)).regions == 2


def _seen(maps, masks):
    accumulator = PixelMetrics()
    accumulator.update(maps, masks)
    return accumulator


def test_images_of_different_sizes(example):
    maps, masks = example
    cut = [maps[0], maps[1, :3], maps[2, :, :5]], [masks[0], masks[1, :3], masks[2, :, :5]]
    one_by_one = PixelMetrics()
    for one, mask in zip(*cut, strict=True):
        one_by_one.update(one[None], mask[None])
    assert compute(*cut) == one_by_one.compute()
    assert compute(*cut) != compute(maps, masks)


@pytest.mark.parametrize("where", [0, 2])
def test_nan_is_refused_by_its_index(example, where):
    maps, masks = example
    maps[where, 4, 4] = np.nan
    accumulator = PixelMetrics()
    with pytest.raises(ValueError, match=rf"^scores\[{where}\] contains NaN$"):
        accumulator.update(maps, masks)
    assert accumulator.state()["normal"].size == 0  # nothing of the batch was kept
    for function in (metrics.pixel_auroc, metrics.aupro):
        with pytest.raises(ValueError, match=rf"scores\[{where}\]"):
            function(maps, masks)
    with pytest.raises(ValueError, match=r"^scores\[1\] is NaN$"):
        metrics.image_auroc([0.1, np.nan, 0.3], [0, 1, 1])


@pytest.mark.parametrize(
    ("maps", "masks", "message"),
    [
        (np.zeros((2, 3, 4)), np.zeros((2, 4, 3)), r"scores\[0\] \(3, 4\) and masks\[0\] \(4, 3\)"),
        (np.zeros((2, 3, 4)), np.zeros((1, 3, 4)), "2 score maps but 1 masks"),
        (np.zeros((3, 4)), np.zeros((3, 4)), r"shape \(n, height, width\), not \(3, 4\)"),
        ([np.zeros(4)], [np.zeros(4)], "2-D"),
        (np.zeros((1, 3, 4)), np.full((1, 3, 4), 2), r"masks\[0\] must be boolean, 0 and 1, or 0 and 255"),
        (np.zeros((1, 1, 3)), np.array([[[0, 1, 255]]]), "0 and 255"),
        (np.zeros((1, 1, 2)), np.array([[[0, -1]]]), "0 and 255"),
        (np.zeros((1, 1, 2)), np.array([[[0, np.nan]]]), "0 and 255"),
        (np.zeros((1, 1, 2)), np.array([[["0", "1"]]]), "boolean or numbers"),
        (np.zeros((1, 3, 4), np.complex64), np.zeros((1, 3, 4)), "not complex64"),
        (np.zeros((1, 3, 4), bool), np.zeros((1, 3, 4)), "not bool"),
    ],
)
def test_what_cannot_be_right_is_refused(maps, masks, message):
    with pytest.raises(ValueError, match=message) as caught:
        PixelMetrics().update(maps, masks)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("scores", "labels", "message"),
    [([0.1, 0.2], [0, 1, 1], "differ in shape"), ([0.1, 0.2], [0, 2], "0 and 1"), ([[0.1]], [[1]], "1 axis")],
)
def test_image_arguments_that_cannot_be_right_are_refused(scores, labels, message):
    with pytest.raises(ValueError, match=message):
        metrics.image_auroc(scores, labels)


def test_options_that_cannot_be_right_are_refused(example):
    for limit in (0, -0.1, 1.1, np.nan):
        with pytest.raises(ValueError, match="limit must lie"):
            PixelMetrics(limit)
        with pytest.raises(ValueError, match="limit must lie"):
            metrics.aupro(*example, limit=limit)
        with pytest.raises(ValueError, match="limit must lie"):
            PixelMetrics().compute([limit])
    with pytest.raises(ValueError, match="mode must be 'exact' or 'stream', not 'fast'"):
        PixelMetrics(mode="fast")
    with pytest.raises(ValueError, match="threads must be at least 1"):
        PixelMetrics(threads=0)
    with pytest.raises(ValueError, match="bits"):
        PixelMetrics(bits=0)
    with pytest.raises(ValueError, match="differ in limit"):
        PixelMetrics().merge(PixelMetrics(0.05))


def test_a_state_that_cannot_be_right_is_refused(example):
    state = _seen(*example).state()
    with pytest.raises(ValueError, match="lacks area, normal"):
        PixelMetrics.from_state({key: value for key, value in state.items() if key not in ("area", "normal")})
    with pytest.raises(ValueError, match="one area for each"):
        PixelMetrics.from_state({**state, "area": state["area"][1:]})


def test_further_limits(example):
    found = _seen(*example).compute([0.05, 0.3, 1])
    assert set(found) == EVERY | {f"{kind}@{limit}" for kind in EVERY if "aupro" in kind for limit in (0.05, 0.3, 1)}
    assert found["aupro@0.3"] == found["aupro"]
    assert found["aupro@0.05"].value == metrics.aupro(*example, limit=0.05) < found["aupro@1"].value
    assert compute(*example, limit=0.05)["aupro"] == found["aupro@0.05"]

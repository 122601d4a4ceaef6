"""Stream mode: bounds that hold the exact value, meet where they can, and narrow; counts that never change."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zsadbench.metrics import Estimate, PixelMetrics
from zsadbench.metrics.counting import stream, thread_tables
from zsadbench.metrics.counting.image import read_images
from zsadbench.metrics.counting.thread_tables import ThreadTables, sparse_histogram
from zsadbench.metrics.pro200 import UNCLEAR

LAWS = settings(max_examples=60, deadline=None)
KEYS = ("auroc", "ap", "f1max", "aupro", "aupro@0.05", "aupro_200", "aupro_200_max", "aupro_200@0.05")


def accumulate(maps, masks, **options):
    accumulator = PixelMetrics(**options)
    accumulator.update(maps, masks)
    return accumulator


def compute(maps, masks, **options):
    return accumulate(maps, masks, **options).compute([0.05])


@st.composite
def classes(draw):
    """A class in which all is defined; scores of many kinds, ties, skew, saturation and both signs among them."""
    shape = (draw(st.integers(2, 5)), *[draw(st.integers(2, 12))] * 2)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    masks = rng.random(shape) < draw(st.sampled_from([0.05, 0.3, 0.7]))
    masks[0, 0] = [True, *[False] * (shape[2] - 1)]
    maps = rng.normal(size=shape) + masks
    kind = draw(st.sampled_from(["normal", "levels", "sigmoid", "saturated", "skewed", "tiny", "narrow"]))
    maps = {
        "normal": maps,
        "levels": maps.round(1),
        "sigmoid": 1 / (1 + np.exp(-maps)),
        "saturated": maps.clip(0, 1),
        "skewed": np.exp(8 * maps),
        "tiny": maps * 1e-40,
        "narrow": 0.5 + maps * 1e-5,
    }[kind]
    return maps.astype(np.float32), masks


def outside(found, exact):
    """Metrics whose exact value does not lie in the bounds; none is right."""
    return {
        key: (one, exact[key].value)
        for key, one in found.items()
        if ((one.value is None) != (exact[key].value is None) and one.reason != UNCLEAR)
        or (
            None not in (one.value, exact[key].value) and not one.lower - 1e-14 <= exact[key].value <= one.upper + 1e-14
        )
    }


@settings(max_examples=200, deadline=None)
@given(classes())
def test_bounds_hold_the_exact_value_and_narrow_with_more_bits(example):
    exact = compute(*example)
    widths = []
    for bits in (4, 9, 13, 16, 20, 24, 32):
        found = compute(*example, mode="stream", bits=bits)
        assert not outside(found, exact)
        for key in KEYS:
            if found[key].value is not None:
                assert found[key].lower <= found[key].value <= found[key].upper
        widths.append([found[key].upper - found[key].lower for key in ("auroc", "ap", "f1max", "aupro")])
    steps = np.diff(widths, axis=0)
    assert (steps[:, [0, 3]] <= 1e-13).all()  # nested bins: pairs and areas that are known stay known
    assert max(widths[-1]) == 0


@LAWS
@given(classes())
def test_all_bits_are_exact(example):
    exact, found = compute(*example), compute(*example, mode="stream", bits=32)
    for key, one in found.items():
        assert one == Estimate(one.value, one.value, one.value, one.reason)
        assert one.value == pytest.approx(exact[key].value, abs=1e-13)
        assert one.reason == exact[key].reason
        assert one.exact == (one.value is not None)


@LAWS
@given(classes(), st.sampled_from([19, 22, 24]))
def test_half_precision_is_exact(example, bits):
    with np.errstate(over="ignore"):
        maps = np.nan_to_num(example[0].astype(np.float16))
    maps[np.abs(maps) < 1e-4] = 0  # subnormal halves have longer fractions as normal numbers
    exact, found = compute(maps, example[1]), compute(maps, example[1], mode="stream", bits=bits)
    for key, one in found.items():
        assert one.exact == (one.value is not None)
        assert one.value == pytest.approx(exact[key].value, abs=1e-13), key


@pytest.mark.parametrize("bits", [19, 24])
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_thresholds_between_negative_halves_flag_only_what_is_greater(bits, share):
    """The curve at all 200 thresholds; normal pixels whose bins hold nothing else lie between them."""
    rng = np.random.default_rng(7)
    maps, masks = rng.normal(size=(3, 9, 9)).astype(np.float16), rng.random((3, 9, 9)) < share
    exact, found = (accumulate(maps, masks, mode=mode, bits=bits).tables()[1] for mode in ("exact", "stream"))
    assert (exact.fpr[0] < 1).any()
    for name in ("fpr", "pro", "recall"):
        for one, wanted in zip(getattr(found, name), getattr(exact, name), strict=True):
            assert one == pytest.approx(wanted, abs=1e-12), name


def make(seed=0, shape=(6, 40, 40)):
    rng = np.random.default_rng(seed)
    masks = np.zeros(shape, bool)
    masks[::2, 5:12, 3:20] = masks[0, 20:24, 30] = True
    logits = rng.normal(size=shape) - 2 + 2 * masks
    return (1 / (1 + np.exp(-logits))).astype(np.float32), masks


def test_the_default_bits_are_narrow():
    found, exact = compute(*make(), mode="stream"), compute(*make())
    for key in ("auroc", "ap", "f1max", "aupro"):
        assert 0 < found[key].upper - found[key].lower < 1e-4
        assert abs(found[key].value - exact[key].value) < 1e-5
        assert not found[key].exact


def test_saturated_scores_tie_in_the_open():
    maps, masks = make(1)
    maps[maps > 0.6], maps[maps < 0.1] = 1.0, 0.0
    for low, high in ((0.0, 1.0), (-1.0, 0.98), (0.3, 5.0)):  # whatever the extreme scores are
        moved = np.where(maps == 1, high, np.where(maps == 0, low, low + (high - low) * maps)).astype(np.float32)
        found, exact = compute(moved, masks, mode="stream"), compute(moved, masks)
        assert abs(found["ap"].value - exact["ap"].value) < 2e-6
        assert found["ap"].upper - found["ap"].lower < 2e-5
        assert not outside(found, exact)


def test_two_levels_and_one_level_are_exact():
    masks = np.array([[[0, 0, 1, 1]]])
    for scores in ([0.3, 0.7, 0.3, 0.7], [0.3] * 4, [-0.0, 0.0, 0.0, 1.7]):
        maps = np.array([[scores]], np.float32)
        found, exact = compute(maps, masks, mode="stream", bits=8), compute(maps, masks)
        assert found == exact
        assert found["auroc"].exact


def test_double_precision_is_rounded_and_never_called_exact():
    maps = np.array([[[1.0, 1.0 + 1e-12, 0.5]]])
    found = compute(maps, np.array([[[0, 1, 0]]]), mode="stream", bits=32)
    assert found["auroc"].value == 0.75
    assert found["auroc"].lower <= 0.5
    assert found["auroc"].upper == 1.0
    held = compute(maps.astype(np.float32).astype(np.float64), np.array([[[0, 1, 0]]]), mode="stream", bits=32)
    assert held["auroc"].exact
    with np.errstate(over="raise"):
        assert not compute(maps * 1e300, np.array([[[0, 1, 0]]]), mode="stream")["auroc"].exact


def test_infinite_scores_rank():
    maps = np.array([[[-np.inf, 0.0, 0.0, np.inf]]], np.float32)
    found = compute(maps, np.array([[[0, 0, 1, 1]]]), mode="stream")
    assert found["auroc"] == Estimate.sure(0.875)
    assert found["aupro_200"].reason == "infinite scores leave no range for 200 thresholds"


def same(one, other):
    first, second = one.state(), other.state()
    return first.keys() == second.keys() and all(
        first[key].tobytes() == second[key].tobytes() and first[key].dtype == second[key].dtype for key in first
    )


@LAWS
@given(classes(), st.data())
def test_shards_in_any_way_give_the_same_bits(example, data):
    maps, masks = example
    bits = data.draw(st.sampled_from([3, 16, 24]))
    whole = accumulate(maps, masks, mode="stream", bits=bits, threads=1)
    shard_of = data.draw(st.lists(st.integers(0, 2), min_size=len(maps), max_size=len(maps)))
    shards = [PixelMetrics(mode="stream", bits=bits, threads=3) for _ in range(3)]
    for index, shard in enumerate(shard_of):
        shards[shard].update(maps[index : index + 1], masks[index : index + 1])
        if data.draw(st.booleans()):
            shards[shard].compute()
    first, second, third = data.draw(st.permutations(shards))
    kept = second.state()
    merged = through_a_file(first).merge(second.merge(third) if data.draw(st.booleans()) else through_a_file(second))
    merged = merged if merged.regions == whole.regions and same(merged, whole) else merged.merge(third)
    assert same(merged, whole)
    assert merged.compute([0.05]) == whole.compute([0.05])
    assert second.regions >= int(kept["regions"])


def through_a_file(accumulator):
    buffer = io.BytesIO()
    np.savez(buffer, **accumulator.state())
    buffer.seek(0)
    with np.load(buffer, allow_pickle=False) as arrays:
        return PixelMetrics.from_state(dict(arrays))


@pytest.mark.parametrize("mode", ["exact", "stream"])
@pytest.mark.parametrize("threads", [2, 3, 5, 8])
def test_threads_change_nothing(mode, threads, monkeypatch):
    monkeypatch.setattr("zsadbench.metrics.counting.image.SMALL", 0)
    monkeypatch.setattr(stream, "SMALL", 0)
    maps, masks = make(2, (9, 30, 31))
    one, many = (accumulate(maps, masks, mode=mode, threads=number) for number in (1, threads))
    assert same(one, many)
    assert one.compute() == many.compute()


def test_spread_scores_are_counted_without_tables(monkeypatch):
    maps, masks = make(3)
    (image, *_) = read_images(maps, masks, True, 1)
    whole = accumulate(maps, masks, mode="stream")
    tables = ThreadTables(24)
    tables.add([image])
    for one, other in zip(tables.take(), sparse_histogram(image, 24), strict=True):
        assert np.array_equal(one, other)
    for most in (0, 3, 40):
        monkeypatch.setattr(thread_tables, "MOST_PAGES", most)
        monkeypatch.setattr(thread_tables, "MANY", 2)
        assert same(accumulate(maps, masks, mode="stream"), whole)
    noise = np.random.default_rng(0).integers(0, 2**32, maps.shape, np.uint32).view(np.float32)
    noise = np.where(np.isnan(noise), np.float32(1), noise)  # every exponent and both signs
    assert not outside(compute(noise, masks, mode="stream"), compute(noise, masks))


def test_memory_is_bounded_by_losing_bits_in_the_same_way_everywhere(monkeypatch):
    maps, masks = make(4, (8, 30, 31))
    fine = accumulate(maps, masks, mode="stream").state()
    monkeypatch.setattr(stream, "MOST_BINS", 500)
    whole = accumulate(maps, masks, mode="stream")
    shards = [accumulate(maps[at : at + 2], masks[at : at + 2], mode="stream") for at in (4, 0, 6, 2)]
    merged = shards[0].merge(shards[1]).merge(through_a_file(shards[2]).merge(shards[3]))
    assert same(merged, whole)
    assert len(whole.state()["normal_bins"]) <= 500 < len(fine["normal_bins"])
    assert int(whole.state()["resolution"]) < 24
    assert not outside(whole.compute(), compute(maps, masks))
    again = accumulate(maps[:3], masks[:3], mode="stream")
    again.compute()
    again.update(maps[3:], masks[3:])
    assert same(again, whole)


@pytest.mark.parametrize("mode", ["exact", "stream"])
def test_counters_of_32_bits_are_emptied_in_time(mode, monkeypatch):
    maps, masks = make(5)
    whole = accumulate(maps, masks, mode=mode)
    monkeypatch.setattr(stream, "FULL", maps[0].size)
    monkeypatch.setattr("zsadbench.metrics.counting.exact.FULL", maps[0].size)
    parts = PixelMetrics(mode=mode)
    for one, mask in zip(maps, masks, strict=True):
        parts.update([one], [mask])
    assert same(parts, whole)
    assert parts.compute() == whole.compute()


def test_more_than_four_billion_pixels_are_counted():
    whole = accumulate(*make(6), mode="stream")
    twin = PixelMetrics.from_state(whole.state())
    for _ in range(20):
        twin.merge(PixelMetrics.from_state(twin.state()))
    state, many = whole.state(), twin.state()
    assert (many["normal"] == state["normal"] << 20).all()
    assert many["normal"].sum() > 2**32
    for key in ("auroc", "aupro", "aupro_200"):
        expected, found = whole.compute()[key], twin.compute()[key]
        assert found.value == pytest.approx(expected.value, abs=1e-12), key
        assert found.lower == pytest.approx(expected.lower, abs=1e-12), key


def test_a_state_that_cannot_be_right_is_refused():
    state = accumulate(*make(), mode="stream").state()
    with pytest.raises(ValueError, match="lacks edges, union"):
        PixelMetrics.from_state({key: value for key, value in state.items() if key not in ("edges", "union")})
    with pytest.raises(ValueError, match="one count for each bin"):
        PixelMetrics.from_state({**state, "normal": state["normal"][1:]})
    with pytest.raises(ValueError, match="one count for each bin"):
        PixelMetrics.from_state({**state, "weight": state["weight"][:, 1:]})


def test_nothing_seen_is_undefined_and_a_bad_batch_leaves_no_trace():
    empty = PixelMetrics(mode="stream")
    assert set(empty.compute().values()) == {Estimate.undefined("no pixel")}
    maps, masks = make()
    maps[3, 2, 2] = np.nan
    with pytest.raises(ValueError, match=r"^scores\[3\] contains NaN$"):
        empty.update(maps, masks)
    wrong = masks.astype(np.uint8)
    wrong[4, 0, 0] = 3
    with pytest.raises(ValueError, match=r"^masks\[4\] must be boolean"):
        empty.update(np.nan_to_num(maps), wrong)
    assert set(empty.compute().values()) == {Estimate.undefined("no pixel")}
    assert through_a_file(empty).merge(empty).regions == 0
    one_kind = accumulate(maps[:1], np.ones_like(masks[:1]), mode="stream")
    assert one_kind.compute()["auroc"].reason == "no normal pixel"

"""Laws: what may be done to a class without moving the last bit of its metrics."""

import io

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from zsadbench.metrics import PixelMetrics, image_metrics

RANK_ONLY = ("auroc", "ap", "f1max", "aupro", "aupro@0.05")
LAWS = settings(max_examples=60, deadline=None)


@st.composite
def classes(draw):
    """Six or so square images of which the first has an anomaly and a normal pixel: all is defined."""
    shape = (draw(st.integers(2, 6)), *[draw(st.integers(2, 9))] * 2)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    masks = rng.random(shape) < draw(st.sampled_from([0.05, 0.3, 0.7]))
    masks[0, 0] = [True, *[False] * (shape[2] - 1)]
    maps = rng.normal(size=shape) + masks
    digits = draw(st.sampled_from([None, 0, 1]))
    return (maps if digits is None else maps.round(digits)).astype(np.float32), masks


def accumulate(maps, masks):
    accumulator = PixelMetrics()
    accumulator.update(maps, masks)
    return accumulator


def values(accumulator):
    return accumulator.compute([0.05])


def ranks_of(accumulator):
    found = values(accumulator)
    assert all(found[name].value is not None for name in RANK_ONLY)
    return [found[name] for name in RANK_ONLY]


def same_state(one, other):
    return all(one[key].tobytes() == other[key].tobytes() and one[key].dtype == other[key].dtype for key in one)


@LAWS
@given(classes(), st.sampled_from(["rank", "exp", "square", "scale"]))
def test_a_strictly_monotone_map_changes_nothing(example, kind):
    maps, masks = example
    distinct, inverse = np.unique(maps, return_inverse=True)
    moved = {
        "rank": np.arange(distinct.size) * 7.0 - 1e3,
        "exp": np.exp(distinct.astype(np.float64)),
        "square": np.cumsum(np.arange(1.0, distinct.size + 1)),
        "scale": distinct.astype(np.float64) * 1e-3 + 5,
    }[kind]
    remapped = moved[inverse].reshape(maps.shape)
    assert ranks_of(accumulate(remapped, masks)) == ranks_of(accumulate(maps, masks))


def test_the_reversed_order_does_change_them():
    rng = np.random.default_rng(0)
    masks = rng.random((3, 12, 12)) < 0.2
    maps = rng.normal(size=masks.shape) + masks
    forth, back = (accumulate(sign * maps, masks).compute() for sign in (1, -1))
    assert forth["auroc"].value > 0.7
    assert abs(forth["auroc"].value + back["auroc"].value - 1) < 1e-12
    assert all(forth[name].value > back[name].value + 0.01 for name in ("ap", "f1max", "aupro", "aupro_200"))


@LAWS
@given(classes(), st.randoms())
def test_images_come_in_any_order(example, random):
    maps, masks = example
    order = list(range(len(maps)))
    random.shuffle(order)
    one, other = accumulate(maps, masks), accumulate(maps[order], masks[order])
    assert values(one) == values(other)
    assert same_state(one.state(), other.state())


@LAWS
@given(classes(), st.sampled_from([np.s_[:, ::-1], np.s_[:, :, ::-1], np.s_[:, ::-1, ::-1], "transposed"]))
def test_flips_and_transposition_change_nothing(example, turn):
    maps, masks = example
    turned = [one.transpose(0, 2, 1) if turn == "transposed" else one[turn] for one in (maps, masks)]
    assert values(accumulate(*turned)) == values(accumulate(maps, masks))


@LAWS
@given(classes(), st.data())
def test_shards_merged_in_any_way_equal_the_whole(example, data):
    maps, masks = example
    shard_of = data.draw(st.lists(st.integers(0, 3), min_size=len(maps), max_size=len(maps)))
    shards = []
    for shard in range(4):
        members = [i for i in range(len(maps)) if shard_of[i] == shard]
        accumulator = PixelMetrics()
        for member in members:
            accumulator.update(maps[member : member + 1], masks[member : member + 1])
        shards.append(through_a_file(accumulator) if data.draw(st.booleans()) else accumulator)
    data.draw(st.randoms()).shuffle(shards)
    first, second, third, fourth = shards
    kept = fourth.regions
    left = first.merge(second).merge(third.merge(fourth))
    whole = accumulate(maps, masks)
    assert values(left) == values(whole)
    assert same_state(left.state(), whole.state())
    assert left.regions == whole.regions > 0
    assert fourth.regions == kept


@LAWS
@given(hnp.arrays(np.float64, 12, elements=st.sampled_from([0.0, 0.1, 0.5, 0.7, 2.0])), st.permutations(range(12)))
def test_image_metrics_do_not_depend_on_the_order(scores, order):
    labels = np.arange(12) % 3 == 0
    found = image_metrics(scores, labels)
    assert found == image_metrics(scores[list(order)], labels[list(order)])
    assert found["auroc"].value is not None


def test_computing_in_between_changes_nothing():
    rng = np.random.default_rng(5)
    maps, masks = rng.random((4, 8, 8)).astype(np.float32), rng.random((4, 8, 8)) < 0.3
    accumulator = PixelMetrics()
    seen = []
    for one, mask in zip(maps, masks, strict=True):
        accumulator.update([one], [mask])
        seen.append(accumulator.compute()["aupro"].value)
    whole = accumulate(maps, masks)
    assert values(accumulator) == values(whole)
    assert len(set(seen)) == 4
    first, rest = accumulate(maps[:1], masks[:1]), accumulate(maps[1:], masks[1:])
    assert values(first) != values(rest)
    assert values(first.merge(rest)) == values(whole)


def test_shards_of_mixed_precision_merge_the_same_way_round():
    rng = np.random.default_rng(6)
    maps, masks = rng.random((2, 8, 8)), rng.random((2, 8, 8)) < 0.3
    halves = [accumulate(maps[:1].astype(np.float32), masks[:1]), accumulate(maps[1:], masks[1:])]
    forth = accumulate(maps[:1].astype(np.float32), masks[:1]).merge(halves[1])
    back = halves[1].merge(halves[0])
    assert values(forth) == values(back)
    assert same_state(forth.state(), back.state())
    assert forth.state()["normal"].dtype == np.float64


def through_a_file(accumulator):
    buffer = io.BytesIO()
    np.savez(buffer, **accumulator.state())
    buffer.seek(0)
    with np.load(buffer, allow_pickle=False) as arrays:
        return PixelMetrics.from_state(dict(arrays))

"""Exact mode: compiled counting against sorting, spilled maps, maps that the caller holds, shards of processes."""

import multiprocessing

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zsadbench.metrics import ClassMetrics, PixelMetrics, aupro, pixel_auroc
from zsadbench.metrics.counting import exact
from zsadbench.metrics.counting.exact import ExactPixels
from zsadbench.metrics.counting.image import keys_of, read_images, scores_of
from zsadbench.metrics.counting.spill_buffer import SpillBuffer


def make(seed, shape=(5, 30, 31)):
    rng = np.random.default_rng(seed)
    masks = np.zeros(shape, bool)
    masks[::2, 5:12, 3:20] = masks[0, 20:24, 30] = True
    return (rng.normal(size=shape) + masks).astype(np.float32), masks


def accumulate(maps, masks, **options):
    accumulator = PixelMetrics(**options)
    accumulator.update(maps, masks)
    return accumulator


KINDS = {
    "normal": lambda rng, shape: rng.normal(size=shape),
    "levels": lambda rng, shape: rng.integers(-3, 4, shape) / 8,
    "bits": lambda rng, shape: np.nan_to_num(rng.integers(0, 2**32, shape, np.uint32).view(np.float32), nan=1.0),
    "close": lambda rng, shape: 1 + rng.integers(0, 200, shape) * 2.0**-23,
    "edges": lambda rng, shape: rng.choice([-np.inf, -0.0, 0.0, 1e-45, 3e38, np.inf], shape),
}


@settings(max_examples=80, deadline=None)
@given(st.sampled_from(sorted(KINDS)), st.integers(0, 2**32 - 1), st.sampled_from([0, 0.02, 0.5, 1.0]), st.booleans())
def test_counting_by_keys_agrees_with_sorting(kind, seed, density, keep):
    rng = np.random.default_rng(seed)
    shape = (3, *rng.integers(1, 30, 2))
    maps, masks = KINDS[kind](rng, shape).astype(np.float32), rng.random(shape) < density
    pixels = ExactPixels(SpillBuffer() if keep else None)
    pixels.add(read_images(maps, masks, True, 1), 1)
    anomalous = np.unique(maps[masks] + np.float32(0))
    cuts = np.unique(rng.choice(maps.ravel(), 20) + np.float32(0))
    groups, positions = pixels.groups(cuts, 1)
    values = np.union1d(anomalous, cuts)
    normal = maps[~masks]
    assert groups.counts.greater.tolist() == [(normal > value).sum() for value in values]
    assert groups.counts.equal.tolist() == [(normal == value).sum() for value in values]
    assert groups.counts.anomalous.tolist() == [(maps[masks] == value).sum() for value in values]
    assert values[positions.group].tolist() == cuts.tolist()
    slow = exact._count_by_sorting(pixels.blocks, values)
    assert np.array_equal(slow, groups.counts[1:3])


def test_keys_order_like_scores():
    rng = np.random.default_rng(0)
    scores = np.concatenate([KINDS[kind](rng, 500) for kind in KINDS]).astype(np.float32)
    keys = keys_of(scores)
    order = np.argsort(keys, kind="stable")
    assert (scores[order][1:] >= scores[order][:-1]).all()
    assert ((keys[:, None] < keys) == (scores[:, None] < scores)).all()
    assert np.array_equal(scores_of(keys), scores)


def test_scores_spread_over_too_many_pages_are_sorted(monkeypatch):
    maps, masks = make(0)
    expected = accumulate(maps, masks).compute()
    monkeypatch.setattr(exact, "_count_keys", None)
    for name, value in (("MOST_PAGES", 3), ("TOGETHER", 2000)):
        monkeypatch.setattr(exact, name, value)
        assert accumulate(maps, masks).compute() == expected


def test_full_buffers_change_nothing(monkeypatch):
    maps, masks = make(1, (4, 80, 90))
    expected = accumulate(maps, masks).compute()
    monkeypatch.setattr(exact, "BUFFERS", 1)
    assert accumulate(maps, masks).compute() == expected


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("memory", [0, 10_000])
def test_scores_beyond_the_budget_go_into_a_file_and_nothing_is_left(dtype, memory, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    maps, masks = (make(2)[0].astype(dtype), make(2)[1])
    spilled, held = accumulate(maps, masks, memory=memory), accumulate(maps, masks)
    blocks = [block.scores for block in spilled._pixels.blocks]
    bases = [block.base if block.base is not None else block for block in blocks]
    assert sum(isinstance(base, np.memmap) or hasattr(base, "filename") for base in bases) >= len(blocks) - 2
    assert spilled.compute() == held.compute()
    assert list(tmp_path.iterdir()) == []
    assert spilled.merge(accumulate(maps, masks)).compute() == held.merge(accumulate(maps, masks)).compute()


def test_maps_that_the_caller_holds_are_not_copied():
    maps, masks = make(3)
    held = accumulate(maps, masks, copy=False)
    assert all(np.shares_memory(block.scores, maps) for block in held._pixels.blocks)
    kept = accumulate(maps, masks)
    assert not any(np.shares_memory(block.scores, maps) for block in kept._pixels.blocks)
    assert held.compute() == kept.compute()
    assert all((held.state()[key] == value).all() for key, value in kept.state().items())
    assert pixel_auroc(maps, masks) == kept.compute()["auroc"].value
    frozen = maps.copy()
    frozen.flags.writeable = False
    assert aupro(frozen, masks) == kept.compute()["aupro"].value


def shard(arguments):
    mode, seed, number = arguments
    rng = np.random.default_rng(seed)
    found = ClassMetrics(mode=mode, threads=1)
    for image in range(number):
        maps, masks = make(1000 * seed + image, (1, 26, 32))
        found.update(rng.random(1), [image % 2], maps, masks)
    return found.state()


@pytest.mark.parametrize(("mode", "number"), [("stream", 20), ("exact", 5)])
def test_shards_of_eight_processes_equal_the_single_pass(mode, number):
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        states = pool.map(shard, [(mode, seed, number) for seed in range(8)])
    merged = ClassMetrics.from_state(states[5])
    for place in (0, 7, 2, 1, 6, 3, 4):
        merged.merge(ClassMetrics.from_state(states[place]))
    single = ClassMetrics(mode=mode, threads=2)
    for seed in range(8):
        rng = np.random.default_rng(seed)
        for image in range(number):
            maps, masks = make(1000 * seed + image, (1, 26, 32))
            single.update(rng.random(1), [image % 2], maps, masks)
    first, second = merged.state(), single.state()
    assert first.keys() == second.keys()
    assert all(first[key].tobytes() == second[key].tobytes() for key in first)
    assert merged.compute() == single.compute()
    assert all(one.value is not None for one in single.compute().values())


def test_classes_of_different_kinds_do_not_merge():
    with pytest.raises(ValueError, match="only one has masks"):
        ClassMetrics().merge(ClassMetrics(masks=False))
    with pytest.raises(ValueError, match="mode"):
        ClassMetrics().merge(ClassMetrics(mode="stream"))
    with pytest.raises(ValueError, match="lacks image_anomalous, names"):
        ClassMetrics.from_state({"image_normal": np.zeros(1)})
    without = ClassMetrics(masks=False)
    without.update([0.1, 0.2], [0, 1])
    again = ClassMetrics.from_state(without.state()).merge(without)
    assert again.compute()["image_auroc"].value == 1.0
    assert again.compute()["pixel_auroc"].reason == "the data set has no masks"

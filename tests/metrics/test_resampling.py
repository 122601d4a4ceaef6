"""Resamples word for word, their sums in parts, and tables that lie in temporary files."""

from fractions import Fraction

import numpy as np
import pytest

from zsadbench.metrics.counting import spill_buffer
from zsadbench.metrics.counting.spill_buffer import SmallArrays
from zsadbench.metrics.intervals import BootstrapCounts
from zsadbench.metrics.overlaps import RegionOverlaps
from zsadbench.metrics.resampling import tables, values
from zsadbench.metrics.resampling.draws import Draws, at_once_of
from zsadbench.metrics.resampling.tables import BIN, BIN_FIELDS
from zsadbench.metrics.resampling.values import sums_at_once, sums_in_parts


@pytest.fixture
def in_files(monkeypatch):
    """Nearly everything goes to temporary files, and sums are taken in small parts."""
    monkeypatch.setattr(spill_buffer, "SMALL", 300)
    monkeypatch.setattr(tables, "IN_MEMORY", 0)
    for name, size in (("IN_MEMORY", 0), ("OF_SUMS", 20_000), ("OF_PART", 3_000)):
        monkeypatch.setattr(values, name, size)


@pytest.mark.parametrize("budget", [0, 100, 1 << 20])
def test_small_arrays_come_back_from_memory_and_file(budget):
    rng, kept, places = np.random.default_rng(budget), SmallArrays(budget), []
    for _ in range(200):
        dtype = [np.dtype(np.float32), np.dtype(np.float64), BIN][rng.integers(3)]
        array = np.frombuffer(rng.bytes(dtype.itemsize * int(rng.integers(0, 20))), dtype)
        places.append((kept.put(array), array))
    for place in rng.permutation(len(places)).tolist():
        position, array = places[place]
        found = kept.get(position, array.size, array.dtype)
        assert found.tobytes() == array.tobytes()
        assert found.dtype == array.dtype
    everything = b"".join(array.tobytes() for _, array in places)
    for start, stop in ((0, len(everything)), (77, len(everything) - 50), (5, 5)):
        assert kept.get(start, stop - start, np.uint8).tobytes() == everything[start:stop]
    assert (kept._file is not None) == (len(everything) > budget)


def test_a_kept_array_is_a_copy():
    kept, array = SmallArrays(), np.arange(5)
    position = kept.put(array)
    array[:] = 9
    assert kept.get(position, 5, array.dtype).tolist() == [0, 1, 2, 3, 4]
    kept.get(position, 5, array.dtype)[:] = 9
    assert kept.get(position, 5, array.dtype).tolist() == [0, 1, 2, 3, 4]


def times_by_hand(labels, draws, seed):
    """How often each resample contains each image, one after the other: numbers are drawn in batches of resamples."""
    rng = np.random.default_rng(seed)
    times = np.zeros((1 + draws, len(labels)), int)
    times[0] = 1
    for label in (False, True):
        members = [image for image, of_image in enumerate(labels) if of_image == label]
        done = 0
        while members and done < draws:
            some = min(at_once_of(len(members)), draws - done)
            for row, numbers in enumerate(rng.integers(0, len(members), (some, len(members))).tolist()):
                for number in numbers:
                    times[1 + done + row, members[number]] += 1
            done += some
    return times


@pytest.mark.parametrize("images", [(7, 5), (300, 3), (0, 4), (4, 0)])
def test_resamples_are_drawn_one_label_after_the_other(images, in_files):
    labels = np.random.default_rng(0).permutation(np.repeat([False, True], images))
    draws, times = Draws(labels, 30, (4, 2)), times_by_hand(labels, 30, (4, 2))
    assert draws.size == 31
    for start, stop in ((0, 31), (3, 4), (20, 31)):
        assert np.array_equal(draws.rows(start, stop), times[start:stop])
        for label, members in enumerate(draws.members):
            for first, last in ((0, members.size), (1, min(3, members.size))):
                if first < last:
                    found = draws.of_members(label, first, last, start, stop)
                    assert np.array_equal(found, times[start:stop, members[first:last]])


@pytest.fixture
def counted():
    """Tables of 40 images with some of 60 bins, and which of these are used."""
    rng, made = np.random.default_rng(1), []
    for _ in range(40):
        table = np.zeros(int(rng.integers(0, 30)), BIN)
        table["bin"] = np.sort(rng.choice(60, table.size, replace=False))
        table["normal"], table["anomalous"] = rng.integers(0, 2**28, (2, table.size))
        table["weight"] = rng.random(table.size, np.float32)
        made.append(table)
    return made, np.unique(np.concatenate([table["bin"] for table in made])).astype(np.uint32)


def test_sums_in_parts_are_exact_and_do_not_depend_on_the_parts(counted, monkeypatch):
    made, used = counted
    draws = Draws(np.arange(40) % 3 == 0, 600, 5)
    times = draws.rows(0, draws.size)
    at_once = [np.concatenate(parts) for parts in zip(*sums_at_once(made.__getitem__, used, draws), strict=True)]
    for of_sums, of_part in ((1 << 30, 1 << 30), (200_000, 5_000), (1, 1)):
        monkeypatch.setattr(values, "OF_SUMS", of_sums)
        monkeypatch.setattr(values, "OF_PART", of_part)
        parts = list(sums_in_parts(made.__getitem__, used, draws))
        assert max(len(part[0]) for part in parts) <= values.AT_ONCE
        found = [np.concatenate(of_kind) for of_kind in zip(*parts, strict=True)]
        for kind, field in enumerate(("normal", "anomalous", "weight")):
            assert np.allclose(found[kind], at_once[kind], rtol=1e-5)
            for row in (0, 1, 300, 600):
                exact = dict.fromkeys(used.tolist(), Fraction(0))
                for image, table in enumerate(made):
                    for bin_, value in zip(table["bin"].tolist(), table[field].tolist(), strict=True):
                        exact[bin_] += int(times[row, image]) * Fraction(value)
                wanted = [float(value) for value in exact.values()]
                if field == "weight":
                    assert np.allclose(found[kind][row], wanted, rtol=1e-14)
                else:
                    assert found[kind][row].tolist() == wanted


def bootstrap():
    """The counts of 12 images in two parts that are merged, one of which came as a state; and regions likewise."""
    rng = np.random.default_rng(3)
    masks = np.zeros((12, 20, 20), bool)
    masks[::2, 3:9, 4:15] = masks[::4, 12:15, 2:6] = True
    maps = (rng.normal(size=masks.shape) + masks).astype(np.float32)
    names, scores = [f"{number:02}" for number in rng.permutation(12)], maps.max(axis=(1, 2))
    found = [BootstrapCounts(), BootstrapCounts()], [RegionOverlaps(), RegionOverlaps()]
    for part, rows in enumerate((slice(0, 7), slice(7, 12))):
        labels = masks[rows].any(axis=(1, 2))
        found[0][part].update(names[rows], scores[rows], labels, maps[rows], masks[rows])
        found[1][part].update(maps[rows], masks[rows], names[rows])
    return [one.merge(type(other).from_state(other.state())) for one, other in found]


def test_tables_in_files_give_the_same_bits(request):
    whole, regions = bootstrap()
    state, deviations, overlaps = whole.state(), whole.deviations(300), regions.state()
    request.getfixturevalue("in_files")
    filed, filed_regions = bootstrap()
    assert filed._tables._file is not None
    assert filed_regions._scores._file is not None
    again = filed.state()
    assert list(again) == list(state)
    for name, array in state.items():
        assert (again[name].tobytes(), again[name].dtype) == (array.tobytes(), array.dtype), name
    for field in BIN_FIELDS:
        assert isinstance(again[field].base, np.memmap)
    for name, array in overlaps.items():
        assert filed_regions.state()[name].tobytes() == array.tobytes(), name
    found = filed.deviations(300)
    assert found.keys() == deviations.keys()
    for key, of_metric in deviations.items():
        assert np.allclose(found[key], of_metric, rtol=0, atol=1e-6), key  # float32 sums before, float64 now
        if key.startswith("image"):
            assert np.array_equal(found[key], of_metric)
    back = BootstrapCounts.from_state(again)
    assert all(np.array_equal(values, found[key]) for key, values in back.deviations(300).items())

"""The image cache: it changes the time of loading and nothing else."""

import logging
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from zsadbench.data import DiskBudget, TensorCache, batches, load_dataset
from zsadbench.data.loading.tensor_cache import HEADER, ResizedImage
from zsadbench.errors import DataError

SIZE = 56
ENTRY = HEADER.size + 3 * SIZE * SIZE
ROOM = 2**30


@pytest.fixture
def dataset(miniature):
    return load_dataset("mvtec", [miniature("mvtec").parent])


@pytest.fixture
def cache(dataset):
    return TensorCache.for_set(dataset, SIZE, "rgb_first", ROOM)


def epoch(dataset, cache, **settings):
    settings = {"size": SIZE, "masks": "native", "batch_size": 4, "workers": 2, **settings}
    return list(batches(dataset.manifest, cache=cache, **settings))


def same(one, other):
    return len(one) == len(other) and all(
        torch.equal(left.images, right.images)
        and left.paths == right.paths
        and all((mask == again).all() for mask, again in zip(left.masks, right.masks, strict=True))
        for left, right in zip(one, other, strict=True)
    )


def entries(cache):
    return sorted(path for path in cache.folder.iterdir() if path.is_file())


@pytest.fixture
def no_reading(monkeypatch):
    """Call it to make decoding of images fail."""

    def refuse():
        monkeypatch.setattr("zsadbench.data.loading.batches.read_image", None)

    return refuse


@pytest.mark.parametrize("preprocessing", ["rgb_first", "resize_first"])
@pytest.mark.parametrize("workers", [0, 3])
def test_a_cached_epoch_is_bit_equal_and_decodes_nothing(dataset, no_reading, preprocessing, workers):
    cache = TensorCache.for_set(dataset, SIZE, preprocessing, ROOM)
    settings = {"preprocessing": preprocessing, "workers": workers}
    plain = epoch(dataset, None, **settings)
    assert same(epoch(dataset, cache, **settings), plain)
    assert len(entries(cache)) == len(dataset.manifest)
    no_reading()
    assert same(epoch(dataset, cache, **settings), plain)
    assert same(epoch(dataset, TensorCache.for_set(dataset, SIZE, preprocessing, ROOM), **settings), plain)


def test_odd_modes_are_bit_equal(tmp_path, no_reading):
    colours = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    for place, mode in enumerate(("L", "P", "RGBA", "1", "CMYK")):
        path = tmp_path / "own" / ("good" if place % 2 else "odd") / f"{place}.tif"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(colours).convert(mode).save(path)
    own = load_dataset(f"folder:{tmp_path / 'own'}")
    for preprocessing in ("rgb_first", "resize_first"):
        cache = TensorCache.for_set(own, SIZE, preprocessing, ROOM)
        plain = epoch(own, None, preprocessing=preprocessing, masks="none")
        epoch(own, cache, preprocessing=preprocessing, masks="none")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("zsadbench.data.loading.batches.read_image", None)
            again = epoch(own, cache, preprocessing=preprocessing, masks="none")
        assert all(torch.equal(one.images, other.images) for one, other in zip(plain, again, strict=True))


def test_what_decides_the_pixels_decides_the_place(dataset, miniature, monkeypatch):
    other = load_dataset("visa", [miniature("visa").parent])
    folders = {
        TensorCache.for_set(one, size, preprocessing, ROOM).folder
        for one in (dataset, other)
        for size in (56, 70)
        for preprocessing in ("rgb_first", "resize_first")
    }
    monkeypatch.setattr("zsadbench.data.loading.tensor_cache.PIL.__version__", "0.0")
    folders.add(TensorCache.for_set(dataset, 56, "rgb_first", ROOM).folder)
    assert len(folders) == 9


@pytest.mark.parametrize("budget", [None, 0])
def test_without_a_budget_there_is_no_cache(dataset, budget):
    assert TensorCache.for_set(dataset, SIZE, "rgb_first", budget) is None


def damage(path, kind):
    content = path.read_bytes()
    middle = len(content) // 2
    path.write_bytes(
        {
            "empty": b"",
            "truncated": content[:middle],
            "longer": content + b"\0",
            "one bit": content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :],
            "foreign": b"x" * len(content),
            "another size": content[:8] + (70).to_bytes(4, "little") + content[12:],
        }[kind]
    )


@pytest.mark.parametrize("kind", ["empty", "truncated", "longer", "one bit", "foreign", "another size"])
def test_a_damaged_entry_is_made_anew(dataset, cache, kind):
    plain = epoch(dataset, cache)
    victim = entries(cache)[1]
    sound = victim.read_bytes()
    damage(victim, kind)
    assert same(epoch(dataset, cache), plain)
    assert victim.read_bytes() == sound
    assert len(entries(cache)) == len(dataset.manifest)


def test_an_image_that_changed_is_read_anew(dataset, cache):
    before = epoch(dataset, cache)
    path = dataset.manifest["path"][0]
    with Image.open(path) as image:
        size = image.size
    Image.new("RGB", size, (9, 200, 30)).save(path)
    after = epoch(dataset, cache)
    assert same(after, epoch(dataset, None))
    assert not torch.equal(after[0].images[0], before[0].images[0])


def test_an_image_that_has_gone_is_missed(dataset, cache):
    epoch(dataset, cache)
    Path(dataset.manifest["path"][0]).unlink()
    with pytest.raises(DataError, match="is missing"):
        epoch(dataset, cache)


def test_the_budget_is_not_exceeded(dataset, caplog):
    cache = TensorCache.for_set(dataset, SIZE, "rgb_first", 5 * ENTRY + 10)
    plain = epoch(dataset, None)
    assert same(epoch(dataset, cache), plain)
    assert same(epoch(dataset, cache), plain)
    assert len(entries(cache)) == 5
    assert sum("the image cache is full" in message for message in caplog.messages) == 1


def test_another_set_makes_way(dataset, miniature):
    other = load_dataset("visa", [miniature("visa").parent])
    budget = (len(dataset.manifest) + 3) * ENTRY
    old = TensorCache.for_set(other, SIZE, "rgb_first", budget)
    epoch(other, old)
    new = TensorCache.for_set(dataset, SIZE, "rgb_first", budget)
    epoch(dataset, new)
    assert not old.folder.exists()
    assert len(entries(new)) == len(dataset.manifest)


def test_a_cache_that_cannot_be_written_to_is_none(dataset, cache, caplog):
    cache.folder.parent.mkdir(parents=True)
    cache.folder.write_text("a file where the folder should be")
    with caplog.at_level(logging.WARNING):
        assert same(epoch(dataset, cache), epoch(dataset, None))
    assert sum("cannot be kept" in message for message in caplog.messages) == 1


def test_nothing_half_written_is_left(dataset, cache, monkeypatch):
    monkeypatch.setattr(
        "zsadbench.data.loading.tensor_cache.Path.replace", lambda *_: (_ for _ in ()).throw(OSError("full"))
    )
    assert len(epoch(dataset, cache)) > 1
    assert entries(cache) == []


def test_an_entry_is_mapped_not_copied(cache, dataset):
    epoch(dataset, cache)
    row = dataset.manifest.iloc[0]
    found = cache.find(row["relative"], row["path"])
    assert isinstance(found, ResizedImage)
    assert found.pixels.shape == (SIZE, SIZE, 3)
    assert not found.pixels.flags.owndata
    assert not found.pixels.flags.writeable
    with Image.open(row["path"]) as image:
        assert found.native_size == (image.height, image.width)


EPOCH = """
import hashlib, sys
from zsadbench.data import TensorCache, batches, load_dataset
dataset = load_dataset("mvtec", [sys.argv[1]])
cache = TensorCache.for_set(dataset, 56, "rgb_first", 2**30)
told = hashlib.sha256()
for _ in range(4):
    for batch in batches(dataset.manifest, size=56, masks="none", workers=2, cache=cache):
        told.update(batch.images.numpy().tobytes())
print(told.hexdigest())
"""


def test_two_processes_may_share_it(dataset, cache, tmp_path):
    command = [sys.executable, "-W", "error", "-c", EPOCH, str(tmp_path / "data")]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    told = [process.communicate(timeout=120)[0] for process in running]
    assert [process.returncode for process in running] == [0, 0]
    assert told[0] == told[1]
    assert len(entries(cache)) == len(dataset.manifest)
    assert same(epoch(dataset, cache), epoch(dataset, None))


def test_entries_being_written_count_in_the_budget(tmp_path):
    """Entries that are being written count when the disk space is measured again."""
    budget = DiskBudget(tmp_path / "set", 10, 25, "image cache")
    seen = []

    def slow():
        budget.write(tmp_path / "set" / "third", lambda: [b"x" * 10], "images")
        seen.append(True)
        return [b"x" * 10]

    budget.write(tmp_path / "set" / "first", lambda: [b"x" * 10], "images")
    budget.write(tmp_path / "set" / "second", slow, "images")
    assert seen
    assert sorted(one.name for one in (tmp_path / "set").iterdir()) == ["first", "second"]

import threading

import numpy as np
import psutil
import pytest
import torch

from zsadbench.data import batches, load_dataset, prepare_image, read_mask, resize_mask_nearest, training_mask
from zsadbench.data.images.preprocess import normalise
from zsadbench.errors import DataError
from zsadbench.tokens import CLIP_PIXELS


def normalised_word_for_word(pixels):
    """CLIP's normalisation as usually written, for all colours at once."""
    scaled = pixels.astype(np.float32) / np.float32(255)
    return ((scaled - np.float32(CLIP_PIXELS.mean)) / np.float32(CLIP_PIXELS.deviation)).transpose(2, 0, 1)


def test_normalising_colour_by_colour_gives_the_same_bits():
    every = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)[None]
    some = np.random.default_rng(0).integers(0, 256, (37, 53, 3), dtype=np.uint8)
    for pixels in (every, some, np.asfortranarray(some), some[:, ::-1]):
        slow = normalised_word_for_word(pixels)
        assert (normalise(pixels).view(np.uint32) == np.ascontiguousarray(slow).view(np.uint32)).all()
        out = np.full((3, *pixels.shape[:2]), np.nan, dtype=np.float32)
        assert normalise(pixels, out) is out
        assert (out == slow).all()


@pytest.fixture
def frame(miniature):
    return load_dataset("mvtec", [miniature("mvtec").parent]).manifest.iloc[:10]


def readers():
    return [thread for thread in threading.enumerate() if thread.name.startswith("zsadbench-read")]


def test_a_batch_holds_what_it_says(frame):
    (first, *others) = list(batches(frame, size=56, batch_size=4))
    assert [len(batch.rows) for batch in (first, *others)] == [4, 4, 2]
    assert first.images.shape == (4, 3, 56, 56)
    assert first.images.dtype == torch.float32
    assert first.masks.shape == (4, 56, 56)
    assert first.masks.dtype == np.uint8
    assert first.labels.dtype == first.rows.dtype == np.int64
    assert first.labels.tolist() == frame["label"][:4].tolist()
    assert first.paths == tuple(frame["path"][:4])
    for image, path in zip(first.images, first.paths, strict=True):
        assert (image.numpy() == prepare_image(path, 56, "rgb_first")).all()


def test_each_rule_for_masks(frame):
    row = frame.iloc[0]
    assert row["label"] == 1
    own = read_mask(row["mask"])
    masks = {rule: next(batches(frame, size=56, masks=rule)).masks for rule in ("strict", "native", "training", "none")}
    assert (masks["strict"][0] == resize_mask_nearest(own, 56)).all()
    assert (masks["training"][0] == training_mask(row["mask"], 56)).all()
    assert isinstance(masks["native"], list)
    assert (masks["native"][0] == own).all()
    assert masks["none"] is None


def test_normal_images_have_masks_of_zeros(frame):
    normal = frame[frame["label"] == 0]
    assert next(batches(normal, size=56)).masks.shape == (5, 56, 56)
    native = next(batches(normal, size=56, masks="native")).masks
    assert [mask.shape for mask in native] == [(96, 96)] * 5
    assert not any(mask.any() for mask in native)


def test_masks_follow_the_cards_rule_except_in_training(tmp_path, write_image, frame):
    mask = write_image(tmp_path / "m.png", size=(96, 96), mode="L", fill=90)
    one = frame.iloc[:1].assign(mask=str(mask))
    assert next(batches(one, size=56, positive="> 0")).masks.all()
    assert not next(batches(one, size=56, positive=">= 128")).masks.any()
    assert next(batches(one, size=56, positive=">= 128", masks="training")).masks.all()


@pytest.mark.parametrize("order", [None, [7, 0, 3, 3, 9], np.array([1]), []])
def test_workers_change_nothing(frame, order):
    def everything(workers):
        found = list(batches(frame, size=28, batch_size=3, workers=workers, order=order))
        return [batch.rows.tolist() for batch in found], [batch.images for batch in found]

    rows, images = everything(0)
    assert [row for chunk in rows for row in chunk] == (list(range(10)) if order is None else list(order))
    for workers in (1, 3):
        again, others = everything(workers)
        assert again == rows
        assert all(torch.equal(left, right) for left, right in zip(images, others, strict=True))
    assert not readers()


def test_reading_runs_ahead_but_not_far(frame, monkeypatch):
    started = []
    real = prepare_image.__globals__["read_image"]
    monkeypatch.setattr("zsadbench.data.loading.batches.read_image", lambda path: started.append(path) or real(path))
    many = frame.iloc[[0] * 60]
    iterator = batches(many, size=28, batch_size=4, workers=2)
    next(iterator)
    iterator.close()
    assert 4 <= len(started) <= 4 + 4 + 2 + 2
    assert not readers()


@pytest.mark.parametrize("workers", [0, 2])
def test_a_bad_file_ends_it_with_its_name_and_without_threads(tmp_path, frame, workers):
    (tmp_path / "bad.png").write_bytes(b"")
    broken = frame.copy()
    broken.iloc[5, 0] = str(tmp_path / "bad.png")
    iterator = batches(broken, size=28, batch_size=2, workers=workers)
    assert len([next(iterator), next(iterator)]) == 2
    with pytest.raises(DataError, match=r"bad.png' cannot be read as an image"):
        next(iterator)
    assert not readers()


@pytest.mark.parametrize("rule", ["strict", "native", "training"])
def test_a_mask_must_be_there_and_as_large_as_its_image(tmp_path, write_image, frame, rule):
    one = frame.iloc[:1]
    small = write_image(tmp_path / "m.png", size=(9, 7), mode="L")
    with pytest.raises(DataError, match=r"mask '.*m.png' is 9×7, its image is 96×96"):
        next(batches(one.assign(mask=str(small)), size=28, masks=rule))
    with pytest.raises(DataError, match="is anomalous and has no mask"):
        next(batches(one.assign(mask=""), size=28, masks=rule))
    assert next(batches(one.assign(mask=""), size=28, masks="none")).masks is None


def test_pinned_memory_is_asked_of_torch(frame, monkeypatch):
    """Pinned memory needs a CUDA device, so the test replaces the allocation."""
    asked, real = [], torch.empty

    def empty(*shape, pin_memory=False):
        asked.append(pin_memory)
        return real(*shape)

    monkeypatch.setattr("zsadbench.data.loading.batches.torch.empty", empty)
    pinned = list(batches(frame, size=28, batch_size=4, pin=True))
    assert asked == [True] * 3
    plain = list(batches(frame, size=28, batch_size=4))
    assert asked == [True] * 3
    assert all(torch.equal(one.images, other.images) for one, other in zip(pinned, plain, strict=True))


def test_a_batch_outlives_the_iterator(frame):
    iterator = batches(frame, size=28, batch_size=4)
    first = next(iterator).images
    before = first.clone()
    assert len(list(iterator)) == 2
    assert torch.equal(first, before)


def test_memory_is_flat_over_an_epoch(frame):
    """The memory does not grow after the first batches."""
    process = psutil.Process()
    taken = []
    for batch in batches(frame.iloc[[0] * 640], size=140, masks="none", batch_size=8, workers=2):
        assert len(batch.images) == 8
        taken.append(process.memory_info().rss)
    assert max(taken[40:]) - max(taken[:20]) < 8 * 2**20

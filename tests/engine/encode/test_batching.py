"""The batch size grows while that pays, and batches are halved where memory is short."""

import json
import logging
from types import SimpleNamespace

import pytest
import torch

from zsadbench.clip.towers import VisionTower
from zsadbench.engine.encode import batching
from zsadbench.engine.encode.batching import Halving, automatic_batch, best_batch
from zsadbench.engine.units import worker
from zsadbench.types import Taps

SHORT = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")


def limited_to(most, tried=None):
    """Return a rate that grows with the batch size and is out of memory beyond `most`."""

    def rate(count):
        if tried is not None:
            tried.append(count)
        if count > most:
            raise SHORT
        return float(count)

    return rate


@pytest.mark.parametrize(("most", "size"), [(1000, 256), (100, 64), (40, 32), (16, 16), (9, 8), (1, 1)])
def test_a_batch_grows_as_far_as_memory_goes(most, size):
    assert best_batch(limited_to(most), 16) == size


def test_a_batch_grows_only_while_it_pays():
    rates = {16: 100.0, 32: 150.0, 64: 152.0, 128: 900.0}
    assert best_batch(rates.__getitem__, 16) == 32


def test_a_batch_that_was_too_large_does_not_grow_again():
    tried = []
    assert best_batch(limited_to(5, tried), 16) == 4
    assert tried == [16, 8, 4]


def test_where_a_single_image_does_not_fit_the_classes_fail_on_their_own():
    assert best_batch(limited_to(0), 16) == 1


def test_a_bug_is_no_shortage():
    def rate(count):
        raise RuntimeError("shapes differ")

    with pytest.raises(RuntimeError, match="shapes differ"):
        best_batch(rate, 16)


def test_a_cpu_has_a_fixed_batch_size(tiny_backbone):
    assert automatic_batch(tiny_backbone, Taps((24,)), torch.float32) == 4


def test_the_image_encoder_is_timed(tiny_backbone, monkeypatch):
    sizes = []

    def forward(self, images, taps, precision):
        sizes.append(len(images))
        if len(images) > 8:
            raise SHORT

    monkeypatch.setattr(VisionTower, "forward", forward)
    monkeypatch.setattr(batching, "BATCH", {"cpu": 4, "cuda": 2})
    monkeypatch.setattr(batching, "seconds_of", lambda call: call() or 1.0)
    device = SimpleNamespace(type="cuda")
    backbone = SimpleNamespace(device=device, image_size=70, vision=tiny_backbone.vision)
    monkeypatch.setattr(batching, "wait_for", lambda device: None)
    monkeypatch.setattr(batching.torch, "zeros", lambda *shape, **_: torch.ones(*shape))
    assert automatic_batch(backbone, Taps((24,)), torch.float32) == 8
    assert sizes[:3] == [2, 2, 2]
    assert max(sizes) == 16


def test_the_size_that_fits_is_remembered(caplog):
    halving, sizes = Halving(), []

    def call(rows):
        size = rows.stop - rows.start
        sizes.append(size)
        if size > 3:
            raise SHORT
        return list(range(rows.start, rows.stop))

    with caplog.at_level(logging.WARNING):
        assert [row for part in halving(call, 10) for row in part] == list(range(10))
        assert sizes == [10, 5, 2, 2, 2, 2, 2]
        sizes.clear()
        assert [row for part in halving(call, 5) for row in part] == list(range(5))
        assert sizes == [2, 2, 1]
    assert [record.getMessage() for record in caplog.records] == [
        "memory is short for 10 images at a time; going on with 5",
        "memory is short for 5 images at a time; going on with 2",
    ]


@pytest.mark.parametrize("failure", [SHORT, MemoryError()])
def test_one_image_that_does_not_fit_is_a_failure(failure):
    def call(rows):
        raise failure

    with pytest.raises(type(failure)):
        Halving()(call, 4)


def test_a_run_goes_on_with_smaller_batches_and_gives_the_same_record(run, monkeypatch, tmp_path):
    request = {"methods": ("clip",), "aux": "none", "batch_size": 4}
    whole = run(out=tmp_path / "whole", **request)
    plain, sizes = VisionTower.forward, []

    def forward(self, images, *rest):
        sizes.append(len(images))
        if len(images) > 1:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 4096 bytes")
        return plain(self, images, *rest)

    monkeypatch.setattr(VisionTower, "forward", forward)
    parts = run(out=tmp_path / "parts", **request)
    assert not parts.failures
    assert max(sizes) > 1
    first, second = (json.loads(results.records[0][0].read_text())["classes"] for results in (whole, parts))
    for name, values in first.items():
        assert second[name] == pytest.approx(values, abs=1e-6)


def test_a_head_that_does_not_fit_into_memory_takes_parts(run, monkeypatch, tmp_path):
    from zsadbench.registry import method_card

    card = method_card("clip")
    built = card.build
    sizes = []

    def greedy(backbone, options):
        detector = built(backbone, options)
        plain = detector.score

        def score(tokens, names):
            sizes.append(len(names))
            if len(names) > 1:
                raise SHORT
            return plain(tokens, names)

        detector.score = score
        return detector

    whole = run(methods=("clip",), aux="none", out=tmp_path / "whole", batch_size=4)
    object.__setattr__(card, "build", greedy)
    try:
        parts = run(methods=("clip",), aux="none", out=tmp_path / "parts", batch_size=4)
    finally:
        object.__setattr__(card, "build", built)
    assert not parts.failures
    assert max(sizes) > 1
    first, second = (json.loads(results.records[0][0].read_text())["classes"] for results in (whole, parts))
    for name, values in first.items():
        assert second[name] == pytest.approx(values, abs=1e-6)


@pytest.mark.parametrize("failure", [MemoryError(), SHORT])
def test_encoders_that_do_not_fit_cost_their_jobs(run, monkeypatch, failure):
    monkeypatch.setattr(worker, "build_towers", lambda *_: (_ for _ in ()).throw(failure))
    results = run(methods=("clip", "colour-distance"), aux=None, epochs=None)
    assert len(results.failures) == results.failed == 2
    assert all("preparation: out of memory" in line for line in results.failures)


def test_a_bug_in_building_encoders_is_raised(run, monkeypatch):
    monkeypatch.setattr(worker, "build_towers", lambda *_: (_ for _ in ()).throw(RuntimeError("shapes differ")))
    with pytest.raises(RuntimeError, match="shapes differ"):
        run(methods=("clip",), aux=None, epochs=None)

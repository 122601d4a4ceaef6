"""Cutting a class into shards, and choosing the engine."""

import pytest
import torch

from zsadbench.engine.machine import device as devices
from zsadbench.engine.plan.engines import choose_engine
from zsadbench.engine.plan.jobs import make_plan
from zsadbench.engine.plan.shards import cut, default_shard, tower_macs
from zsadbench.errors import UsageError


@pytest.mark.parametrize(
    ("count", "size", "batch", "done", "spans"),
    [
        (10, 4, 4, [], [(0, 4), (4, 8), (8, 10)]),
        (10, 40, 4, [], [(0, 10)]),
        (0, 4, 4, [], []),
        (10, 4, 2, [(4, 6)], [(0, 4), (4, 6), (6, 10)]),
        (10, 4, 2, [(8, 10), (0, 2)], [(0, 2), (2, 6), (6, 8), (8, 10)]),
        (10, 4, 4, [(2, 6), (4, 8)], [(0, 4), (4, 8), (8, 10)]),  # one begins inside a batch
        (10, 4, 2, [(0, 6), (4, 8), (8, 20)], [(0, 6), (6, 10)]),  # one overlaps, one is longer than the class
    ],
)
def test_shards_cover_every_row_once_in_whole_batches(count, size, batch, done, spans):
    found = cut(count, size, batch, done)
    assert found == spans
    assert [row for start, stop in found for row in range(start, stop)] == list(range(count))
    assert all(start % batch == 0 for start, _ in found)


def test_a_shard_is_a_minute_of_work_by_default(request_for):
    setup = make_plan(request_for(aux="none", epochs=None)).jobs[0].setup
    one, four = (default_shard(setup, torch.device("cpu"), workers) for workers in (1, 4))
    assert one == int(60 * 2.5e10 * torch.get_num_threads() / tower_macs(setup))
    assert four <= one
    assert default_shard(setup, torch.device("cuda"), 1) == int(60 * 2.5e13 / tower_macs(setup))


def test_several_workers_are_processes(request_for):
    assert choose_engine(request_for()).name == "local"
    two = choose_engine(request_for(jobs=2))
    assert (two.name, [device.type for device in two.devices]) == ("processes", ["cpu", "cpu"])
    assert choose_engine(request_for(jobs=1)).name == "local"
    assert choose_engine(request_for(engine="processes")).name == "processes"


def test_all_devices_are_those_that_are_visible(request_for, monkeypatch):
    monkeypatch.setattr(devices.torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(devices.torch.cuda, "device_count", lambda: 2)
    assert list(map(str, choose_engine(request_for(device="all")).devices)) == ["cuda:0", "cuda:1"]
    assert list(map(str, choose_engine(request_for(device="cuda:1, cuda:0")).devices)) == ["cuda:1", "cuda:0"]
    with pytest.raises(UsageError, match="each has one worker"):
        choose_engine(request_for(device="all", jobs=2))
    monkeypatch.setattr(devices.torch.cuda, "is_available", lambda: False)
    with pytest.raises(UsageError, match="no CUDA device is visible"):
        choose_engine(request_for(device="all"))


def test_ray_has_to_be_installed(request_for, monkeypatch):
    monkeypatch.setattr("zsadbench.engine.plan.engines.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"pip install 'zsadbench\[ray\]'"):
        choose_engine(request_for(engine="ray"))

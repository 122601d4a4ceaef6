"""Threads: a core each, as many as this process may use."""

import os

import joblib
import pytest
import torch

from zsadbench.cli.shared.requests import readers
from zsadbench.engine.machine.threads import THREAD_VARIABLES, limited_threads, thread_limit
from zsadbench.engine.plan.request import RunRequest


@pytest.fixture(autouse=True)
def plain(monkeypatch):
    for name in THREAD_VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(("cores", "now", "found"), [(4, 64, 4), (8, 8, 8), (16, 2, 2), (0, 3, 1)])
def test_no_more_threads_than_cores(monkeypatch, cores, now, found):
    monkeypatch.setattr(joblib, "cpu_count", lambda only_physical_cores: cores)
    assert thread_limit(now) == found


@pytest.mark.parametrize("name", THREAD_VARIABLES)
def test_what_the_environment_sets_stays(monkeypatch, name):
    monkeypatch.setattr(joblib, "cpu_count", lambda only_physical_cores: 1)
    monkeypatch.setenv(name, "6")
    assert thread_limit(6) == 6


def test_threads_are_given_back(monkeypatch):
    monkeypatch.setattr(joblib, "cpu_count", lambda only_physical_cores: 1)
    before = torch.get_num_threads()
    with pytest.raises(KeyError):
        fail_with_one_thread()
    assert torch.get_num_threads() == before


def fail_with_one_thread():
    with limited_threads():
        assert torch.get_num_threads() == 1
        raise KeyError


@pytest.mark.parametrize(("processors", "found"), [(1, 2), (4, 4), (96, 16)])
def test_images_are_read_by_a_thread_a_processor(monkeypatch, processors, found):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(processors)), raising=False)
    assert RunRequest(("clip",), ("visa",)).workers == found
    assert readers(None) == found
    assert readers(0) == 0

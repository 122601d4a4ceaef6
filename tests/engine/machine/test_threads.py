"""PyTorch and the readers of images use as many threads as this process has cores."""

import os

import joblib
import pytest
import torch

from zsadbench.engine.machine.threads import THREAD_VARIABLES, limited_threads, thread_limit
from zsadbench.engine.plan.request import RunRequest


@pytest.fixture(autouse=True)
def no_thread_variables(monkeypatch):
    """The environment without the variables that set the number of threads."""
    for name in THREAD_VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(("cores", "default", "limit"), [(4, 64, 4), (8, 8, 8), (16, 2, 2), (0, 3, 1)])
def test_no_more_threads_than_cores(monkeypatch, cores, default, limit):
    monkeypatch.setattr(joblib, "cpu_count", lambda only_physical_cores: cores)
    assert thread_limit(default) == limit


@pytest.mark.parametrize("name", THREAD_VARIABLES)
def test_a_number_set_in_the_environment_is_kept(monkeypatch, name):
    monkeypatch.setattr(joblib, "cpu_count", lambda only_physical_cores: 1)
    monkeypatch.setenv(name, "6")
    assert thread_limit(6) == 6


def test_the_earlier_number_of_threads_is_restored(monkeypatch):
    monkeypatch.setattr(joblib, "cpu_count", lambda only_physical_cores: 1)
    before = torch.get_num_threads()
    with pytest.raises(KeyError):
        fail_with_one_thread()
    assert torch.get_num_threads() == before


def fail_with_one_thread():
    with limited_threads():
        assert torch.get_num_threads() == 1
        raise KeyError


@pytest.mark.parametrize(("processors", "workers"), [(1, 2), (4, 4), (96, 16)])
def test_images_are_read_by_one_thread_per_processor(monkeypatch, processors, workers):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(processors)), raising=False)
    assert RunRequest(("clip",), ("visa",)).workers == workers
    assert RunRequest(("clip",), ("visa",), workers=0).workers == 0

"""Runs under Ray on two nodes of this machine: the records of one process, also if a node leaves meanwhile.

Starting Ray takes seconds, so all tests share one cluster.
"""

import json
import os
import time
from threading import Thread

import pytest

from zsadbench.engine.executors import ray_executor
from zsadbench.engine.executors.ray_cluster import processors_each
from zsadbench.engine.plan.jobs import make_plan
from zsadbench.engine.run import run_plan
from zsadbench.errors import UsageError

BATCHES = {"aux": "none", "epochs": None, "targets": ("mvtec",), "classes": ("bottle", "grid"), "batch_size": 1}
IMAGES = 4  # of a class
SECONDS = 120  # the longest that anything may take on a busy machine
SETTINGS = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}


@pytest.fixture(scope="module")
def cluster():
    """A cluster of two nodes on 127.0.0.1 with one processor each; `cluster.request` asks for it."""
    pytest.importorskip("ray", reason="Ray is not installed")
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("ZSADBENCH_")]:
            patch.delenv(name)
        for name, value in SETTINGS.items():
            patch.setenv(name, value)
        started = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "node_ip_address": "127.0.0.1"})
        started.add_node(num_cpus=1, node_ip_address="127.0.0.1")
        yield started
        started.shutdown()


def test_two_nodes_write_the_records_of_one_process(
    cluster, request_for, tmp_path, contents_of, listener, monkeypatch, capfd
):
    """As if the nodes did not see the folder of the results: saved maps come with the units."""
    home = ray_executor.Home
    monkeypatch.setattr(ray_executor, "Home", lambda *found: home(*found[:2], tmp_path / "no token"))
    request = {**BATCHES, "methods": ("clip", "fbclip"), "save_maps": True, "metrics": ("pixel_ap@pooled",)}
    assert not run_plan(make_plan(request_for(**request, out=tmp_path / "local"))).failures
    capfd.readouterr()
    ray = {"engine": "ray", "address": cluster.address, "jobs": 2, "shard": 2}
    plan = make_plan(request_for(**request, **ray, out=tmp_path / "ray"))
    assert not run_plan(plan, listener).failures
    assert (listener.scored, listener.heard) == (2 * IMAGES, ["clip", "fbclip"])
    assert contents_of(tmp_path / "ray") == contents_of(tmp_path / "local")
    assert not list((tmp_path / "ray").glob(".token*"))
    assert capfd.readouterr() == ("", "")


MEET = """folder = Path({folder!r}); (folder / str(os.getpid())).touch()
        while len(list(folder.iterdir())) < 2: time.sleep(0.05)
        time.sleep(0.5)"""


def test_a_node_that_leaves_costs_its_unit(cluster, request_for, tmp_path, plugin, contents_of):
    """A node leaves while both work, and there is no place for another worker: the one that is left does the rest.

    Its unit is not to blame: the batch size stays.
    """
    meeting = tmp_path / "meeting"
    meeting.mkdir()
    plugin("slow", MEET.format(folder=str(meeting)))

    def leave():
        start = time.monotonic()
        while len(list(meeting.iterdir())) < 2 and time.monotonic() - start < SECONDS:
            time.sleep(0.05)
        cluster.remove_node(next(iter(cluster.worker_nodes)), allow_graceful=False)

    leaver = Thread(target=leave)
    leaver.start()
    request = {**BATCHES, "batch_size": 2, "methods": ("slow",), "save_maps": True}
    results = run_plan(make_plan(request_for(**request, engine="ray", address=cluster.address, jobs=2, shard=2)))
    leaver.join()
    assert not results.failures
    ((path, _),) = results.records
    (again,) = json.loads(path.read_text())["provenance"]["retried"]
    assert again["reason"].startswith("its worker on node 127.0.0.1")
    assert again["images"][1] - again["images"][0] == 1
    assert again["batch_size"] == 2
    assert not run_plan(make_plan(request_for(**request, out=tmp_path / "whole"))).failures
    assert contents_of(tmp_path / "results") == contents_of(tmp_path / "whole")


def test_without_a_cluster_or_a_place_it_says_so(cluster, request_for):
    for changes, told in (
        ({"address": "127.0.0.1:9"}, "no cluster of Ray at --address 127.0.0.1:9: "),
        ({"address": "nowhere"}, "--address 'nowhere' is neither auto nor HOST:PORT"),
        ({"address": cluster.address, "jobs": 9}, "has no place for 9 workers"),
        ({"address": cluster.address, "device": "cuda"}, "the cluster of Ray has no GPU"),
        ({"device": "cuda:0"}, "Ray chooses the GPUs"),
    ):
        with pytest.raises(UsageError, match=told):
            run_plan(make_plan(request_for(**BATCHES, methods=("clip",), engine="ray", **changes)))


def test_every_worker_gets_the_most_processors_with_which_all_find_a_place():
    assert processors_each([8, 4], [2, 2], 2) == 4
    assert processors_each([8, 4], [3, 3], 3) == 4
    assert processors_each([8], [3], 3) == 2
    assert processors_each([8, 64], [2, 0], 2) == 4
    assert processors_each([1, 1], [9, 9], 3) is None

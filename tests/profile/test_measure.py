"""The profiler: what its figures mean, in a process where nothing else runs."""

import sys
from dataclasses import replace
from types import ModuleType, SimpleNamespace

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from zsadbench.engine.encode.towers import build_towers
from zsadbench.engine.learn.detector import make_method
from zsadbench.engine.machine.device import is_shortage
from zsadbench.engine.machine.memory import peak_host_mib, reset_peak_host
from zsadbench.errors import CellError, UsageError
from zsadbench.profile import energy, rounds
from zsadbench.profile.files import stage_chart, write_profile
from zsadbench.profile.inputs import decode, generated_files, preprocess
from zsadbench.profile.measure import _method_setups, profile
from zsadbench.profile.request import ProfileRequest
from zsadbench.profile.rounds import Rounds, percentiles, warm_up
from zsadbench.profile.subject import Subject

KEYS = {"method", "device", "precision", "batch_size", "latency_ms", "images_per_second", "tower_ms", "ratio_to_tower"}
KEYS |= {"stages", "peak_host_mib", "peak_device_mib", "parameters_total", "parameters_trained", "gmac"}


@pytest.fixture
def profile_request(request_for):
    """`profile_request(**changes)`: a profile of FB-CLIP on a tower of 12 narrow blocks; fields of either request."""

    def make(**changes):
        own = {name: changes.pop(name) for name in list(changes) if name in ProfileRequest.__dataclass_fields__}
        run = request_for(**{"targets": ("none",), "aux": "none", "device": "cpu", **changes})
        return ProfileRequest(run, **{"rounds": 2, **own})

    return make


@pytest.fixture
def short(monkeypatch):
    """Warm-ups of three calls."""
    monkeypatch.setattr(rounds, "STABLE_WITHIN", 1e9)


def test_text_is_encoded_once(request_for):
    (setup,) = _method_setups(request_for(methods=("clip",), targets=("none",), aux="none", device="cpu"))
    backbone = build_towers(setup, torch.device("cpu"))
    subject = Subject(setup, backbone, make_method(setup, backbone, 0), 1)
    operations = []
    for _ in range(2):
        with FlopCounterMode(display=False) as counter:
            subject.time_text()
        operations.append(counter.get_total_flops())
    assert operations[0] > 0
    assert operations[1] == 0, "later calls look the text up"


def test_a_warm_up_ends_when_the_times_agree():
    times = iter([9.0, 5.0, 2.0, 1.0, 1.0, 1.02, 7.0])
    assert warm_up(lambda: None, lambda _: next(times)) == (6, True)
    assert next(times) == 7.0


def test_a_warm_up_that_never_settles_ends_and_says_so():
    times = iter(range(1, 100))
    assert warm_up(lambda: None, lambda _: next(times) % 2 + 0.1) == (20, False)
    assert warm_up(lambda: None, lambda _: 11.0 + 9 * (next(times) % 2)) == (3, False), "thirty seconds are enough"


def test_rounds_are_a_given_number_or_take_ten_seconds(monkeypatch):
    assert list(Rounds(3)) == [0, 1, 2]
    clock = iter(range(1000))
    monkeypatch.setattr(rounds, "perf_counter", lambda: next(clock))  # every round takes a second
    assert len(list(Rounds(None))) == 10
    clock = iter(range(0, 10000, 4))
    assert len(list(Rounds(None))) == 5, "five at least"


def test_percentiles_are_of_calls():
    found = percentiles([0.001 * count for count in range(1, 101)])
    assert found == pytest.approx((50.5, 90.1, 99.01))


def test_every_profile_has_the_keys_and_they_fit_together(profile_request, short):
    found = list(profile(profile_request(batch_sizes=(1, 2), precisions=("fp32", "bf16"))))
    assert [(one["precision"], one["batch_size"]) for one in found] == [
        ("fp32", 1),
        ("fp32", 2),
        ("bf16", 1),
        ("bf16", 2),
    ]
    for one in found:
        assert one.keys() >= KEYS
        latency, stages = one["latency_ms"], one["stages"]
        assert latency.keys() == {"median", "p90", "p99"}
        assert 0 < latency["median"] <= latency["p90"] <= latency["p99"]
        assert one["images_per_second"] == pytest.approx(1000 * one["batch_size"] / latency["median"])
        assert stages.keys() == {
            *("tower", "head", "map", "decode", "preprocess", "metrics", "text_cold", "text_amortised")
        }
        assert 0 < stages["tower"] + stages["head"] + stages["map"] <= 1.01 * latency["p99"]
        assert one["tower_ms"] > 0
        assert one["ratio_to_tower"] > 0
        assert one["peak_device_mib"] is None
        assert one["device"] == "cpu"
        assert one["floor_ms"] == pytest.approx(
            1000 * one["batch_size"] * one["gmac_executed"] / one["peak_gmac_per_second"]
        )


def test_offline_counts_images_over_all_batches(profile_request, short):
    (one,) = profile(profile_request(scenario="offline", batch_sizes=(2,)))
    assert one["scenario"] == "offline"
    assert one["images_per_second"] > 0
    assert one["joules_an_image"] is None


def test_training_is_timed_and_leaves_the_detector_alone(profile_request, short, monkeypatch):
    built = []
    monkeypatch.setattr("zsadbench.profile.measure.make_method", remembering(built))
    (one,) = profile(profile_request(training=True))
    cost = one["training"]
    assert cost["batch"] == 4
    assert cost["seconds_epoch_remembered"] == pytest.approx(432 * cost["seconds_step"])
    assert cost["seconds_epoch"] == pytest.approx(cost["seconds_epoch_remembered"] + 1725 * cost["seconds_tower"])
    ((method, before),) = built
    for name, tensor in method.network.state_dict().items():
        assert torch.equal(tensor, before[name]), name


def remembering(built):
    from zsadbench.engine.learn.detector import make_method

    def make(*arguments):
        method = make_method(*arguments)
        built.append((method, {name: tensor.clone() for name, tensor in method.network.state_dict().items()}))
        return method

    return make


def test_every_stage_of_a_training_is_timed(profile_request, short, monkeypatch):
    built = []
    monkeypatch.setattr("zsadbench.profile.measure.make_method", remembering(built))
    (one,) = profile(profile_request(methods=("aaclip",), training=True))
    (text,), image = one["training_before"], one["training"]
    assert (text["stage"], text["batch"]) == ("text", 16)
    assert (image["stage"], image["batch"]) == ("image", 2)
    for cost, steps in ((text, 108), (image, 863)):
        assert cost["seconds_epoch"] == pytest.approx(steps * cost["seconds_step"])
        assert cost["seconds_step"] > 0
    ((method, before),) = built
    assert all(torch.equal(tensor, before[name]) for name, tensor in method.network.state_dict().items())
    trained = {name for name, parameter in method.network.named_parameters() if parameter.requires_grad}
    assert all(name.startswith("image.") for name in trained)
    in_image = sum(part.numel() for part in method.network.parameters() if part.requires_grad)
    method.begin_stage("text")
    in_text = sum(part.numel() for part in method.network.parameters() if part.requires_grad)
    assert one["parameters_trained"] == in_text + in_image, "those of every stage"


def test_what_does_not_learn_has_no_training_cost(profile_request, short):
    (one,) = profile(profile_request(methods=("clip",), training=True))
    assert set(one["training"].values()) == {None}
    assert one["parameters_trained"] == 0


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"save_maps": True}, "--save-maps"),
        ({"precisions": ("fp8",)}, "fp8"),
        ({"precisions": ()}, "--precision"),
        ({"batch_sizes": (0,)}, "--batch-size"),
        ({"batch_sizes": ()}, "--batch-size"),
        ({"scenario": "server"}, "--scenario"),
        ({"rounds": 0}, "--rounds"),
    ],
)
def test_what_cannot_be_measured_is_refused(profile_request, changes, said):
    with pytest.raises(UsageError, match=said):
        profile_request(**changes)


def test_a_batch_too_large_ends_in_one_line_and_keeps_what_was_measured(profile_request, short, monkeypatch):
    time_tower = Subject.time_tower

    def short_of_memory(self):
        if self.batch_size == 2:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        return time_tower(self)

    monkeypatch.setattr(Subject, "time_tower", short_of_memory)
    found = []
    with pytest.raises(CellError, match="batch of 2; pass a smaller --batch-size"):
        found.extend(profile(profile_request(batch_sizes=(1, 2))))
    profiles = profile(profile_request(batch_sizes=(1, 2)))
    assert next(profiles)["batch_size"] == 1


@pytest.mark.parametrize(
    ("failure", "short_of_memory"),
    [
        (MemoryError(), True),
        (torch.OutOfMemoryError("CUDA out of memory"), True),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), True),
        (RuntimeError("shapes differ"), False),
        (ValueError("no memory of it"), False),
    ],
)
def test_a_shortage_is_told_from_a_bug(failure, short_of_memory):
    assert is_shortage(failure) == short_of_memory


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not let a process reset its peak")
def test_the_host_peak_can_be_reset():
    torch.ones(60_000_000).sum()  # 229 MiB that are gone
    if not reset_peak_host():
        pytest.skip("this system keeps the peak")
    low = peak_host_mib()
    torch.ones(30_000_000).sum()
    assert 100 < peak_host_mib() - low < 160


def test_inputs_are_the_same_everywhere_and_differ_from_each_other():
    files = generated_files(2)
    assert files == generated_files(2)
    assert files[0] != files[1]
    images = preprocess(decode(files), 70, "rgb_first")
    assert images.shape == (2, 3, 70, 70)
    assert images.dtype == torch.float32
    assert images.std() > 0.3


def test_files_are_written_whole_and_the_same_each_time(profile_request, short, tmp_path):
    found = list(profile(profile_request()))
    table, picture = write_profile(tmp_path, found, "cpu")
    assert '"gmac"' in table.read_text()
    assert picture.read_bytes() == stage_chart(found)
    assert b"<svg" in stage_chart(found)
    assert stage_chart([{**found[0], "tower_ms": 2 * found[0]["tower_ms"]}]) != stage_chart(found)


@pytest.fixture
def nvml(monkeypatch):
    """A driver that has counted 5 J when the meter is made and 12 J when it is read."""
    counted = iter([5000, 12000])
    module = ModuleType("pynvml")
    module.NVMLError = type("NVMLError", (Exception,), {})
    module.nvmlInit = lambda: None
    module.nvmlDeviceGetHandleByUUID = lambda name: name
    module.nvmlDeviceGetTotalEnergyConsumption = lambda handle: next(counted)
    monkeypatch.setitem(sys.modules, "pynvml", module)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: SimpleNamespace(uuid="a-b"))
    return module


def test_energy_is_what_the_driver_counted(nvml):
    meter = energy.EnergyMeter(torch.device("cuda"))
    assert meter.joules() == 7.0


def test_energy_is_unknown_where_nobody_counts(nvml, monkeypatch):
    assert energy.EnergyMeter(torch.device("cpu")).joules() is None

    def refuse(handle):
        raise nvml.NVMLError

    nvml.nvmlDeviceGetTotalEnergyConsumption = refuse
    assert energy.EnergyMeter(torch.device("cuda")).joules() is None
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert energy.EnergyMeter(torch.device("cuda")).joules() is None


def test_everything_is_checked_before_anything_is_measured(profile_request, monkeypatch):
    monkeypatch.setattr("zsadbench.profile.measure.build_towers", lambda *_: pytest.fail("nothing may be built"))
    for changes in ({"image_size": 30}, {"options": ("views=nose",)}, {"methods": ("clip", "fbclip", "nothing")}):
        with pytest.raises(UsageError):
            next(profile(replace(profile_request(), run=replace(profile_request().run, **changes))))


def test_what_must_move_is_less_where_weights_are_kept_in_half(profile_request, short, monkeypatch):
    monkeypatch.setattr("zsadbench.profile.lower_bound.peak_gb_per_second", lambda device: 1.0)
    single, half = profile(profile_request(precisions=("fp32", "bf16")))
    assert half["floor_memory_ms"] < single["floor_memory_ms"]

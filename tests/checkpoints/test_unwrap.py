"""One rule takes off what is wrapped around a state dict."""

import pytest
import torch

from zsadbench.checkpoints import published_tensors, unwrap
from zsadbench.errors import WeightsError

STATE = {"visual.proj": torch.ones(2, 2), "visual.bias": torch.zeros(2), "epoch_weight": torch.tensor(1.0)}
NAMES = {"visual.proj", "visual.bias"}


def prefixed(prefix):
    return {prefix + name: tensor for name, tensor in STATE.items()}


WRAPPINGS = {
    "bare": STATE,
    "entry": {"state_dict": STATE},
    "entries beside": {"epoch": 3, "args": {"lr": 0.1}, "model": STATE, "optimizer": {"state": {0: torch.ones(2)}}},
    "prefix": prefixed("module."),
    "two prefixes": prefixed("module._orig_mod."),
    "any prefix": prefixed("net.backbone."),
    "entry and prefix": {"state_dict": prefixed("model."), "lr_schedulers": [{"step": 1}]},
    "nested": {"checkpoint": {"model": {"weights": STATE}}},
    "list": [STATE, {"param_groups": [1, 2]}],
    "twice the same": {"state_dict": STATE, "ema": {name: tensor.clone() for name, tensor in STATE.items()}},
    "others with the prefix": {"model": {**prefixed("clip."), "head.weight": torch.ones(1)}},
}


@pytest.mark.parametrize("raw", WRAPPINGS.values(), ids=WRAPPINGS)
def test_the_state_is_found(raw):
    found = unwrap(raw, NAMES, "file")
    tensors = {name: value for name, value in found.items() if isinstance(value, torch.Tensor)}
    assert tensors.keys() == STATE.keys()
    assert all(tensors[name] is STATE[name] or torch.equal(tensors[name], STATE[name]) for name in STATE)


def test_two_different_states_are_refused_and_named():
    other = {name: tensor + 1 for name, tensor in STATE.items()}
    with pytest.raises(
        WeightsError, match=r"two different tensors 'visual\.\w+': 'student\.visual\.\w+' and 'teacher\."
    ):
        unwrap({"student": STATE, "teacher": other}, NAMES, "file")


def test_the_fuller_part_wins():
    spare = {"visual.bias": torch.full((2,), 7.0)}
    assert torch.equal(unwrap({"a": spare, "model": STATE}, NAMES, "file")["visual.bias"], STATE["visual.bias"])


@pytest.mark.parametrize("raw", [7, None, [], {}, {"a": 3}, {0: torch.ones(1)}, torch.ones(3)])
def test_where_nothing_lies_nothing_is_found(raw):
    assert unwrap(raw, NAMES, "file") == {}
    with pytest.raises(WeightsError, match=r"file is no head of X: visual\.bias is missing \(2 tensors\); it holds"):
        published_tensors(raw, NAMES, "file", "head of X")


def test_a_container_within_itself_ends():
    raw = {"model": STATE}
    raw["self"] = [raw, {"again": raw}]
    assert unwrap(raw, NAMES, "file").keys() == STATE.keys()


def test_an_entry_that_is_no_tensor_is_named():
    with pytest.raises(WeightsError, match=r"file is no head of X: 'visual\.bias' is no tensor but float"):
        published_tensors({**STATE, "visual.bias": 0.5}, NAMES, "file", "head of X")

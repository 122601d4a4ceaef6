"""A training that fails costs its job, and nothing of it is kept; one that ends well is never lost."""

import errno
import json
import logging
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from zsadbench import registry
from zsadbench.checkpoints import read_metadata, write_checkpoint
from zsadbench.engine.learn import keep
from zsadbench.engine.plan.jobs import make_plan
from zsadbench.engine.train import train_all
from zsadbench.errors import CellError, WeightsError
from zsadbench.records import validate
from zsadbench.types import Recipe, Scores

RECIPE = Recipe(epochs={}, epochs_else=1, batch=1, lr=0.01, betas=(0.9, 0.999), image_size=28, loss="test")


@dataclass(frozen=True)
class Options:
    """None."""


class Learning:
    """Learns one weight on the colours of patches."""

    def __init__(self):
        self.network = nn.Linear(3, 1)
        self.network.register_buffer("seen", torch.zeros(1))
        self.steps = 0

    def score(self, tokens, class_names):
        grey = self.network(tokens.colours).squeeze(-1).reshape(-1, tokens.grid, tokens.grid)
        return Scores(grey.flatten(1).amax(1), grey)

    def loss(self, tokens, batch):
        self.steps += 1
        return self.terms(tokens, self.network(tokens.colours).square().mean())

    def terms(self, tokens, good):
        return {"good": good}


def learning(**parts):
    """The class of a method with these parts in place of those of `Learning`."""
    return type("Odd", (Learning,), parts)


@pytest.fixture
def with_method(monkeypatch):
    """`with_method(kind)`: registers `odd`, which `kind()` makes, as a method that trains."""
    known = registry.method_card

    def install(kind, **changes):
        card = replace(
            known("colour-distance"),
            name="odd",
            options=Options,
            build=lambda backbone, options: kind(),
            recipe=replace(RECIPE, **changes),
        )
        monkeypatch.setattr(registry, "method_card", lambda name: card if name == "odd" else known(name))
        point = registry.entry_point("methods", "colour-distance")
        monkeypatch.setitem(registry._points("methods"), "odd", point)

    return install


@pytest.fixture
def learn(with_method, run, tmp_path):
    """`learn(kind)`: trains and runs `odd` beside a method that learns nothing; returns its failures.

    The other method must have its record, and nothing may be in the cache of checkpoints.
    """

    def go(kind, **changes):
        with_method(kind, **changes)
        results = run(methods=("odd", "colour-distance"))
        assert [record.cell["method"] for _, record in results.records] == ["colour-distance"]
        assert not list((tmp_path / "cache" / "checkpoints").rglob("*.safetensors"))
        (failure,) = results.failures
        assert failure.startswith("odd on brainmri, seed 0, training: ")
        assert "\n" not in failure
        return failure.removeprefix("odd on brainmri, seed 0, training: ")

    return go


def returning(make):
    return {"terms": lambda self, tokens, good: make(good)}


def raising(failure):
    def terms(self, tokens, good):
        raise failure

    return {"terms": terms}


def spoilt(self, tokens, good):
    """From the second step on the loss grows without bound."""
    return {"good": good, "steep": good * (1 if self.steps < 2 else float("inf"))}


@property
def broken(self):
    raise KeyError("weights")


WRONG = {
    "none": (returning(lambda good: None), "'odd' returned NoneType as its loss in step 1; wanted is a mapping"),
    "a tensor": (returning(lambda good: good), "'odd' returned Tensor float32 () as its loss"),
    "no terms": (returning(lambda good: {}), "'odd' returned dict as its loss"),
    "one per image": (returning(lambda good: {"a": good.expand(2)}), "returned Tensor float32 (2) as the loss 'a'"),
    "whole": (returning(lambda good: {"a": good.long()}), "returned Tensor int64 () as the loss 'a' in step 1"),
    "constant": (returning(lambda good: {"a": good.detach()}), "a loss in step 1 that depends on no parameter"),
    "not a number": (
        returning(lambda good: {"b": good, "a": good * torch.nan}),
        "the loss 'a' is not finite at step 1",
    ),
    "grows": ({"terms": spoilt}, "the loss 'steep' is not finite at step 2"),
    "raises": (raising(ValueError("no masks")), "'odd': loss raised ValueError: no masks (test_failed_training.py:"),
    "leaves": (raising(SystemExit(1)), "'odd': loss raised SystemExit: 1 (test_failed_training.py:"),
    "runtime": (raising(RuntimeError("my memory bank is empty")), "loss raised RuntimeError: my memory bank is empty"),
    "short": (raising(MemoryError()), "out of memory"),
    "no module": ({"network": "resnet", "__init__": lambda self: None}, "network is str; wanted is a torch.nn.Module"),
    "broken": ({"network": broken, "__init__": lambda self: None}, "'odd': network raised KeyError: 'weights'"),
    "no network": ({"loss": None, "__init__": lambda self: None}, "its detector Odd lacks 'network' or 'loss'"),
    "no parameter": (
        {"network": nn.ReLU(), "__init__": lambda self: None},
        "network has no parameter that requires a gradient",
    ),
}


@pytest.mark.parametrize(("parts", "said"), WRONG.values(), ids=WRONG)
def test_a_failure_in_training_costs_its_job(learn, parts, said):
    assert said in learn(learning(**parts))


def test_a_step_that_overflows_is_named(learn):
    told = learn(Learning, lr=1e38)
    assert told == "odd: step 1 overflows; nothing is kept of this training; a smaller recipe.lr may help"


def test_a_parameter_that_is_not_finite_after_a_step_is_named(learn):
    def terms(self, tokens, good):
        zero = (self.network.weight.sum() * 0).sqrt()  # finite, and its gradient is not
        return {"good": good + (zero if self.steps == 2 else 0)}

    told = learn(learning(terms=terms))
    assert told.startswith("odd: 'weight' is not finite after step 2; nothing is kept of this training; ")


def test_a_buffer_that_is_not_finite_at_the_end_is_named(learn):
    def terms(self, tokens, good):
        self.network.seen /= 0
        return {"good": good}

    assert "'seen' is not finite after the last step" in learn(learning(terms=terms))


@pytest.fixture
def trained(with_method, run):
    """`trained(**changes)`: runs `odd` alone and returns its record as JSON, and the failures."""

    def go(kind=Learning, **changes):
        with_method(kind)
        results = run(methods=("odd",), **changes)
        return [json.loads(path.read_text()) for path, _ in results.records], results.failures

    return go


def the_checkpoint(tmp_path):
    (path,) = (tmp_path / "cache" / "checkpoints" / "odd").glob("*.safetensors")
    return path


# --- cached checkpoints ------------------------------------------------------------------------------


def rewritten(path, change, **other):
    """Write a checkpoint again with other tensors or settings, as `write_checkpoint` does not."""
    method, about = read_metadata(path)
    state = {name: tensor.clone() for name, tensor in load_file(path).items()}
    change(state)
    metadata = {"format": "zsadbench-checkpoint/1", "method": method, "about": json.dumps(about)} | other
    save_file(state, path, {key: value for key, value in metadata.items() if value is not None})


def test_a_checkpoint_of_another_training_is_made_again(trained, tmp_path, caplog):
    ((first,), _) = trained()
    zero = the_checkpoint(tmp_path)
    content = zero.read_bytes()
    trained(seeds=(99,))
    (other,) = (path for path in zero.parent.glob("*.safetensors") if path != zero)
    zero.write_bytes(other.read_bytes())
    caplog.clear()
    ((again,), failures) = trained(out=tmp_path / "again")
    assert not failures
    assert again["classes"] == first["classes"]
    assert zero.read_bytes() == content
    assert "trained again" in caplog.text
    assert "comes from another training: it differs in seed" in caplog.text


def flip(state):
    state["weight"].view(torch.int32)[0, 0] ^= 1


def spoil(state):
    state["weight"][0, 1] = torch.nan


DAMAGED = {
    "a bit": (flip, {"digest": "whatever"}, "is damaged: its tensors are not those that were written"),
    "not a number": (spoil, {}, "'weight' holds NaN or infinity"),
    "no settings": (lambda state: None, {"about": None}, "metadata of this checkpoint are damaged"),
    "a list of settings": (lambda state: None, {"about": "[]"}, "'about' is no table"),
    "deep settings": (lambda state: None, {"about": "[" * 99999}, "metadata of this checkpoint are damaged"),
    "no method": (lambda state: None, {"method": None}, "metadata of this checkpoint are damaged: 'method'"),
    "another format": (lambda state: None, {"format": "other"}, "does not say which training it comes from"),
}


@pytest.mark.parametrize(("change", "other", "said"), DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_checkpoint_is_made_again(trained, tmp_path, caplog, change, other, said):
    ((first,), _) = trained()
    path = the_checkpoint(tmp_path)
    content = path.read_bytes()
    rewritten(path, change, **other)
    ((again,), failures) = trained(out=tmp_path / "again")
    assert not failures
    assert said in caplog.text
    assert again["classes"] == first["classes"]
    assert path.read_bytes() == content


def test_a_bit_that_flips_in_the_file_is_noticed(trained, tmp_path, caplog):
    trained()
    path = the_checkpoint(tmp_path)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    _, failures = trained(out=tmp_path / "again")
    assert not failures
    assert "is damaged" in caplog.text


def test_an_older_checkpoint_without_a_digest_is_used(trained, tmp_path, caplog):
    trained()
    path = the_checkpoint(tmp_path)
    rewritten(path, lambda state: None)
    content = path.read_bytes()
    trained(out=tmp_path / "again")
    assert path.read_bytes() == content
    assert "trained again" not in caplog.text


def test_a_given_checkpoint_is_refused_before_anything_runs(trained, with_method, request_for, tmp_path):
    trained()
    path = the_checkpoint(tmp_path)
    for name, change, other, said in (
        ("older", lambda state: None, {}, ""),
        ("spoilt", spoil, {}, "'weight' holds NaN or infinity"),
        ("flipped", flip, {"digest": "0" * 64}, "is damaged"),
    ):
        given = tmp_path / f"{name}.safetensors"
        given.write_bytes(path.read_bytes())
        rewritten(given, change, **other)
        request = request_for(methods=("odd",), aux=None, epochs=None, checkpoint=given)
        if not said:
            assert make_plan(request).jobs
            continue
        with pytest.raises(WeightsError, match=said):
            make_plan(request)


def test_nothing_that_is_not_finite_is_written(tmp_path):
    for value in (torch.nan, torch.inf):
        with pytest.raises(WeightsError, match="'head' holds NaN or infinity"):
            write_checkpoint(tmp_path / "x.safetensors", {"w": torch.ones(2), "head": torch.tensor([value])}, "odd", {})
    assert not list(tmp_path.glob("*.safetensors"))
    write_checkpoint(tmp_path / "x.safetensors", {"steps": torch.tensor(3), "on": torch.tensor(True)}, "odd", {})


# --- a cache that cannot be written ------------------------------------------------------------------


def test_a_training_survives_a_cache_that_is_a_file(trained, tmp_path, monkeypatch, caplog):
    (tmp_path / "taken").write_text("a file")
    ((expected,), _) = trained()
    monkeypatch.setenv("ZSADBENCH_CACHE", str(tmp_path / "taken" / "cache"))
    ((record,), failures) = trained(out=tmp_path / "again", image_cache=1 << 20)
    assert not failures
    validate(record)
    assert record["classes"] == expected["classes"]
    assert record["provenance"]["checkpoint"] is None
    assert record["provenance"]["checkpoint_sha256"] is None
    assert record["identity"] == expected["identity"]
    warned = [entry.getMessage() for entry in caplog.records if entry.levelno == logging.WARNING]
    (said,) = (text for text in warned if "checkpoint" in text)
    assert str(tmp_path / "taken" / "cache" / "checkpoints" / "odd") in said
    assert said.startswith("odd is trained and used, but its checkpoint ")
    assert sum("resized images cannot be kept" in text for text in warned) == 2, "one per data set, not one per image"


def test_cached_tokens_give_way_to_a_checkpoint(tmp_path, monkeypatch):
    write, tokens = keep.write_checkpoint, tmp_path / "cache" / "tokens" / "set"
    tokens.mkdir(parents=True)

    def full(*arguments):
        if tokens.exists():
            raise OSError(errno.ENOSPC, "No space left on device")
        write(*arguments)

    monkeypatch.setattr(keep, "write_checkpoint", full)
    path = tmp_path / "cache" / "checkpoints" / "x.safetensors"
    assert keep.keep_checkpoint(path, {"w": torch.ones(1)}, "odd", {})
    assert path.is_file()


def test_a_disk_that_stays_full_keeps_nothing(tmp_path, monkeypatch, caplog):
    def full(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(keep, "write_checkpoint", full)
    assert not keep.keep_checkpoint(tmp_path / "x.safetensors", {"w": torch.ones(1)}, "odd", {})
    assert f"'{tmp_path}/x.safetensors' cannot be written: No space left on device" in caplog.text


def test_train_writes_elsewhere_what_the_cache_cannot_keep(with_method, request_for, tmp_path, monkeypatch):
    with_method(Learning)
    request = request_for(methods=("odd",), targets=("colondb",), allow_leak=True)
    (tmp_path / "taken").write_text("a file")
    monkeypatch.setenv("ZSADBENCH_CACHE", str(tmp_path / "taken"))
    with pytest.raises(CellError, match="could not be written into the cache; pass --out"):
        list(train_all(request, None))
    (event,) = train_all(request, tmp_path / "kept")
    assert read_metadata(Path(event["path"]))[0] == "odd"


def test_a_training_that_fails_costs_no_other_one(with_method, request_for):
    with_method(learning(**raising(ValueError("no masks"))))
    request = request_for(methods=("odd", "fbclip"), targets=("colondb",), allow_leak=True)
    events = []
    with pytest.raises(CellError, match="odd on colondb, seed 0: 'odd': loss raised ValueError: no masks"):
        events += train_all(request, None)
    for event in train_all(replace(request, methods=("fbclip",)), None):
        assert event["first_loss"] is None, "it was trained before, and is read from the cache"

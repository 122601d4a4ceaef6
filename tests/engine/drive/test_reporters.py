"""Callbacks of a run: what they are told, and that one that raises costs nothing else."""

import builtins
import logging
import sys

import pytest

import zsadbench
from zsadbench.engine.drive.epochs import EpochLosses
from zsadbench.engine.drive.progress_bar import is_interactive
from zsadbench.engine.drive.reporter import Reporter, Reporters
from zsadbench.engine.units.unit import Step

CALLS = [name for name in vars(Reporter) if not name.startswith("_")]


class Everything(Reporter):
    """Notes every call."""

    def __init__(self):
        self.calls = []

    def __getattribute__(self, name):
        if name in CALLS:
            return lambda *arguments: self.calls.append((name, arguments))
        return super().__getattribute__(name)

    def of(self, name):
        return [arguments for called, arguments in self.calls if called == name]


class Raising(Reporter):
    """Fails in two callbacks."""

    def __init__(self):
        self.called = []

    def images(self, count):
        self.called.append("images")
        raise ValueError("two\nlines")

    def record(self, job, record):
        self.called.append("record")
        raise KeyError(job.seed)


@pytest.fixture
def arguments(request_for):
    request = request_for()
    names = ("methods", "targets", "aux", "backbone", "weights", "data_roots", "out", "workers")
    return {name: getattr(request, name) for name in names}


def test_a_reporter_is_told_of_steps_epochs_classes_and_records(arguments):
    everything = Everything()
    results = zsadbench.run(**arguments, epochs=2, seed=(0, 1), reporter=everything)
    assert results.finished == 2
    names = [name for name, _ in everything.calls]
    assert names[0] == "start"
    assert names[-1] == "record"
    (plan,) = everything.of("start")[0]
    for job in plan.jobs:
        losses = [loss for of, _, _, loss, _ in everything.of("training") if of is job]
        epochs = [rest for of, *rest in everything.of("epoch") if of is job]
        half = len(losses) // 2
        assert [epoch[:2] for epoch in epochs] == [[1, 2], [2, 2]]
        assert epochs[0][2] == pytest.approx(sum(losses[:half]) / half)
        assert epochs[1][2] == pytest.approx(sum(losses[half:]) / half)
    assert everything.of("evaluated") == [(job, "brain") for job in plan.jobs]
    assert [job for job, _ in everything.of("trained")] == list(plan.jobs)
    totals = {total for _, _, total in everything.of("evaluating")}
    assert sum(count for (count,) in everything.of("images")) in {sum(totals), 2 * sum(totals)}
    records = everything.of("record")
    assert [(job.path, record.signature) for job, record in records] == [
        (path, record.signature) for path, record in results.records
    ]
    again = Everything()
    assert zsadbench.run(**arguments, epochs=2, seed=(0, 1), reporter=again).skipped == 2
    assert [name for name, _ in again.calls] == ["start", "record", "record"]


def test_a_callback_that_raises_costs_an_error_and_nothing_else(arguments, caplog):
    raising, everything = Raising(), Everything()
    both = {**arguments, "methods": ("clip",), "targets": ("brainmri", "colondb"), "batch_size": 1}
    with caplog.at_level(logging.ERROR):
        results = zsadbench.run(**both, reporter=[raising, everything])
    assert results.finished == 2
    assert results.failures == []
    assert raising.called == ["images", "record"]  # each once, though there are more images and records
    assert len(everything.of("images")) > 1
    assert len(everything.of("record")) == 2
    first, second = results.callback_failures
    assert first.startswith("callback Raising.images is not called again, as it failed (test_reporters.py, line ")
    assert first.endswith("): ValueError: two lines")
    assert second.endswith("): KeyError: 0")
    assert [record.message for record in caplog.records if record.levelno == logging.ERROR] == [first, second]
    assert "ValueError: two lines" in results._repr_html_()


def test_an_interruption_is_no_failure_of_a_callback():
    class Interrupted(Reporter):
        def images(self, count):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Reporters([Interrupted()]).images(1)


def test_every_callback_is_passed_on_and_does_nothing_by_default():
    for name in CALLS:
        everything = Everything()
        number = getattr(Reporter, name).__code__.co_argcount - 1 - len(getattr(Reporter, name).__defaults__ or ())
        arguments = tuple(range(number))
        getattr(Reporters([Reporter(), everything]), name)(*arguments)
        ((called, given),) = everything.calls
        assert (called, given[:number]) == (name, arguments)


def test_epochs_of_trainings_that_take_turns_are_told_apart():
    losses = EpochLosses()
    steps = [("a", 1, 4, 1.0), ("b", 1, 2, 5.0), ("a", 2, 4, 3.0), ("b", 2, 2, 7.0), ("a", 3, 4, 8.0), ("a", 4, 4, 2.0)]
    ends = [losses.add(Step(job, done, total, loss, total // 2)) for job, done, total, loss in steps]
    assert ends == [None, None, (1, 2.0), (1, 6.0), None, (2, 5.0)]


def test_a_training_that_begins_again_forgets_the_steps_before():
    losses = EpochLosses()
    for done, loss in ((1, 100.0), (2, 100.0), (1, 1.0), (2, 2.0)):
        assert losses.add(Step("a", done, 6, loss, 2)) is None
    assert losses.add(Step("a", 3, 6, 3.0, 2)) == (1, 2.0)


def test_a_progress_bar_is_drawn_when_wanted(arguments, capfd, monkeypatch):
    few = {**arguments, "methods": ("clip",), "aux": None}
    zsadbench.run(**few)
    assert capfd.readouterr().err == ""
    zsadbench.run(**few, overwrite="always", progress=True)
    said = capfd.readouterr()
    assert "clip on brainmri/brain: 100%" in said.err
    assert "1/1" in said.err
    assert said.out == ""
    monkeypatch.setattr(sys, "ps1", ">>> ", raising=False)
    zsadbench.run(**few, overwrite="always")
    assert "1/1" in capfd.readouterr().err
    zsadbench.run(**few, overwrite="always", progress=False)
    assert capfd.readouterr().err == ""


def test_python_is_interactive_at_a_prompt_and_in_ipython(monkeypatch):
    monkeypatch.delattr(sys, "ps1", raising=False)
    monkeypatch.delattr(builtins, "__IPYTHON__", raising=False)
    assert not is_interactive()
    with monkeypatch.context() as patch:
        patch.setattr(builtins, "__IPYTHON__", True, raising=False)
        assert is_interactive()

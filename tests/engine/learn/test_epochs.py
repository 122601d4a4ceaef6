"""A training that was interrupted goes on after its last finished epoch, and ends as if it had not been."""

import errno
import logging
from dataclasses import dataclass, replace

import pytest
import torch
from torch import nn

from zsadbench import registry
from zsadbench.engine.encode.towers import build_towers
from zsadbench.engine.learn import epochs
from zsadbench.engine.learn.detector import train_or_load
from zsadbench.engine.plan.class_trainings import class_trainings
from zsadbench.engine.plan.jobs import make_plan
from zsadbench.engine.run import run_plan
from zsadbench.types import Recipe, Scores

RECIPE = Recipe(epochs={}, epochs_else=4, batch=1, lr=0.01, betas=(0.9, 0.999), image_size=28, loss="test")
ADAM = {"optimiser": "adamw", "weight_decay": 0.1}
SCHEDULES = {
    "plain": {},
    "adamw, halved": {**ADAM, "halve_at": (3, 5)},
    "sgd, by epoch": {"optimiser": "sgd", "momentum": 0.9, "lr_by_epoch": True},
    "sgd without momentum": {"optimiser": "sgd", "momentum": 0.0},
    "cosine": {"cosine_to": 0.001},
    "mosaics": {"mosaic": "by_defect"},
}


@dataclass(frozen=True)
class Options:
    """None."""


class Noisy:
    """Learns on the colours of patches, with dropout, a buffer that changes, and a part that is trained later."""

    def __init__(self):
        self.network = nn.Sequential(nn.Linear(3, 8), nn.Dropout(0.5), nn.BatchNorm1d(8), nn.Linear(8, 1))

    def score(self, tokens, class_names):
        grey = self.network.eval()(tokens.colours.flatten(0, 1)).reshape(-1, tokens.grid, tokens.grid)
        return Scores(grey.flatten(1).amax(1), grey)

    def loss(self, tokens, batch):
        return {"all": self.network.train()(tokens.colours.flatten(0, 1)).square().mean() + batch.masks.mean()}


@pytest.fixture(autouse=True)
def every_epoch(monkeypatch):
    """The state is written after every epoch."""
    monkeypatch.setattr(epochs, "SECONDS", 0.0)
    monkeypatch.setattr(epochs, "TIMES", 0.0)


@pytest.fixture
def noisy(monkeypatch, request_for):
    """`noisy(**changes)`: a plan with the method `noisy`, whose recipe has these changes."""
    known = registry.method_card
    point = registry.entry_point("methods", "colour-distance")
    monkeypatch.setitem(registry._points("methods"), "noisy", point)

    def make(**changes):
        recipe = replace(RECIPE, **changes)
        build = {"build": lambda backbone, options: Noisy(), "options": Options, "recipe": recipe}
        card = replace(known("colour-distance"), name="noisy", **build)
        monkeypatch.setattr(registry, "method_card", lambda name: card if name == "noisy" else known(name))
        return make_plan(request_for(methods=("noisy",), epochs=4))

    return make


class Killed(BaseException):
    """Stands for the end of the process."""


class Session:
    """A process that trains the first job of a plan, and may be killed after some steps of a stage."""

    def __init__(self, plan):
        (self.job,) = plan.jobs
        self.towers = build_towers(self.job.setup, torch.device("cpu"))
        self.folder = None

    def train(self, *, kill_after=None, images=None, **changes):
        """Return the detector, or None if the training is killed; `steps` are those that it took."""
        self.steps = []

        def on_step(done, total, loss, epochs):
            self.steps.append(done)
            if len(self.steps) == kill_after:
                raise Killed

        try:
            return train_or_load(
                *(self.job.setup, self.towers, images or self.job.aux, 0), workers=0, on_step=on_step, **changes
            )
        except Killed:
            return None


def left(path):
    """Names of the files beside a checkpoint, locks aside."""
    return sorted(file.name for file in path.parent.iterdir() if file.suffix != ".lock")


@pytest.mark.parametrize("changes", SCHEDULES.values(), ids=SCHEDULES)
def test_a_killed_training_goes_on_and_ends_in_the_same_bytes(noisy, changes):
    session = Session(noisy(**changes))
    whole = session.train()
    each, content = len(session.steps) // 4, whole.checkpoint.read_bytes()
    whole.checkpoint.unlink()
    torch.rand(7)  # the process is in another state
    assert session.train(kill_after=2 * each + 1) is None
    assert left(whole.checkpoint) == [f"{whole.checkpoint.stem}.epoch"]
    assert session.train(kill_after=each + 1) is None, "killed once more, after one more epoch"
    again = session.train()
    assert session.steps == list(range(3 * each + 1, 4 * each + 1))
    assert again.checkpoint.read_bytes() == content
    assert (again.first_loss, again.last_loss) == (whole.first_loss, whole.last_loss)
    assert again.earlier_epochs == 3
    assert left(again.checkpoint) == [again.checkpoint.name]
    assert (whole.earlier_epochs, whole.earlier_seconds) == (0, 0.0)


def test_one_that_is_killed_after_its_last_epoch_takes_no_step(noisy):
    session = Session(noisy())
    whole = session.train()
    content, steps = whole.checkpoint.read_bytes(), len(session.steps)
    whole.checkpoint.unlink()
    assert session.train(kill_after=steps) is None
    again = session.train()
    assert session.steps == []
    assert again.checkpoint.read_bytes() == content
    assert (again.first_loss, again.last_loss) == (whole.first_loss, whole.last_loss)


def test_fresh_begins_again(noisy):
    session = Session(noisy())
    whole = session.train()
    content, every = whole.checkpoint.read_bytes(), session.steps
    whole.checkpoint.unlink()
    session.train(kill_after=len(every) - 1)
    again = session.train(fresh=True)
    assert session.steps == every
    assert again.checkpoint.read_bytes() == content
    assert left(again.checkpoint) == [again.checkpoint.name]


def test_each_stage_of_a_training_goes_on(request_for):
    session = Session(make_plan(request_for(methods=("aaclip",), epochs=3)))
    whole = session.train()
    every, folder = session.steps, whole.checkpoint.parent
    stage = len(every) // 2
    contents = {path.name: path.read_bytes() for path in folder.glob("*.safetensors")}
    assert len(contents) == 2
    for kill_after in (stage - 1, stage + 1, 2 * stage - 1):
        for path in folder.glob("*.safetensors"):
            path.unlink()
        assert session.train(kill_after=kill_after) is None
        session.train()
        assert {path.name: path.read_bytes() for path in folder.glob("*.safetensors")} == contents
        assert session.steps[0] == 1 + (kill_after % stage) // (stage // 3) * (stage // 3)
        assert not list(folder.glob("*.epoch"))


def test_the_training_of_each_class_goes_on(request_for, monkeypatch):
    request = {"methods": ("promptad",), "targets": ("mvtec",), "classes": ("bottle", "cable"), "shots": (1,)}
    plan = make_plan(request_for(**request, aux=None, epochs=3))
    assert run_plan(plan).failures == []
    listed = class_trainings(plan.jobs[0], plan.jobs[0].todo)
    contents = {one.checkpoint: one.checkpoint.read_bytes() for one in listed}
    session = Session(plan)
    for one in listed:
        if one.stage != "seg":
            continue
        for path in contents:
            path.unlink()
        assert session.train(kill_after=5, images=one.images) is None, "in the second epoch of the second stage"
        session.train(images=one.images)
        assert session.steps == [3]
        assert one.checkpoint.read_bytes() == contents[one.checkpoint]
        for path, content in contents.items():
            path.write_bytes(content)


def flip(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def version_of(path, monkeypatch):
    monkeypatch.setattr(epochs, "version", lambda name: "another")


DAMAGE = {
    "a bit": (lambda path, monkeypatch: flip(path), "is damaged"),
    "cut": (lambda path, monkeypatch: path.write_bytes(path.read_bytes()[:-9]), "is cut off"),
    "empty": (lambda path, monkeypatch: path.write_bytes(b""), "is empty"),
    "another version": (version_of, "is of another training: it differs in versions"),
}


@pytest.mark.parametrize(("damage", "said"), DAMAGE.values(), ids=DAMAGE)
def test_a_state_that_does_not_fit_is_not_used(noisy, monkeypatch, caplog, damage, said):
    session = Session(noisy())
    whole = session.train()
    content, every = whole.checkpoint.read_bytes(), session.steps
    whole.checkpoint.unlink()
    session.train(kill_after=len(every) - 1)
    damage(whole.checkpoint.with_suffix(epochs.ENDING), monkeypatch)
    again = session.train()
    assert session.steps == every
    assert "a training that was interrupted cannot go on, and begins again" in caplog.text
    assert said in caplog.text
    assert again.checkpoint.read_bytes() == content


def test_a_state_of_another_seed_is_not_used(noisy, request_for, caplog):
    session = Session(noisy())
    whole = session.train()
    whole.checkpoint.unlink()
    session.train(kill_after=len(session.steps) - 1)
    path = whole.checkpoint.with_suffix(epochs.ENDING)
    finished = epochs.FinishedEpochs(whole.checkpoint, "noisy", {"seed": 1})
    network = Noisy().network
    optimiser = torch.optim.Adam(network.parameters())
    finished.load(epochs.Training(network, optimiser, torch.optim.lr_scheduler.MultiStepLR(optimiser, [])))
    assert finished.epochs == 0
    assert f"'{path}' is of another training: it differs in seed" in caplog.text


def test_a_full_disk_costs_the_state_alone(noisy, monkeypatch, caplog):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(epochs, "write_checkpoint", full)
    session = Session(noisy())
    with caplog.at_level(logging.WARNING):
        assert session.train().checkpoint.is_file()
    (line,) = caplog.messages
    assert line == "noisy: if this training is interrupted, it begins again: [Errno 28] No space left on device"


def test_the_state_is_not_written_too_often(noisy, monkeypatch):
    monkeypatch.setattr(epochs, "SECONDS", 3600.0)
    session = Session(noisy())
    whole = session.train()
    whole.checkpoint.unlink()
    assert session.train(kill_after=len(session.steps) - 1) is None
    assert left(whole.checkpoint) == []
    monkeypatch.setattr(epochs, "SECONDS", 0.0)
    monkeypatch.setattr(epochs, "TIMES", 1e9)
    assert session.train(kill_after=len(session.steps)) is None
    (about,) = [epochs.read_metadata(whole.checkpoint.with_suffix(epochs.ENDING))[1]]
    assert about["epoch"] == 1, "the first writing took so long that no other one was allowed"


def test_a_record_says_that_its_training_was_interrupted(noisy):
    plan = noisy()
    session = Session(plan)
    session.train(kill_after=5)
    ((_, record),) = run_plan(plan).records
    assert record.provenance["resumed_after_epoch"] >= 1
    assert record.cost["seconds_training"] > 0

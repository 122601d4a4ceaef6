"""Check checkpoints: what is trained comes back bit for bit, and files of other methods are refused."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from zsadbench.checkpoints import load_state, write_checkpoint
from zsadbench.conformance.finding import FaultError, NotApplicableError
from zsadbench.conformance.interface import any_scores
from zsadbench.conformance.memory import auxiliary_batches
from zsadbench.conformance.subject import Subject, equal
from zsadbench.conformance.trained import trace_of
from zsadbench.engine.learn.loop import finite_state
from zsadbench.engine.machine.modes import evaluation_mode
from zsadbench.engine.plan.trained_state import read_state
from zsadbench.errors import WeightsError

OTHER = "another-method"
OTHER_SEED = 1  # of the detector that loads: what no checkpoint holds differs from that of the one that was trained


def _trained(subject: Subject) -> Any:
    """Return a detector after training steps, with every parameter moved, so that none has its initial value."""
    recipe = subject.card.recipe
    if recipe is None:
        raise NotApplicableError("it learns nothing")
    if recipe.one_pass:
        detector = subject.make()
        with torch.no_grad():
            detector.remember_auxiliary(auxiliary_batches(subject, [[0, 1, 2]]))
        return detector
    detector, generator = trace_of(subject).detector, torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in detector.network.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator))
    subject.remind(detector)
    return detector


def check_save_load(subject: Subject) -> str:
    """Check that a checkpoint gives the scores of the trained detector, bit for bit, to a detector of another seed."""
    trained, name = _trained(subject), subject.card.name
    state = finite_state(name, trained)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "checkpoint.safetensors"
        write_checkpoint(path, state, name, {})
        for seed in (0, OTHER_SEED):
            loaded = subject.make(seed)
            load_state(loaded.network, read_state(subject.card, path), f"checkpoint of '{name}'")
            evaluation_mode(name, loaded)
            subject.remind(loaded)
            if not equal(any_scores(subject, loaded), any_scores(subject, trained)):
                which = "another" if seed else "the same"
                raise FaultError(f"scores after loading into a detector of {which} seed differ: a part is not saved")
    return f"{len(state)} tensors; scores equal bit for bit"


def check_refusal(subject: Subject) -> str:
    """Check that files of another method, or with other tensors, are refused with an error that says so."""
    card = subject.card
    if card.recipe is None and card.official is None:
        raise NotApplicableError("it reads no checkpoint")
    detector = subject.make()
    state = finite_state(card.name, detector) if card.recipe is not None else {}
    strange = {"something.else": torch.zeros(2)}
    with tempfile.TemporaryDirectory() as folder:
        theirs, ours, foreign = (Path(folder) / name for name in ("theirs", "ours", "foreign.pth"))
        torch.save(strange, foreign)
        _refused("a file of another program", lambda: read_state(card, foreign))
        if card.recipe is not None:
            write_checkpoint(theirs, state, OTHER, {})
            write_checkpoint(ours, strange, card.name, {})
            _refused("a checkpoint of another method", lambda: read_state(card, theirs))
            _refused("other tensors", lambda: load_state(detector.network, read_state(card, ours), "checkpoint"))
    if card.official is not None and (unknown := set(card.official.names().values()) - state.keys()):
        raise FaultError(f"'official.names' leads to '{min(unknown)}', which is no tensor of the network")
    return "foreign files are refused"


def _refused(what: str, read: Callable[[], object]) -> None:
    """Check that reading a file raises WeightsError; `what` it is, in the plural or with its article."""
    try:
        read()
    except WeightsError:
        return
    except Exception as failure:
        raise FaultError(f"on {what}: {type(failure).__name__} and not WeightsError: {failure}") from failure
    raise FaultError(f"no error on {what}")

"""The state of a training after its last finished epoch, beside its checkpoint in the cache until that is written.

A training that is killed goes on from there, and ends with the same parameters bit for bit as one that was not. The
file is a safetensors file: network, optimiser and PyTorch's random generators as tensors; epoch, learning rates and
schedule as JSON beside them. It says which training it is of, and has a digest; one that does not fit is not used.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from time import perf_counter
from typing import TYPE_CHECKING, Any

import torch

from zsadbench.checkpoints import check_digest, load_state, read_archive, read_metadata, write_checkpoint
from zsadbench.errors import WeightsError
from zsadbench.files import DAMAGED

if TYPE_CHECKING:
    from pathlib import Path

log = logging.getLogger(__name__)

ENDING = ".epoch"  # of the file, in place of that of the checkpoint
SECONDS = 5.0  # the least time between two writings
TIMES = 20.0  # … and the least multiple of the time that the last one took: it takes at most 5 % of the training
LOSSES = ("first_loss", "last_loss")
UNUSABLE: tuple[type[Exception], ...] = (WeightsError, *DAMAGED)
SCHEDULE = ("last_epoch", "_step_count", "_last_lr")  # what changes in a `MultiStepLR`


@dataclass
class Training:
    """What a training changes: its network, optimiser, schedule and the random generators of its device."""

    network: torch.nn.Module
    optimiser: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler

    @property
    def cuda(self) -> torch.device | None:
        """The GPU of the network, None on a CPU."""
        device = next(self.network.parameters()).device
        return device if device.type == "cuda" else None

    def tensors(self) -> dict[str, torch.Tensor]:
        """Return all tensors, by name."""
        tensors = {f"network.{name}": tensor for name, tensor in self.network.state_dict().items()}
        for number, values in self.optimiser.state_dict()["state"].items():
            named = {f"optimiser.{number}.{name}": value for name, value in values.items()}
            tensors |= {name: value for name, value in named.items() if value is not None}
        tensors["random.cpu"] = torch.get_rng_state()
        if self.cuda is not None:
            tensors["random.cuda"] = torch.cuda.get_rng_state(self.cuda)
        return tensors

    def values(self) -> dict[str, Any]:
        """Return what is no tensor: learning rates, and how far the schedule is."""
        schedule = self.schedule.state_dict()
        rates = [group["lr"] for group in self.optimiser.param_groups]
        return {"rates": rates, "schedule": {name: schedule[name] for name in SCHEDULE}}

    def load(self, tensors: Mapping[str, torch.Tensor], values: Mapping[str, Any]) -> None:
        """Take over what `tensors` and `values` returned.

        Raises:
            WeightsError: the tensors are not those of this network.
        """
        network = {name.removeprefix("network."): tensors[name] for name in tensors if name.startswith("network.")}
        load_state(self.network, network, "the state of the training")
        state: dict[int, dict[str, torch.Tensor]] = {}
        for name, tensor in tensors.items():
            if name.startswith("optimiser."):
                _, number, key = name.split(".", 2)
                state.setdefault(int(number), {})[key] = tensor
        groups = self.optimiser.state_dict()["param_groups"]
        groups = [{**group, "lr": rate} for group, rate in zip(groups, values["rates"], strict=True)]
        self.optimiser.load_state_dict({"state": state, "param_groups": groups})
        self.schedule.load_state_dict({name: values["schedule"][name] for name in SCHEDULE})
        torch.set_rng_state(tensors["random.cpu"])
        if self.cuda is not None:
            torch.cuda.set_rng_state(tensors["random.cuda"], self.cuda)


@dataclass
class FinishedEpochs:
    """The file of the state of one training, written after an epoch if that is not too often.

    It is written if `SECONDS`, and `TIMES` as long as the last writing took, have passed since then or since the
    training began or went on.

    Args:
        checkpoint: the path of the checkpoint that the training will have in the cache.
        method: its name.
        cell: the settings of the training.

    `epochs` and `seconds` are those of processes before this one; `first_loss` and `last_loss` are those of all.
    """

    checkpoint: Path
    method: str
    cell: Mapping[str, Any]
    epochs: int = 0
    first_loss: float | None = None
    last_loss: float | None = None
    seconds: float = 0.0
    _started: float = field(default_factory=perf_counter)
    _last: float = field(default_factory=perf_counter)
    _took: float = 0.0
    _writes: bool = True

    @property
    def path(self) -> Path:
        """The file."""
        return self.checkpoint.with_suffix(ENDING)

    def load(self, training: Training) -> None:
        """Take over the state of an earlier process if there is one that fits; else leave everything as it is."""
        if not self.path.is_file():
            return
        tensors, values = {name: value.clone() for name, value in training.tensors().items()}, training.values()
        try:
            found, about = self._read(training)
            epochs, seconds, *losses = (about[name] for name in ("epoch", "seconds", *LOSSES))
            training.load(found, about)
        except UNUSABLE as failure:
            log.warning("a training that was interrupted cannot go on, and begins again: %s", failure)
            training.load(tensors, values)
            return
        self.epochs, self.seconds, (self.first_loss, self.last_loss) = epochs, seconds, losses
        log.info("%s: the training goes on after epoch %d", self.method, self.epochs)

    def step(self, training: Training, loss: float, number: int, per_epoch: int) -> None:
        """Take note of step `number`, counted from 1; where an epoch ends, write the state unless that is too often.

        A failure to write costs a warning.
        """
        self.first_loss, self.last_loss = loss if self.first_loss is None else self.first_loss, loss
        start = perf_counter()
        if number % per_epoch or not self._writes or start - self._last < max(SECONDS, TIMES * self._took):
            return
        seconds = self.seconds + start - self._started
        about = self._about(training) | {"epoch": number // per_epoch, "seconds": seconds}
        about |= {name: getattr(self, name) for name in LOSSES}
        try:
            write_checkpoint(self.path, training.tensors(), self.method, about | training.values())
        except (OSError, WeightsError) as failure:
            log.warning("%s: if this training is interrupted, it begins again: %s", self.method, failure)
            self._writes = False
        self._last = perf_counter()
        self._took = self._last - start

    def remove(self) -> None:
        """Remove the file; it is left where that is impossible."""
        try:
            self.path.unlink(missing_ok=True)
        except OSError as failure:
            log.info("'%s' cannot be removed: %s", self.path, failure)

    def _about(self, training: Training) -> dict[str, Any]:
        """Return what a state must have in common with this training, as JSON gives it back."""
        versions = {name: version(name) for name in ("zsadbench", "torch")}
        device = "cuda" if training.cuda is not None else "cpu"
        about: dict[str, Any] = json.loads(json.dumps({**self.cell, "versions": versions, "device_type": device}))
        return about

    def _read(self, training: Training) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        """Read the file.

        Raises:
            WeightsError: it is damaged, or of another training.
        """
        metadata, tensors = read_metadata(self.path), read_archive(self.path)
        check_digest(self.path, tensors)
        about = metadata[1] if metadata else {}
        other = [name for name, value in self._about(training).items() if about.get(name) != value]
        if other:
            raise WeightsError(f"'{self.path}' is of another training: it differs in {', '.join(other)}")
        return tensors, about


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Seed PyTorch's random generators within the block, and restore them afterwards."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield

"""What `import zsadbench` offers: the same functions that the commands call."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from zsadbench import registry
from zsadbench.clip import resolve
from zsadbench.engine.encode.towers import build_towers
from zsadbench.engine.learn.detector import load_checkpoint, make_method
from zsadbench.engine.machine.device import choose_device
from zsadbench.engine.plan.jobs import make_plan
from zsadbench.engine.plan.method_setup import load_setup
from zsadbench.engine.plan.options import configure
from zsadbench.engine.plan.request import RunRequest
from zsadbench.engine.run import Reporter, Results, run_plan
from zsadbench.errors import UsageError
from zsadbench.predict.detector import LoadedMethod
from zsadbench.saved_maps.plan import ScoreRequest, make_score_plan
from zsadbench.saved_maps.score import score_maps


def run(
    methods: Sequence[str] | str, targets: Sequence[str] | str, *, reporter: Reporter | None = None, **arguments: Any
) -> Results:
    """Train or load each method, evaluate it on every target and write records: `zsadbench run`.

    Args:
        methods: names of methods.
        targets: names of data sets, `folder:PATH` or `csv:PATH`.
        reporter: told how it goes.
        arguments: the other fields of `zsadbench.engine.plan.request.RunRequest`; the repeatable ones also by the
            names of their flags (`data_root`, `class_`, `seed`, `option`, `metric`), one value or several.

    Returns:
        The records, and what failed; `Results.frame()` is a tidy pandas frame.

    Raises:
        UsageError, WeightsError, DataError: what can be known beforehand; nothing has run then.
    """
    settled = _fields("run", RunRequest, arguments)
    return run_plan(make_plan(RunRequest(_names(methods), _names(targets), **settled)), reporter)


def score(maps: str | Path, target: str, **arguments: Any) -> Results:
    """Measure maps that some other program made and write their record: `zsadbench score`.

    Args:
        maps: the folder, with one map an image.
        target: name of the data set, `folder:PATH` or `csv:PATH`.
        arguments: the other fields of `zsadbench.saved_maps.plan.ScoreRequest`, as in `run`.

    Returns:
        The record, and what failed.

    Raises:
        UsageError, DataError: what can be known beforehand, missing maps among them; nothing was measured then.
    """
    return score_maps(make_score_plan(ScoreRequest(Path(maps), target, **_fields("score", ScoreRequest, arguments))))


def _fields(verb: str, request: Any, arguments: dict[str, Any]) -> dict[str, Any]:
    """Arguments as fields of a request, also where they go by the names of flags."""
    settled: dict[str, Any] = {}
    for given, value in arguments.items():
        name = given if given in request.__dataclass_fields__ else FLAGS.get(given, given)
        if name not in request.__dataclass_fields__:
            raise UsageError(f"{verb}() takes no argument '{given}'")
        if name in settled:
            raise UsageError(f"{verb}() was given '{name}' twice, once as '{given}'")
        settled[name] = _settled(name, value)
    return settled


FLAGS = {
    **{"data_root": "data_roots", "class_": "classes", "seed": "seeds", "support_seed": "support_seeds"},
    **{"option": "options", "metric": "metrics"},
}
TUPLES = frozenset({"classes", "seeds", "shots", "support_seeds", "options", "data_roots", "metrics"})
PATHS = frozenset({"checkpoint", "out", "data_roots"})


def _names(given: Sequence[str] | str) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)


def _settled(name: str, value: Any) -> Any:
    """An argument as the request wants it: lists as tuples, text as paths."""
    if name in TUPLES:
        items: Iterable[Any] = [value] if isinstance(value, str | int | Path) else value
        return tuple(Path(item) if name in PATHS else item for item in items)
    return Path(value) if name in PATHS and value is not None else value


def load_method(
    name: str,
    backbone: str | None = None,
    weights: str | None = None,
    checkpoint: str | Path | None = None,
    device: str = "auto",
    *,
    options: Sequence[str] = (),
    image_size: int | None = None,
    seed: int = 0,
    offline: bool = False,
) -> LoadedMethod:
    """Build a method, with a checkpoint or with its initial values.

    Raises:
        UsageError, WeightsError: a name is unknown, weights or the checkpoint are missing or foreign.
    """
    path = Path(checkpoint) if checkpoint is not None else None
    request = RunRequest((name,), ("none",), checkpoint=path, options=tuple(options), image_size=image_size)
    configured = configure(registry.method_card(name), request.options, (name,))
    setup = load_setup(
        request, configured, resolve(backbone, weights, offline=offline), registry.protocol(request.protocol)
    )
    towers = build_towers(setup, choose_device(device))
    method = make_method(setup, towers, seed)
    if path is not None:
        load_checkpoint(setup, method, path)
    return LoadedMethod(setup, towers, method)


def load_dataset(name: str, root: str | Path | Sequence[str | Path] | None = None, allow_partial: bool = False) -> Any:
    """Find and read a data set; `.manifest` is a frame with `path mask label class defect split`.

    Raises:
        UsageError: no data set has this name.
        DataError: it is missing, incomplete or wrong.
    """
    from zsadbench import data

    roots = [root] if isinstance(root, str | Path) else root
    return data.load_dataset(name, roots, allow_partial)

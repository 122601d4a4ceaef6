"""What `import zsadbench` offers: the same functions that the commands call."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import wraps
from keyword import iskeyword
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, get_type_hints

from zsadbench import registry
from zsadbench.clip import resolve
from zsadbench.engine.drive.progress_bar import ProgressBar, is_interactive
from zsadbench.engine.drive.reporter import Reporter, Reporters
from zsadbench.engine.encode.towers import build_towers
from zsadbench.engine.learn.detector import load_checkpoint, make_method
from zsadbench.engine.machine.device import choose_device
from zsadbench.engine.plan.jobs import make_plan
from zsadbench.engine.plan.method_setup import load_setup
from zsadbench.engine.plan.options import configure
from zsadbench.engine.plan.request import RunRequest
from zsadbench.engine.results import Results
from zsadbench.engine.run import run_plan
from zsadbench.errors import UsageError
from zsadbench.flags.fields import flags_of
from zsadbench.predict.detector import LoadedMethod
from zsadbench.saved_maps.plan import make_score_plan
from zsadbench.saved_maps.request import ScoreRequest
from zsadbench.saved_maps.score import score_maps

if TYPE_CHECKING:
    from zsadbench.data import Dataset

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class _RunArguments(RunRequest):
    """The parameters of `run`: the fields of the request, a reporter, and whether there is a progress bar."""

    reporter: Reporter | Sequence[Reporter] | None = field(default=None, kw_only=True)
    progress: bool | None = field(default=None, kw_only=True)


@dataclass(frozen=True)
class _ScoreArguments(ScoreRequest):
    """The parameters of `score`: the fields of the request; the folder may be text."""

    maps: Path | str  # type: ignore[assignment]


def _with_parameters_of(arguments: Callable[P, Any]) -> Callable[[Callable[..., R]], Callable[P, R]]:
    """Give a function the parameters of a request's constructor, for callers, editors and type checkers.

    At run time a parameter may also go by the name of its flag: `data_root` for `data_roots`, `class_` for `classes`.
    """
    parameters = inspect.signature(arguments).parameters
    hints = get_type_hints(arguments)
    typed = [parameter.replace(annotation=hints[name]) for name, parameter in parameters.items()]
    signature = inspect.Signature(typed, return_annotation=Results)
    flags = {flag.name.replace("-", "_"): name for name, flag in flags_of(arguments).items()}  # type: ignore[arg-type]
    flags = {f"{flag}_" if iskeyword(flag) else flag: name for flag, name in flags.items()}

    def decorate(function: Callable[..., R]) -> Callable[P, R]:
        @wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            verb = function.__name__
            settled: dict[str, Any] = {}
            for given, value in kwargs.items():
                name = given if given in parameters else flags.get(given, "")
                if not name:
                    raise UsageError(f"{verb}() takes no argument '{given}'")
                if name in settled:
                    raise UsageError(f"{verb}() was given '{name}' twice, once as '{given}'")
                settled[name] = value
            return function(**signature.bind(*args, **settled).arguments)

        call.__signature__ = signature  # type: ignore[attr-defined]
        return call

    return decorate


@_with_parameters_of(_RunArguments)
def run(
    reporter: Reporter | Sequence[Reporter] | None = None, progress: bool | None = None, **arguments: Any
) -> Results:
    """Train or load each method, evaluate it on every target and write records: `zsadbench run`.

    Args:
        reporter: callbacks, one `zsadbench.Reporter` or several. One that raises costs an error in the log and a line
            in `Results.callback_failures`; the run goes on.
        progress: whether to show a progress bar; None for one where Python is used interactively, as in a notebook.
        arguments: the fields of `zsadbench.engine.plan.request.RunRequest`, first `methods` and `targets`; the
            repeatable ones also by the names of their flags (`data_root`, `class_`, `seed`, `support_seed`, `option`,
            `metric`), one value or several.

    Returns:
        The records, and what failed; a notebook shows their means, and `Results.frame()` is a tidy pandas frame.

    Raises:
        UsageError, WeightsError, DataError: before anything runs, where an argument, the weights or the data are wrong.
    """
    plan = make_plan(RunRequest(**arguments))
    given = [reporter] if isinstance(reporter, Reporter) else list(reporter or ())
    with ExitStack() as stack:
        if is_interactive() if progress is None else progress:
            given.append(stack.enter_context(ProgressBar()))
        callbacks = Reporters(given)
        results = run_plan(plan, callbacks)
    results.callback_failures += callbacks.failures
    return results


@_with_parameters_of(_ScoreArguments)
def score(maps: Path | str, **arguments: Any) -> Results:
    """Measure maps that another program made and write their record: `zsadbench score`.

    Args:
        maps: the folder, with one map per image.
        arguments: the other fields of `zsadbench.saved_maps.request.ScoreRequest`, first `target`; also by the names
            of their flags, as in `run`.

    Returns:
        The record, and what failed.

    Raises:
        UsageError, DataError: before anything is measured, where an argument, the target or the maps are wrong.
    """
    return score_maps(make_score_plan(ScoreRequest(Path(maps), **arguments)))


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
    """Build a method on a CLIP backbone, with the parameters of a checkpoint or with untrained ones.

    Args:
        name: of the method.
        backbone: architecture, or the path of a `backbone.json`; None for ViT-L-14-336.
        weights: published tag, a file, or `random`; None for `openai`.
        checkpoint: trained parameters: a checkpoint of zsadbench, or the method's published file.
        device: `auto`, `cpu`, `cuda` or `cuda:N`.
        options: options of the method, each `KEY=VALUE`.
        image_size: input side in pixels, a multiple of the patch size; None for the recipe's or the backbone's.
        seed: of the untrained parameters.
        offline: never download weights.

    Raises:
        UsageError: a name, an option or the image size cannot be right.
        WeightsError: the weights or the checkpoint are missing or of another kind.
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


def load_dataset(
    name: str,
    root: str | Path | Sequence[str | Path] | None = None,
    allow_partial: bool = False,
    normal: Sequence[str] = (),
) -> Dataset:
    """Find and read a data set.

    Args:
        name: of the data set, or `folder:PATH` or `csv:PATH`.
        root: one folder or several that hold data sets; None for those of the environment.
        allow_partial: accept a copy that lacks classes or images.
        normal: of `folder:PATH`, names of the folders of normal images; empty to recognise them.

    Returns:
        The data set; its `manifest` is a pandas frame with one row per image and at least the columns `path`, `mask`,
        `label` (0 normal, 1 anomalous), `class`, `defect` and `split`.

    Raises:
        UsageError: no data set has this name.
        DataError: the copy is missing, incomplete or wrong.
    """
    from zsadbench import data

    roots = [root] if isinstance(root, str | Path) else root
    return data.load_dataset(name, roots, allow_partial, normal=normal)

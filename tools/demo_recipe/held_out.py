"""Train a method on `demo-aux` without some of its families, and score it on these."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

import numpy as np
import torch

from zsadbench import registry
from zsadbench.clip import Backbone, resolve
from zsadbench.data import Dataset, batches, load_dataset
from zsadbench.engine.encode.towers import build_towers
from zsadbench.engine.encode.training_tokens import TrainingTokens
from zsadbench.engine.evaluate.maps import enlarge, smooth
from zsadbench.engine.learn.detector import make_method
from zsadbench.engine.learn.loop import TrainingBatches, fit
from zsadbench.engine.plan.method_setup import MethodSetup, load_setup
from zsadbench.engine.plan.options import configure
from zsadbench.engine.plan.request import TOKEN_CACHE, RunRequest
from zsadbench.files import write_atomically
from zsadbench.metrics import ClassMetrics, parse_metric
from zsadbench.types import Method, Tokens, Trainable
from zsadbench_datasets.demo.families import families_of

HELD_OUT = Path(__file__).with_name("held_out.json")
AUX = "demo-aux"
NEW_TO_ALL = tuple(family.name for family in families_of(AUX) if family.sets == (AUX,))  # not even in the captions
FOLDS = tuple(NEW_TO_ALL[fold::2] for fold in range(2))  # held out in turn: two textures and two objects each
METRICS = ("pixel_auroc", "pixel_aupro", "image_auroc")


class HeldOutClass(NamedTuple):
    """The encoded images of one held-out class."""

    words: str
    tokens: list[Tokens]
    labels: np.ndarray[Any, Any]
    masks: np.ndarray[Any, Any]


def score_recipes(method: str, rates: Sequence[float], batch: int, epochs: int, seed: int) -> list[dict[str, Any]]:
    """Score a method on held-out families; metrics are means over the families of all folds.

    Args:
        method: the name of the method.
        rates: learning rates; empty for that of the recipe.
        batch: images per step.
        epochs: epochs of every training; the method is scored before the first and after each.
        seed: seed of the initial values and of the order of the images.

    Returns:
        One row per learning rate and epoch; a single row for a method without training.
    """
    by_key: dict[tuple[float, int | None], list[dict[str, float]]] = {}
    for fold in FOLDS:
        for key, numbers in _scored(method, fold, rates, (batch, epochs, seed)):
            by_key.setdefault(key, []).append(numbers)
    return [
        {
            "method": method,
            **({} if epoch is None else {"lr": lr, "batch": batch, "epochs": epoch, "seed": seed}),
            **{name: round(fmean(fold[name] for fold in folds), 5) for name in METRICS},
        }
        for (lr, epoch), folds in by_key.items()
    ]


def write_rows(rows: Sequence[dict[str, Any]]) -> None:
    """Write rows to `held_out.json`, sorted by method and settings; they replace rows with the same settings."""
    by_settings = {_settings(row): row for row in (*read_rows(), *rows)}
    methods = list(dict.fromkeys(row["method"] for row in by_settings.values()))
    ordered = sorted(by_settings, key=lambda key: (methods.index(str(key[0])), *key[1:]))
    lines = ",\n".join(json.dumps(by_settings[key]) for key in ordered)
    write_atomically(HELD_OUT, f"[\n{lines}\n]\n".encode())


def _settings(row: dict[str, Any]) -> tuple[str | float, ...]:
    return (row["method"], *(row.get(name, 0) for name in ("batch", "seed", "lr", "epochs")))


def read_rows() -> list[dict[str, Any]]:
    """Read the stored rows; none if there is no file."""
    return list(json.loads(HELD_OUT.read_text(encoding="utf-8"))) if HELD_OUT.is_file() else []


def part_of(aux: Dataset, classes: Sequence[str]) -> Dataset:
    """A data set with only some classes of another."""
    return replace(aux, manifest=aux.manifest[aux.manifest["class"].isin(classes)].reset_index(drop=True))


def _scored(
    name: str, fold: Sequence[str], rates: Sequence[float], settings: tuple[int, int, int]
) -> Iterator[tuple[tuple[float, int | None], dict[str, float]]]:
    """Yield (learning rate, epoch) and the metrics on the families of a fold; epoch 0 is the untrained method."""
    batch, epochs, seed = settings
    setup, aux = _setup(name, (), epochs), load_dataset(AUX)
    towers = build_towers(setup, torch.device("cpu"))
    held = [_encoded(setup, towers, part_of(aux, [class_name])) for class_name in fold]
    if not setup.trains:
        yield (0.0, None), _measure(setup, make_method(setup, towers, seed), held)
        return
    yield (0.0, 0), _measure(setup, make_method(setup, towers, seed), held)
    learned = part_of(aux, [class_name for class_name in aux.classes if class_name not in fold])
    for lr in rates or [setup.method.recipe_on(AUX).lr]:
        chosen = _setup(name, (f"recipe.lr={lr}", f"recipe.batch={batch}"), epochs)
        method = make_method(chosen, towers, seed)
        assert isinstance(method, Trainable)
        for epoch in _epochs(chosen, towers, method, learned, seed):
            yield (lr, epoch), _measure(chosen, method, held)


def _setup(name: str, options: tuple[str, ...], epochs: int) -> MethodSetup:
    request = RunRequest((name,), (AUX,), options=options, epochs=epochs, backbone="demo")
    configured = configure(registry.method_card(name), options, (name,))
    return load_setup(request, configured, resolve("demo", "demo"), registry.protocol("strict"))


def _epochs(setup: MethodSetup, towers: Backbone, method: Trainable, learned: Dataset, seed: int) -> Iterator[int]:
    """Train as in a run, and yield the number of each epoch when it is finished."""
    steps = TrainingBatches(setup, learned, seed, workers=0, image_cache=None, pin=False)
    tokens = TrainingTokens.of(setup, towers, learned, TOKEN_CACHE, ())
    each = len(steps) // steps.epochs
    for number, _ in enumerate(fit(method, tokens, steps, lambda done, total, loss: None), start=1):
        if number % each == 0:
            yield number // each


def _encoded(setup: MethodSetup, towers: Backbone, part: Dataset) -> HeldOutClass:
    """Encode the images of one class, prepared as in the protocol `strict`."""
    taps, size = setup.method.card.taps(setup.method.options), setup.image_size
    source = list(batches(part.manifest, size=size, masks="strict", batch_size=1, workers=0))
    with torch.inference_mode():
        tokens = [towers.vision(loaded.images, taps) for loaded in source]
    masks = np.concatenate([np.asarray(loaded.masks) for loaded in source])
    (name,) = part.classes
    return HeldOutClass(part.card.words(setup.name)[name], tokens, part.manifest["label"].to_numpy(), masks)


def _measure(setup: MethodSetup, method: Method, held: Sequence[HeldOutClass]) -> dict[str, float]:
    """Average each metric over classes, evaluated as in the protocol `strict`."""
    by_class = []
    size, sigma = setup.image_size, setup.method.card.smoothing
    for images in held:
        metrics = ClassMetrics([parse_metric(name) for name in METRICS])
        with torch.inference_mode():
            scores = [method.score(tokens, [images.words]) for tokens in images.tokens]
        image = np.array([float(score.image[0]) for score in scores])
        maps = np.concatenate([smooth(enlarge(score.pixel, (size, size)), sigma) for score in scores])
        metrics.update(image, images.labels, maps, images.masks)
        by_class.append({name: estimate.value for name, estimate in metrics.compute().items()})
    return {name: fmean(value for values in by_class if (value := values[name]) is not None) for name in METRICS}

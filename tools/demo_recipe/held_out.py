"""Train a method on `demo-aux` without some of its families, and score it on these."""

from __future__ import annotations

import json
from collections import deque
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
from zsadbench.engine.encode.encoders import make_encoder
from zsadbench.engine.encode.towers import build_towers
from zsadbench.engine.encode.training_tokens import training_tokens
from zsadbench.engine.evaluate.maps import enlarge, smooth
from zsadbench.engine.learn.detector import make_method
from zsadbench.engine.learn.loop import TrainingBatches, fit
from zsadbench.engine.plan.method_setup import MethodSetup, earlier_stage, load_setup, taps_of
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
AT_ONCE = 4  # images that are encoded and scored together
METRICS = ("pixel_auroc", "pixel_aupro", "image_auroc")


class HeldOutClass(NamedTuple):
    """The images of one held-out class; `tokens` are None for a method that encodes images itself."""

    words: str
    images: list[torch.Tensor]
    tokens: list[Tokens] | None
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
    method = make_method(setup, towers, seed)
    yield (0.0, 0 if setup.trains else None), _measure(setup, towers, method, held)
    if not setup.trains:
        return
    assert isinstance(method, Trainable)
    learned = part_of(aux, [class_name for class_name in aux.classes if class_name not in fold])
    train_earlier(_setup(name, (), None), towers, method, learned, seed)
    begin = {key: value.clone() for key, value in method.network.state_dict().items()}
    for lr in rates or [setup.method.recipe_on(AUX).lr]:
        chosen = _setup(name, (f"recipe.lr={lr}", f"recipe.batch={batch}"), epochs)
        method = make_method(chosen, towers, seed)
        assert isinstance(method, Trainable)
        method.network.load_state_dict(begin)
        for epoch in _epochs(chosen, towers, method, learned, seed):
            yield (lr, epoch), _measure(chosen, towers, method, held)


def _setup(name: str, options: tuple[str, ...], epochs: int | None) -> MethodSetup:
    request = RunRequest((name,), (AUX,), options=options, epochs=epochs, backbone="demo")
    configured = configure(registry.method_card(name), options, (name,))
    return load_setup(request, configured, resolve("demo", "demo"), registry.protocol("strict"))


def train_earlier(setup: MethodSetup, towers: Backbone, method: Trainable, learned: Dataset, seed: int) -> None:
    """Train a method in the stage before that of the setup, if there is one, as its recipe says."""
    earlier = earlier_stage(setup)
    if earlier is not None:
        deque(_epochs(earlier, towers, method, learned, seed), maxlen=0)


def _epochs(setup: MethodSetup, towers: Backbone, method: Trainable, learned: Dataset, seed: int) -> Iterator[int]:
    """Train as in a run, and yield the number of each epoch when it is finished."""
    steps = TrainingBatches(setup, learned, seed, workers=0, image_cache=None, pin=False)
    tokens = training_tokens(setup, towers, method, learned, cache_bytes=TOKEN_CACHE, co_trained=())
    each = len(steps) // steps.epochs
    for number, _ in enumerate(fit(method, tokens, steps, lambda done, total, loss, epochs: None), start=1):
        if number % each == 0:
            yield number // each


def _encoded(setup: MethodSetup, towers: Backbone, part: Dataset) -> HeldOutClass:
    """Read the images of one class, prepared as in the protocol `strict`, and encode them unless the method does."""
    taps, rows = taps_of(setup), {"size": setup.image_size, "preprocessing": taps_of(setup).preprocessing}
    source = list(batches(part.manifest, **rows, masks="strict", batch_size=AT_ONCE, workers=0))
    images = [loaded.images for loaded in source]
    with torch.inference_mode():
        tokens = None if taps.own_encoding else [towers.vision(of_batch, taps) for of_batch in images]
    masks = np.concatenate([np.asarray(loaded.masks) for loaded in source])
    (name,) = part.classes
    return HeldOutClass(part.card.words(setup.name)[name], images, tokens, part.manifest["label"].to_numpy(), masks)


def _measure(setup: MethodSetup, towers: Backbone, method: Method, held: Sequence[HeldOutClass]) -> dict[str, float]:
    """Average each metric over classes, evaluated as in the protocol `strict`."""
    by_class = []
    size, sigma, encode = setup.image_size, setup.method.card.smoothing, make_encoder(setup, towers, method)
    for of_class in held:
        metrics = ClassMetrics([parse_metric(name) for name in METRICS])
        words = [[of_class.words] * len(images) for images in of_class.images]
        with torch.inference_mode():
            tokens = of_class.tokens or [encode(*both) for both in zip(of_class.images, words, strict=True)]
            scores = [method.score(*both) for both in zip(tokens, words, strict=True)]
        image = np.concatenate([score.image.numpy() for score in scores])
        maps = [smooth(enlarge(one[None], (size, size)), sigma) for score in scores for one in score.pixel]
        metrics.update(image, of_class.labels, np.concatenate(maps), of_class.masks)
        by_class.append({name: estimate.value for name, estimate in metrics.compute().items()})
    return {name: fmean(value for values in by_class if (value := values[name]) is not None) for name in METRICS}

"""Data set cards, one a benchmark, the drawing of their miniatures, and the demo benchmark, which is drawn."""

from importlib import import_module
from typing import Any

_HOMES = {  # drawing needs numpy and Pillow, reading cards does not
    "synthesise": "zsadbench_datasets.synth",
    "generate": "zsadbench_datasets.demo.frozen",
    "edition": "zsadbench_datasets.demo.frozen",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'zsadbench_datasets' has no attribute '{name}'")

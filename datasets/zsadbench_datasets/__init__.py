"""Data set cards, one a benchmark, and the drawing of their miniatures."""

from importlib import import_module
from typing import Any


def __getattr__(name: str) -> Any:
    if name == "synthesise":  # drawing needs numpy and Pillow, reading cards does not
        return import_module("zsadbench_datasets.synth").synthesise
    raise AttributeError(f"module 'zsadbench_datasets' has no attribute '{name}'")

"""Data set cards, synthetic miniatures of the benchmarks, and the generated demo benchmark."""

from importlib import import_module
from typing import Any

_MODULES = {  # imported on first use: generating images needs NumPy and Pillow, reading cards does not
    "synthesise": "zsadbench_datasets.synthetic.miniatures",
    "generate": "zsadbench_datasets.demo.frozen",
    "edition": "zsadbench_datasets.demo.frozen",
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(import_module(_MODULES[name]), name)
    raise AttributeError(f"module 'zsadbench_datasets' has no attribute '{name}'")

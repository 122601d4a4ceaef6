"""Zero-shot anomaly detection with CLIP: every method, every benchmark, one protocol.

Importing this package imports neither torch nor pandas; the names below are loaded when first used.
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zsadbench.api import load_dataset, load_method, run, score
    from zsadbench.data.copies.dataset import Dataset
    from zsadbench.detectors import Scores
    from zsadbench.engine.drive.reporter import Reporter
    from zsadbench.engine.results import Results
    from zsadbench.errors import CellError, DataError, UsageError, WeightsError, ZsadError
    from zsadbench.predict.detector import LoadedMethod
    from zsadbench.records import read_results

__version__ = version("zsadbench")

_MODULES = {
    "zsadbench.api": ("load_dataset", "load_method", "run", "score"),
    "zsadbench.data.copies.dataset": ("Dataset",),
    "zsadbench.detectors": ("Scores",),
    "zsadbench.engine.drive.reporter": ("Reporter",),
    "zsadbench.engine.results": ("Results",),
    "zsadbench.predict.detector": ("LoadedMethod",),
    "zsadbench.errors": ("CellError", "DataError", "UsageError", "WeightsError", "ZsadError"),
    "zsadbench.records.record": ("read_results",),
}

__all__ = [
    "CellError",
    "DataError",
    "Dataset",
    "LoadedMethod",
    "Reporter",
    "Results",
    "Scores",
    "UsageError",
    "WeightsError",
    "ZsadError",
    "__version__",
    "load_dataset",
    "load_method",
    "read_results",
    "run",
    "score",
]


def __getattr__(name: str) -> Any:
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(module), name)
    if name == "metrics":
        return import_module("zsadbench.metrics")
    raise AttributeError(f"module 'zsadbench' has no attribute '{name}'")

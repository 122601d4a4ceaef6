"""All implementations of pixel metrics, ours included, as functions (maps, masks) → values."""

from collections.abc import Callable
from importlib.metadata import version
from typing import NamedTuple

import numpy as np
from metrics_peers.definitions import Maps, Masks, aupro_by_200_thresholds, aupro_by_sorting

Metrics = dict[str, float]


class Peer(NamedTuple):
    """One implementation: a function of maps and masks; slow ones run once, and on fewer images."""

    name: str
    compute: Callable[[Maps, Masks], Metrics]
    slow: bool = False


def ours(mode: str, bits: int, threads: int) -> Callable[[Maps, Masks], Metrics]:
    """Return our implementation; exact mode refers to the maps of the caller."""

    def compute(maps: Maps, masks: Masks) -> Metrics:
        from zsadbench.metrics import PixelMetrics

        metrics = PixelMetrics(mode=mode, bits=bits, threads=threads, copy=False)  # type: ignore[arg-type]
        metrics.update(maps, masks)
        return {key: metric.value for key, metric in metrics.compute().items() if metric.value is not None}

    return compute


def adeval(maps: Maps, masks: Masks) -> Metrics:
    """ADEval with its default of 1000 strips. It calls `numpy.trapz`, which NumPy 2.4 no longer has."""
    if not hasattr(np, "trapz"):
        np.trapz = np.trapezoid  # type: ignore[attr-defined]
    from adeval import auroc_aupr_aupro

    auroc, ap, aupro = auroc_aupr_aupro(maps, masks)
    return {"auroc": auroc, "ap": ap, "aupro": aupro}


def anomalib(maps: Maps, masks: Masks) -> Metrics:
    """anomalib: AUPRO, AUROC and AUPR."""
    import torch
    from anomalib.metrics.aupr import _AUPR
    from anomalib.metrics.aupro import _AUPRO
    from anomalib.metrics.auroc import _AUROC

    scores, labels = torch.from_numpy(maps), torch.from_numpy(masks).int()
    values = {}
    for key, metric in (("aupro", _AUPRO()), ("auroc", _AUROC()), ("ap", _AUPR())):
        flat = key != "aupro"
        metric.update(scores.flatten() if flat else scores, labels.flatten() if flat else labels)
        values[key] = float(metric.compute())
    return values


def torchmetrics(maps: Maps, masks: Masks) -> Metrics:
    """torchmetrics: AUROC and average precision."""
    import torch
    from torchmetrics.functional.classification import binary_auroc, binary_average_precision

    scores, labels = torch.from_numpy(maps).flatten(), torch.from_numpy(masks).flatten().int()
    return {"auroc": float(binary_auroc(scores, labels)), "ap": float(binary_average_precision(scores, labels))}


def scikit_learn(maps: Maps, masks: Masks) -> Metrics:
    """scikit-learn: AUROC and average precision."""
    from sklearn.metrics import average_precision_score, roc_auc_score

    scores, labels = maps.ravel(), masks.ravel()
    return {"auroc": roc_auc_score(labels, scores), "ap": average_precision_score(labels, scores)}


def fbclip(maps: Maps, masks: Masks) -> Metrics:
    """FB-CLIP's evaluation of pixels: scikit-learn's AUROC, and AUPRO from 200 thresholds."""
    from sklearn.metrics import roc_auc_score

    auroc = roc_auc_score(masks.ravel(), maps.ravel())
    return {"auroc": auroc, "aupro_200": aupro_by_200_thresholds(maps, masks)}


def everyone(threads: int) -> list[Peer]:
    """Return all implementations; the first two are lower bounds: of reading the maps once, and of sorting them."""
    return [
        Peer("one read (numpy.max)", lambda maps, masks: {"": float(maps.max()) + float(masks.max())}),
        Peer("numpy.sort", lambda maps, masks: {"": float(np.sort(maps, axis=None)[0])}),
        *(Peer(f"ours, stream {bits} bits", ours("stream", bits, threads)) for bits in (20, 22, 24)),
        Peer("ours, exact", ours("exact", 24, threads)),
        Peer("ADEval", adeval),
        Peer("MVTec's algorithm", lambda maps, masks: {"aupro": aupro_by_sorting(maps, masks)}, slow=True),
        Peer("anomalib", anomalib, slow=True),
        Peer("torchmetrics", torchmetrics, slow=True),
        Peer("scikit-learn", scikit_learn, slow=True),
        Peer("FB-CLIP's function", fbclip, slow=True),
    ]


def versions() -> dict[str, str]:
    """Return the version of every package, or that it is not installed."""
    installed = {}
    for name in ("zsadbench", "numpy", "numba", "scipy", "adeval", "anomalib", "torchmetrics", "torch", "scikit-learn"):
        try:
            installed[name] = version(name)
        except ImportError:
            installed[name] = "not installed"
    return installed

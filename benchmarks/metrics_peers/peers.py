"""Everyone who computes pixel metrics, ours included, behind one kind of function: (maps, masks) → values."""

from collections.abc import Callable
from importlib.metadata import version
from typing import NamedTuple

import numpy as np
from metrics_peers.definitions import Maps, Masks, aupro_by_200_thresholds, aupro_by_sorting

Values = dict[str, float]


class Peer(NamedTuple):
    """A function of maps and masks, and up to how many images, and how often, it is worth the wait."""

    name: str
    compute: Callable[[Maps, Masks], Values]
    slow: bool = False


def ours(mode: str, bits: int, threads: int) -> Callable[[Maps, Masks], Values]:
    """The metrics core; exact mode refers to the maps that the caller holds."""

    def compute(maps: Maps, masks: Masks) -> Values:
        from zsadbench.metrics import PixelMetrics

        metrics = PixelMetrics(mode=mode, bits=bits, threads=threads, copy=False)  # type: ignore[arg-type]
        metrics.update(maps, masks)
        return {key: one.value for key, one in metrics.compute().items() if one.value is not None}

    return compute


def adeval(maps: Maps, masks: Masks) -> Values:
    """ADEval with its default of 1000 strips. It calls `numpy.trapz`, which NumPy 2.4 no longer has."""
    if not hasattr(np, "trapz"):
        np.trapz = np.trapezoid  # type: ignore[attr-defined]
    from adeval import auroc_aupr_aupro

    auroc, ap, aupro = auroc_aupr_aupro(maps, masks)
    return {"auroc": auroc, "ap": ap, "aupro": aupro}


def anomalib(maps: Maps, masks: Masks) -> Values:
    """AUPRO, AUROC and AUPR of anomalib."""
    import torch
    from anomalib.metrics.aupr import _AUPR
    from anomalib.metrics.aupro import _AUPRO
    from anomalib.metrics.auroc import _AUROC

    scores, labels = torch.from_numpy(maps), torch.from_numpy(masks).int()
    found = {}
    for key, metric in (("aupro", _AUPRO()), ("auroc", _AUROC()), ("ap", _AUPR())):
        flat = key != "aupro"
        metric.update(scores.flatten() if flat else scores, labels.flatten() if flat else labels)
        found[key] = float(metric.compute())
    return found


def torchmetrics(maps: Maps, masks: Masks) -> Values:
    """AUROC and average precision of torchmetrics."""
    import torch
    from torchmetrics.functional.classification import binary_auroc, binary_average_precision

    scores, labels = torch.from_numpy(maps).flatten(), torch.from_numpy(masks).flatten().int()
    return {"auroc": float(binary_auroc(scores, labels)), "ap": float(binary_average_precision(scores, labels))}


def scikit_learn(maps: Maps, masks: Masks) -> Values:
    """scikit-learn's AUROC and average precision."""
    from sklearn.metrics import average_precision_score, roc_auc_score

    scores, labels = maps.ravel(), masks.ravel()
    return {"auroc": roc_auc_score(labels, scores), "ap": average_precision_score(labels, scores)}


def fbclip(maps: Maps, masks: Masks) -> Values:
    """What FB-CLIP's evaluation computes of pixels: scikit-learn's AUROC, and AUPRO from 200 thresholds."""
    from sklearn.metrics import roc_auc_score

    auroc = roc_auc_score(masks.ravel(), maps.ravel())
    return {"auroc": auroc, "aupro_200": aupro_by_200_thresholds(maps, masks)}


def everyone(threads: int) -> list[Peer]:
    """All of them; the first is the floor of whatever reads the maps, the second of whatever sorts them."""
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
    """Versions of everything measured, or that it is not installed."""
    found = {}
    for name in ("zsadbench", "numpy", "numba", "scipy", "adeval", "anomalib", "torchmetrics", "torch", "scikit-learn"):
        try:
            found[name] = version(name)
        except ImportError:
            found[name] = "not installed"
    return found

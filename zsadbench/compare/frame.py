"""The columns of the tidy frame of all numbers, and the headings of its metrics in tables."""

from __future__ import annotations

COLUMNS = [
    *("source", "table", "entry", "method", "variant", "target", "class", "seed", "shots", "metric"),
    *("value", "spread", "protocol", "digest", "aupro", "split", "smoothing", "backbone", "computed_by"),
    *("comparable", "official", "reason", "signature", "note", "fingerprint", "classes", "printed"),
    *("aux", "image_size"),
]
GROUP = ["protocol", "digest", "backbone", "shots"]  # equal in all rows of one comparability group
MEASURED = "measured"
DIGITS = 4  # the least number of digits of a hash that tell copies of a data set, or versions of code, apart
UNKNOWN = "unknown"
AUPRO = {  # metric → variant of AUPRO
    "pixel_aupro": "exact",
    "pixel_aupro_200": "200_minmax",
    "pixel_aupro_200_max": "200_max",
    "pixel_aupro_unknown": UNKNOWN,
}
METRIC_OF_AUPRO = {variant: metric for metric, variant in AUPRO.items()}
HEADINGS = {
    "image_auroc": "I-AUROC",
    "image_ap": "I-AP",
    "image_f1max": "I-F1",
    "pixel_auroc": "P-AUROC",
    "pixel_ap": "P-AP",
    "pixel_f1max": "P-F1",
    "pixel_aupro": "AUPRO",
    "pixel_aupro_200": "AUPRO-200",
    "pixel_aupro_200_max": "AUPRO-200max",
    "pixel_aupro@0.05": "AUPRO@0.05",
    "pixel_segf1": "SegF1",
    "pixel_aupro_unknown": "AUPRO (variant unknown)",
}
COSTS = {  # metrics that papers print of time, memory and sizes
    "inference_time_ms": "time [ms]",
    "inference_time_s": "time [s]",
    "inference_memory_GB": "memory [GB]",
    "training_memory_MiB": "training memory [MiB]",
    "learnable_params": "trained parameters",
    "gflops": "GFLOPs",
}


def set_of(target: str, fingerprint: str) -> str:
    """The name of the data set that a measured `target` is a copy of: without the digits that tell copies apart.

    >>> set_of("visa (3f9a)", "3f9a77"), set_of("visa", "3f9a77"), set_of("folder:cups (blue)", "3f9a77")
    ('visa', 'visa', 'folder:cups (blue)')
    """
    name, _, digits = target.rpartition(" (")
    return name if name and len(digits) > DIGITS and fingerprint.startswith(digits.removesuffix(")")) else target


def is_cost(metric: str) -> bool:
    """Whether `metric` is a time, a size or a count rather than an accuracy.

    >>> is_cost("inference_time_ms"), is_cost("image_auroc")
    (True, False)
    """
    return not metric.startswith(("image_", "pixel_"))


def printed(value: float, decimals: int = 1) -> float:
    """A fraction as tables print it, in percent with one decimal. Numbers tie when they are printed alike.

    >>> printed(0.92449), printed(0.92449, 2)
    (92.4, 92.45)
    """
    return float(f"{100 * value:.{decimals}f}")

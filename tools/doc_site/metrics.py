"""The page of the metrics: every name that records know, with the docstring of its chapter."""

import inspect

from doc_site.markdown import code, prose, table

HEAD = """# Names of metrics

A name is a level, a metric and, for AUPRO, a limit. [Metrics](../metrics.md) explains them, and [why numbers
differ](../why-numbers-differ.md) shows how far definitions lie apart.
"""
SETTINGS = {
    "`image_auroc@sample`, `image_auroc@sample_mean`": "the images of one object count as one, by their largest"
    " score or by their mean; likewise `image_ap` and `image_f1max`",
    "`image_auroc@pooled`, `pixel_auroc@pooled`": "all classes of a target ranked on one scale; likewise `ap`, `f1max`",
    "`image_f1@aux`, `pixel_f1@aux`": "F1 at the threshold that is best on the auxiliary set",
    "`pixel_segf1`": "F1 of pixels at a threshold from normal validation images",
    "`pixel_aupro@0.05`": "AUPRO up to another false positive rate; likewise the variants of 200 thresholds",
}


def page() -> str:
    """The Markdown of the page."""
    from zsadbench.metrics import variants
    from zsadbench.metrics.names import DEFAULT_NAMES

    functions = _functions()
    rows = []
    for metric in DEFAULT_NAMES:
        base = metric.kind
        function = functions.get(f"{metric.level}_{base}") or functions[base]
        rows.append((code(str(metric)), code(function.__name__), prose(inspect.getdoc(function).split("\n\n")[0])))
    parts = [HEAD, "## In every record", table(["key", "function of `zsadbench.metrics`", "is"], rows)]
    parts += ["## With `--metric`", table(["key", "is"], SETTINGS.items())]
    parts += ["## Variants that `audit` computes", ", ".join(code(name) for name in variants.NAMES) + "."]
    return "\n\n".join(parts) + "\n"


def _functions():
    from zsadbench import metrics

    return {
        "image_auroc": metrics.image_auroc,
        "pixel_auroc": metrics.pixel_auroc,
        "ap": metrics.average_precision,
        "f1max": metrics.f1_max,
        "aupro": metrics.aupro,
        "aupro_200": metrics.aupro_200,
        "aupro_200_max": metrics.aupro_200_max,
    }

"""The page of the Python API: signatures and docstrings by mkdocstrings, arguments of requests from their flags."""

from dataclasses import MISSING, fields

from doc_site.markdown import code, prose, table

HEAD = """# Python

`import zsadbench` imports neither torch nor pandas; names are loaded when they are first used. The functions take the
same values as the commands and raise the errors of [`zsadbench.errors`](#errors).

## Functions

::: zsadbench.api.run

::: zsadbench.api.score

::: zsadbench.api.load_method

::: zsadbench.api.load_dataset

::: zsadbench.records.record.read_results
"""
TAIL = """## Results

::: zsadbench.engine.results.Results

## Callbacks

[Python for notebooks](../notebooks.md#callbacks) has an example.

::: zsadbench.engine.drive.reporter.Reporter

## A data set

::: zsadbench.data.copies.dataset.Dataset

## A loaded method

::: zsadbench.predict.detector.LoadedMethod

## Scores and strips of pictures

::: zsadbench.detectors.Scores

::: zsadbench.display.strip.Strip

## Metrics

NumPy alone; see [what each metric is](../metrics.md).

::: zsadbench.metrics
    options:
      members: [image_auroc, pixel_auroc, average_precision, f1_max, aupro, aupro_200, aupro_200_max, image_metrics,
        PixelMetrics, ClassMetrics, Estimate, BootstrapCounts, RegionOverlaps]

## Contract of methods

[The page of the contract](../contract.md) has examples.

::: zsadbench.types

## The backbone of a method

[The table of the contract](../contract.md#the-backbone) says which parts methods read.

::: zsadbench.clip.backbone.Backbone

## Reports

::: zsadbench.compare
    options:
      members: [Report, Board, contents_of]

## Errors

::: zsadbench.errors
    options:
      members: [ZsadError, UsageError, DataError, WeightsError, CellError]
"""


def page() -> str:
    """The Markdown of the page."""
    from zsadbench.engine.plan.request import RunRequest
    from zsadbench.saved_maps.request import ScoreRequest

    arguments = [
        f"### Arguments of `zsadbench.{name}`\n\n{_arguments(request)}"
        for name, request in (("run", RunRequest), ("score", ScoreRequest))
    ]
    return "\n\n".join([HEAD, *arguments, TAIL])


def _arguments(request):
    from zsadbench.flags.fields import flags_of

    flags = flags_of(request)
    rows = [
        (code(entry.name), code(_default(entry)), prose(flags[entry.name].help) if entry.name in flags else "–")
        for entry in fields(request)
    ]
    return table(["argument", "default", "is"], rows)


def _default(entry):
    if entry.default is not MISSING:
        return repr(str(entry.default) if hasattr(entry.default, "parts") else entry.default)
    return "" if entry.default_factory is MISSING else repr(entry.default_factory())

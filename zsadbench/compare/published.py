"""Numbers printed in papers, read from `zsadbench/published/NAME.csv`; `papers.toml` describes the papers.

Every number has the protocol, AUPRO variant, split, smoothing and backbone that it was computed with, and who computed
it: `original` (the authors of the method), `copied from PAPER` or `re-run by PAPER`. Each field is `unknown` where the
paper does not say. The split `card` is the one that the data set's card evaluates: the official test part, or all
images where there is none. Smoothing is the sigma of a Gaussian in pixels of the evaluated map.
"""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any

import pandas as pd

from zsadbench.compare.frame import COLUMNS, METRIC_OF_AUPRO, is_cost

PRECISION = 10  # decimals of a fraction, more than any paper prints, without the last bits of a division


@cache
def papers() -> dict[str, dict[str, Any]]:
    """The content of `papers.toml`: short name of a paper → `title`, `venue`, `year`, `label` and `tables`."""
    return tomllib.loads(files("zsadbench").joinpath("published/papers.toml").read_text(encoding="utf-8"))


def read_published() -> pd.DataFrame:
    """All published numbers, with the columns of `frame.COLUMNS`: accuracies as fractions, costs as printed."""
    return pd.concat([_read(name) for name in papers()], ignore_index=True)


def _read(paper: str) -> pd.DataFrame:
    with files("zsadbench").joinpath(f"published/{paper}.csv").open(encoding="utf-8") as opened:
        frame = pd.read_csv(opened, dtype=str, keep_default_na=False)
    scale = frame["metric"].map(is_cost).map({True: 1.0, False: 100.0})
    frame["printed"] = frame["value"]
    frame["value"] = (frame["value"].astype("float64") / scale).round(PRECISION)
    frame["spread"] = (pd.to_numeric(frame["spread"]) / scale).round(PRECISION)
    frame["metric"] = [
        METRIC_OF_AUPRO[aupro] if metric == "pixel_aupro" else metric
        for metric, aupro in zip(frame["metric"], frame["aupro"], strict=True)
    ]
    frame = frame.rename(columns={"label": "entry"})
    frame["source"] = paper
    frame[["digest", "seed", "reason", "signature", "fingerprint", "classes"]] = ""
    frame[["comparable", "official"]] = [True, False]
    return frame[COLUMNS]

"""Numbers as papers print them, paper by paper: `zsadbench/published/NAME.csv`, described in `papers.toml`.

Every number carries the protocol, AUPRO variant, split, smoothing and backbone that made it, and who computed
it: `original` (the paper's own method), `copied from PAPER`, `re-run by PAPER`; `unknown` where nobody says.
The split `card` is the one that the data set's card evaluates: the official test part, or every image where
there is no such part. Smoothing is the sigma of a Gaussian in pixels of the evaluated map.
"""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any

import pandas as pd

from zsadbench.compare.frame import COLUMNS, UNKNOWN, is_cost

PRINTED = {
    "pixel_aupro": {
        "exact": "pixel_aupro",
        "200_minmax": "pixel_aupro_200",
        "200_max": "pixel_aupro_200_max",
        UNKNOWN: "pixel_aupro_unknown",
    }
}


@cache
def papers() -> dict[str, dict[str, Any]]:
    """What `papers.toml` says of each paper: short name → `title`, `venue`, `year`, `label`, `tables`."""
    return tomllib.loads(files("zsadbench").joinpath("published/papers.toml").read_text(encoding="utf-8"))


def read_published() -> pd.DataFrame:
    """All published numbers in the columns of `frame.COLUMNS`; accuracies as fractions, costs as printed."""
    return pd.concat([_read(name) for name in papers()], ignore_index=True)


def _read(paper: str) -> pd.DataFrame:
    with files("zsadbench").joinpath(f"published/{paper}.csv").open(encoding="utf-8") as opened:
        found = pd.read_csv(opened, dtype=str, keep_default_na=False)
    cost = found["metric"].map(is_cost)
    scale = cost.map({True: 1.0, False: 100.0})
    found["value"] = found["value"].astype("float64") / scale
    found["spread"] = pd.to_numeric(found["spread"]) / scale
    found["metric"] = [
        PRINTED.get(metric, {}).get(aupro, metric)
        for metric, aupro in zip(found["metric"], found["aupro"], strict=True)
    ]
    found = found.rename(columns={"label": "entry"})
    found[["source", "digest", "seed", "reason", "signature"]] = [paper, "", "", "", ""]
    found[["comparable", "official"]] = [True, False]
    return found[COLUMNS]

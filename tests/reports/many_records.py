"""480 records of generated numbers: ten methods on sixteen data sets with three seeds, and scores of their images."""

from itertools import product

import numpy as np
import pandas as pd

from zsadbench.records import record_path, write_record

METHODS = ("fbclip", "afclip", "anomalyclip", "aaclip", "adaclip", "aprilgan", "winclip", "faprompt", "mfpclip", "clip")
SETS = {
    "mvtec": 15, "visa": 12, "btad": 3, "mpdd": 6, "dagm": 10, "dtd": 12, "realiad": 30, "tn3k": 1,
    "headct": 1, "brainmri": 1, "br35h": 1, "isic": 1, "colondb": 1, "clinicdb": 1, "kvasir": 1, "endo": 1,
}  # fmt: skip
COUNTS = {0: 30, 1: 40}  # images of a class by label


def write_many(folder, make_record, seeds=(0, 1, 2)):
    """Write the records below `folder`; methods are in the order of their true quality, with noise."""
    rng = np.random.default_rng(0)
    for (place, method), (target, classes), seed in product(enumerate(METHODS), SETS.items(), seeds):
        names = [f"class{number:02}" for number in range(classes)]
        levels = np.clip(0.93 - 0.02 * place + rng.normal(0, 0.02, classes), 0.4, 0.999)
        values = {
            name: {
                metric: float(np.clip(level - drop, 0, 1))
                for metric, drop in (("image_auroc", 0), ("image_ap", 0.01), ("pixel_auroc", -0.02), ("pixel_aupro", 0.1))
            }
            for name, level in zip(names, levels, strict=True)
        }
        record = make_record(method, target, values, seed=seed)
        record.cost = {"seconds": {"tower": 10.0 + place}, "images": {"all": 100}, "shared": False}
        record.provenance = {"device": "a device", "finished": "2026-11-20T10:00:00+00:00"}
        path = record_path(folder, record.cell)
        write_record(path, record, _images(names, levels, rng))
    return folder


def _images(names, levels, rng):
    """One row per image; the classes overlap less where the level is higher."""
    label = np.repeat(list(COUNTS), list(COUNTS.values()))
    frames = [
        pd.DataFrame({
            "path": [f"{name}/{number:03}.png" for number in range(len(label))],
            "class": name, "label": label, "defect": np.where(label, "dent", "good"),
            "score": rng.normal(label * 4 * (level - 0.5), 0.5).astype(np.float32),
        })
        for name, level in zip(names, levels, strict=True)
    ]  # fmt: skip
    return pd.concat(frames, ignore_index=True)

"""The tables: methods on `demo` under the strict protocols, with saved maps, and these maps by other definitions."""

from math import fsum

import numpy as np

import zsadbench
from zsadbench.metrics import image_auroc
from zsadbench.records import map_path, read_images
from zsadbench.saved_maps.metric_audit import make_variants_plan, mean_values, measure_variants, ranking_flips
from zsadbench.saved_maps.request import ScoreRequest

METHODS = ("clip", "winclip", "fbclip")
PROTOCOLS = ("strict", "strict-raw", "strict-native")
SIGMAS = (0, 1, 2, 4, 8)


def tables(wanted):
    """The five tables as Markdown; `wanted` has `out`, a folder for records and maps, and a run's `limit` and `aux`."""
    records = {(name, protocol): run(wanted, name, protocol) for protocol in PROTOCOLS for name in METHODS}
    strict = {name: records[name, "strict"] for name in METHODS}
    yield "### The protocol\n\n" + protocols(records)
    yield "### The name of the metric\n\n" + variants(strict)
    yield "### The smoothing of the maps\n\n" + smoothing(
        wanted, {name: records[name, "strict-raw"] for name in METHODS}
    )
    yield "### The score of an image\n\n" + image_scores(strict)
    yield "### The mean over classes\n\n" + averages(strict)


def run(wanted, name, protocol):
    """Path and record of one method under one protocol, with maps."""
    results = zsadbench.run(
        methods=[name],
        targets=["demo"],
        protocol=protocol,
        limit=wanted.limit,
        aux=wanted.aux,
        out=wanted.out / "results",
        save_maps=True,
        metrics=["image_auroc@pooled", "pixel_auroc@pooled"],
    )
    ((path, record),) = results.records
    return path, record


def protocols(records):
    """Means under each protocol."""
    keys = ("pixel_auroc", "pixel_aupro", "pixel_ap", "image_auroc")
    rows = [
        [f"`{protocol}`", f"`{name}`", *(percent(record.mean()[0][key]) for key in keys)]
        for (name, protocol), (_, record) in records.items()
    ]
    return table(["protocol", "method", "pixel AUROC", "AUPRO", "pixel AP", "image AUROC"], rows)


def variants(strict):
    """Every variant of the same maps, as means over the classes in which it is defined, and the pairs that it flips."""
    folders = [path.with_suffix(".maps") for path, _ in strict.values()]
    measured = list(measure_variants(make_variants_plan(folders, ScoreRequest(folders[0], ""))))
    found = {name: mean_values(measured, name) for name in strict}
    flips: dict[str, list[str]] = {}
    for flip in ranking_flips(measured):
        where = "the mean" if flip.leads[1] < 0 else f"{len(flip.classes)} of {len(measured)} classes"
        flips.setdefault(flip.variant, []).append(f"{flip.first} and {flip.second} in {where}")
    rows = []
    for key in found["clip"][0]:
        values = [of_classes(*(part[key] for part in found[name]), len(measured)) for name in strict]
        rows.append([f"`{key}`", *values, "; ".join(flips.get(key, [])) or "–"])
    return table(["key", *(f"`{name}`" for name in strict), "order differs from the exact one"], rows)


def of_classes(value, defined, classes):
    """A mean in percent; of how many classes, where it is not all."""
    return percent(value) + ("" if defined == classes or value is None else f" ({defined} of {classes} classes)")


def smoothing(wanted, raw):
    """Metrics of the raw maps after Gaussians of several widths."""
    from scipy.ndimage import gaussian_filter

    rows = []
    for name, (path, _) in raw.items():
        folder = path.with_suffix(".maps")
        for sigma in SIGMAS:
            out = wanted.out / "smoothed" / f"{name}-sigma-{sigma}"
            for source in sorted(folder.rglob("*.npy")):
                target = out / source.relative_to(folder)
                target.parent.mkdir(parents=True, exist_ok=True)
                values = np.load(source)
                np.save(target, gaussian_filter(values, sigma) if sigma else values)
            scored = zsadbench.score(out, "demo", method_name=out.name, limit=wanted.limit, out=wanted.out / "scored")
            mean = scored.records[0][1].mean()[0]
            rows.append([f"`{name}`", str(sigma), percent(mean["pixel_auroc"]), percent(mean["pixel_aupro"])])
    return table(["method", "sigma in pixels", "pixel AUROC", "AUPRO"], rows)


def image_scores(strict):
    """Image AUROC by four rules."""
    rules = {
        "as published": lambda score, _: score,
        "maximum of the map": lambda _, values: values.max(),
        "mean of the top 1 %": lambda _, values: np.sort(values, axis=None)[-max(1, values.size // 100) :].mean(),
        "mean of the map": lambda _, values: values.mean(),
    }
    rows = []
    for name, (path, _) in strict.items():
        images = read_images(path)
        maps = [np.load(map_path(path.with_suffix(".maps"), relative)) for relative in images["path"]]
        means = []
        for rule in rules.values():
            scores = np.array([rule(score, values) for score, values in zip(images["score"], maps, strict=True)])
            of_class = [
                image_auroc(scores[images["class"] == kind], images["label"][images["class"] == kind].to_numpy())
                for kind in images["class"].unique()
            ]
            means.append(percent(fsum(of_class) / len(of_class)))
        rows.append([f"`{name}`", *means])
    return table(["image AUROC", *rules], rows)


def averages(strict):
    """Means over classes beside all classes on one scale."""
    keys = ("image_auroc", "image_auroc@pooled", "pixel_auroc", "pixel_auroc@pooled")
    rows = [[f"`{name}`", *(percent(record.mean()[0][key]) for key in keys)] for name, (_, record) in strict.items()]
    return table(["", *(f"`{key}`" for key in keys)], rows)


def percent(value):
    """A fraction as percent with one decimal."""
    return "undefined" if value is None else f"{100 * value:.1f}"


def table(header, rows):
    """A Markdown table."""
    return "\n".join(f"| {' | '.join(line)} |" for line in [header, ["---"] * len(header), *rows])

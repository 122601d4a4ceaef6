"""The glossary of the page: every metric, mark, column, protocol, method and data set, explained in a sentence or two."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from zsadbench.compare import Board
from zsadbench.compare.frame import HEADINGS
from zsadbench.compare.labels import entry_label, method_label, protocol_text

AUROC = "Area under the ROC curve: the chance that an anomalous {0} scores higher than a normal one. 50 is guessing."
AP = "Average precision: the area under precision over recall of {0}s. Guessing scores the share of anomalous {0}s."
F1 = "The largest F1 over all thresholds, the harmonic mean of precision and recall of {0}s."
PRO = "Mean overlap with the defects of a region-wise ROC curve, up to a false positive rate of 0.3, divided by that. "
METRICS = {
    "image_auroc": AUROC.format("image"),
    "image_ap": AP.format("image"),
    "image_f1max": F1.format("image"),
    "pixel_auroc": AUROC.format("pixel"),
    "pixel_ap": AP.format("pixel"),
    "pixel_f1max": F1.format("pixel"),
    "pixel_aupro": f"{PRO}Exact: every map value is a threshold. Every region counts the same, whatever its size.",
    "pixel_aupro_200": f"{PRO}From 200 thresholds between the smallest and the largest map value, as published code has it.",
    "pixel_aupro_200_max": f"{PRO}From 200 thresholds up to the largest map value, as some published code has it.",
    "pixel_aupro_unknown": f"{PRO}The paper does not say which variant it prints.",
    "aupro": f"{PRO}In each table the variant of its own protocol; papers print all variants under this name.",
}
MARKS = {
    "best": ("bold", "The best comparable number of its table; numbers tie where they are printed alike."),
    "second": ("underlined", "The second best comparable number of its table."),
    "apart": ("†", "Not comparable: the run was limited or partial, its data synthetic, its weights random, or it may have "
              "seen the test data. The number has no mark and is in no mean, rank or test."),
    "spread": ("±", "Standard deviation over seeds, in points, with n − 1 in the denominator."),
    "none": ("–", "No number: not measured, or undefined for the reason given in the notes of the table."),
    "measured": ("measured", "Computed here by zsadbench, from a record whose signature is in the notes of the table."),
    "published": ("published", "Printed in a paper and copied from there; not computed here."),
}  # fmt: skip
Columns = dict[str, tuple[str, str, tuple[str, ...]]]
COLUMNS: Columns = {  # term → title, text, other headings of the same meaning
    "rank": ("rank", "Place by the mean over the common data sets; equal printed means share the better rank.", ()),
    "interval": ("rank interval", "The ranks that the data allow: from 1 + the methods that are significantly better, to all "
                 "but those that are significantly worse (Wilcoxon's test over data sets, Holm's correction, 5 %). With fewer "
                 "than six data sets there is no test and every rank is possible.", ("possible ranks",)),
    "method": ("method", "A method with the settings in which its runs differ, in brackets.", ("methods", "method and data set")),
    "mean": ("mean", "Unweighted mean over the data sets that all ranked methods have; over classes in a table by class.", ()),
    "average-rank": ("average rank", "Mean of the ranks on the single data sets; 1 is best.", ("mean rank",)),
    "data-set": ("data set", "A benchmark of images with and without defects, or your own images.", ("data sets",)),
    "class": ("class", "One kind of object or texture of a data set.", ()),
    "part": ("part", "A subset of images or regions, such as a type of defect or a quarter of the areas.", ()),
    "images": ("images", "The number of images that have the part.", ()),
    "prevalence": ("anomalous pixels [%]", "The share of anomalous pixels of the part, which is what guessing scores in P-AP.",
                   ("prevalence", "prevalence [%]")),
    "difference": ("difference", "Mean difference in points over the common data sets, first method minus second.", ()),
    "ci": ("95 % interval", "The middle 95 % of a paired bootstrap over data sets, classes, images and seeds.", ()),
    "p": ("p (Wilcoxon, Holm)", "How likely so large a difference is by chance: Wilcoxon's signed-rank test over data sets, "
          "corrected for the number of pairs by Holm.", ("p",)),
    "apart-from": ("not told apart from", "Methods whose mean ranks differ by less than the critical difference.", ()),
    "metric": ("metric", "What is measured; each metric has its own entry.", ()),
    "printed": ("printed", "The number as the paper prints it.", ("printed in",)),
    "gap": ("gap", "Measured minus published, in points.", ()),
    "verdict": ("verdict", "Agrees: within 0.3 points or two standard deviations over seeds. Drifts: further apart. Not "
                "comparable: the two were not computed in the same way.", ()),
    "milliseconds": ("ms per image", "Time for one image through encoder, head and map, without loading and metrics.",
                     ("inference [ms]", "inference [s]", "time")),
    "tower": ("of which tower", "The part of the time spent in the frozen CLIP encoder, which methods can share.", ()),
    "training": ("training [s]", "Time of the training on the auxiliary set.", ()),
    "host": ("host [MiB]", "Largest memory of the process.", ()),
    "device-memory": ("device [MiB]", "Largest memory on the accelerator.", ("memory",)),
    "parameters": ("trained parameters", "Number of values that training changes; the CLIP encoder is frozen.", ("parameters",)),
    "device": ("device", "The processor that the run used.", ()),
    "pass": ("bad parts that pass", "Anomalous images whose score is not above the threshold: misses.", ("misses",)),
    "alarms": ("good parts flagged", "Normal images whose score is above the threshold: false alarms.", ("false alarms",)),
    "threshold": ("threshold", "An image whose score is above it is an alarm. Each class has its own.", ()),
    "win": ("better / equal / worse", "The number of data sets on which the method of the row is better than that of the "
            "column, printed alike, or worse, among comparable numbers.", ()),
}  # fmt: skip


class Entry(NamedTuple):
    """One entry: its id without the prefix `term-`, title, text, and links as (title, address)."""

    term: str
    title: str
    text: str
    links: tuple[tuple[str, str], ...] = ()


class Glossary(NamedTuple):
    """The entries by heading of their group, and the entry of every heading of a table and of every method."""

    groups: Mapping[str, Sequence[Entry]]
    of_heading: Mapping[str, str]
    of_method: Mapping[str, str]

    def term_of(self, heading: str) -> str:
        """The entry of a heading or, where it has none, of the metric or data set that it begins or ends with."""
        if heading in self.of_heading:
            return self.of_heading[heading]
        found = (term for title, term in self.of_heading.items() if title and re.search(rf"\b{re.escape(title)}\b", heading))
        return next(found, "")


def glossary(board: Board, groups: Sequence[Mapping[str, Any]]) -> Glossary:
    """The glossary for the `groups` of the payload: what they mention, and all columns and marks."""
    metrics = [Entry(name, HEADINGS.get(name, "AUPRO"), text) for name, text in METRICS.items()]
    protocols = dict.fromkeys(name for group in groups for row in group["rows"] for name in row["protocols"])
    methods = {row["name"]: row["method"] for group in groups for row in group["rows"]}
    numbers = {method: f"method-{number}" for number, method in enumerate(dict.fromkeys(methods.values()))}
    targets = board.ordered([target for group in groups for target in group["targets"]])
    sets = {target: f"set-{number}" for number, target in enumerate(targets)}
    entries = {
        "Metrics": metrics,
        "Marks": [Entry(term, title, text) for term, (title, text) in MARKS.items()],
        "Columns": [Entry(term, title, text) for term, (title, text, _) in COLUMNS.items()],
        "Protocols": [
            Entry(f"protocol-{name}", name, protocol_text(name) or "The paper does not say how it evaluates.")
            for name in protocols
            if name
        ],
        "Methods": [_method(term, method) for method, term in numbers.items()],
        "Data sets": [_data_set(board, term, target) for target, term in sets.items()],
    }
    of_heading = {title: term for term, (title, _, others) in COLUMNS.items() for title in (title, *others)}
    of_heading |= {title: metric for metric, title in HEADINGS.items()} | {"measured": "measured", "published": "published"}
    of_heading |= {board.dataset(target).title: term for target, term in sets.items()}
    of_heading |= {name: numbers[method] for name, method in methods.items()}
    of_heading |= {entry_label(name, method): numbers[method] for name, method in methods.items()}
    return Glossary(entries, of_heading, numbers)


def _method(term: str, method: str) -> Entry:
    label = method_label(method)
    links = tuple((title, url) for title, url in (("paper", label.paper), ("code", label.code)) if url)
    return Entry(term, label.name, f"{label.venue}." if label.venue else "A method without a known paper.", links)


def _data_set(board: Board, term: str, target: str) -> Entry:
    found = board.dataset(target)
    return Entry(term, found.title, f"{found.domain}.", (("data set", found.homepage),) if found.homepage else ())


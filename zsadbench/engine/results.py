"""The results of a run: its records, what failed, and how both are shown in a notebook."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from zsadbench.data import read_image, read_mask
from zsadbench.display import html
from zsadbench.display.strip import Row, Strip, map_row, mask_picture, small
from zsadbench.errors import DataError, UsageError
from zsadbench.printing import score_text
from zsadbench.records import Record, map_path, read_images, tidy

if TYPE_CHECKING:
    from PIL.Image import Image

    from zsadbench.data import Dataset

KEYS = ("method", "target", "seed", "shots")  # of a record, in every frame
IMAGES = ("method", "target", "class", "seed", "shots", "path", "label", "defect", "score", "seconds", "record")
LABELS = ("normal", "anomalous")
MAPS = ".maps"  # the ending of the folder of the maps of a record
RecordAt = tuple[Path, Record]


@dataclass
class Results:
    """The results of a run; a notebook shows the means of each method on each target.

    Attributes:
        records: the path of each record and the record, in the order of the plan.
        finished: the number of records that this run completed.
        skipped: the number of those that were complete before.
        failures: what failed, one line each.
        failed: the number of records that a failure left incomplete.
        targets: the path of each record → the data set that it was evaluated on.
        callback_failures: callbacks that raised, one line each; they cost nothing else.
    """

    records: list[RecordAt] = field(default_factory=list)
    finished: int = 0
    skipped: int = 0
    failures: list[str] = field(default_factory=list)
    failed: int = 0
    targets: dict[Path, Dataset] = field(default_factory=dict, repr=False)
    callback_failures: list[str] = field(default_factory=list)

    def frame(self) -> pd.DataFrame:
        """Return one row per method, target, class, seed, shots and metric, as `zsadbench.read_results` does.

        Returns:
            A frame with the columns `method`, `target`, `class`, `seed`, `shots`, `metric`, `value`, `reason`,
            `comparable`, `signature`, `path`. The class `mean` is the mean over classes; `value` is a fraction, or NaN
            with its `reason`; `path` is that of the record.
        """
        return tidy(self.records)

    def table(self) -> pd.DataFrame:
        """Return the means over classes, one row per record.

        Returns:
            A frame with the columns `method`, `target`, `seed`, `shots`, `comparable`, `record`, and one column per
            metric of any record: a fraction, or NaN where the mean is undefined or the record lacks the metric (the
            reason is in `frame`). `record` is the path.
        """
        rows = [
            {**_keys(record), "comparable": record.comparable, "record": str(path), **record.mean()[0]}
            for path, record in self.records
        ]
        columns = dict.fromkeys([*KEYS, "comparable", "record", *(name for row in rows for name in row)])
        frame = pd.DataFrame(rows, columns=list(columns))
        return frame.astype(dict.fromkeys(list(columns)[len(KEYS) + 2 :], "float64"))

    def images(self) -> pd.DataFrame:
        """Return the image scores, one row per record and test image.

        Returns:
            A frame with the columns `method`, `target`, `class`, `seed`, `shots`, `path`, `label`, `defect`, `score`,
            `seconds`, `record`. `path` is that of the image below the folder of the data set; `label` is 0 for normal
            and 1 for anomalous; `score` is on the scale of the method; `seconds` is the share of the image in the time
            of its batch; `record` is the path of the record.
        """
        frames = [frame for path, record in self.records if (frame := _images_of(path, record)) is not None]
        empty = pd.DataFrame({name: pd.Series(dtype=object) for name in IMAGES})
        return pd.concat(frames, ignore_index=True) if frames else empty

    def strip(
        self,
        number: int = 6,
        *,
        method: str | None = None,
        target: str | None = None,
        class_name: str | None = None,
        label: int | None = None,
    ) -> Strip:
        """Draw the images with the highest scores: image, mask, and the anomaly map of each record.

        The images are chosen by the scores of the first record. Each record has one row of maps over the images, with
        a colour range of its own, from the median to the largest value of these maps.

        Args:
            number: of images, the strangest first.
            method: only the records of this method.
            target: only the records on this target; needed where there are several.
            class_name: only images of this class.
            label: only normal images (0) or anomalous ones (1).

        Raises:
            UsageError: no record or no image is left, there are several targets, or no map was saved by the run; with
                `save_maps=True` it saves them.
            DataError: a saved map cannot be read.
        """
        chosen = self._chosen(method, target)
        images = _images_of(*chosen[0])
        images = pd.DataFrame({name: [] for name in IMAGES}) if images is None else images
        if class_name is not None:
            images = images[images["class"] == class_name]
        if label is not None:
            images = images[images["label"] == label]
        images = images.sort_values("score", ascending=False, kind="stable").head(max(1, number))
        if images.empty:
            raise UsageError("no image of the record is of this class and label")
        pictures, masks = _photographs(images["path"].tolist(), self.targets.get(chosen[0][0]))
        rows = [_maps_row(path, name, images["path"].tolist(), pictures) for (path, _), name in _named(chosen)]
        shown = [Row("image", tuple(pictures)), Row("mask", tuple(masks)), *rows]
        facts = zip(images["path"], images["label"].astype(int), images["score"].astype(float), strict=True)
        captions = [f"{path}\n{LABELS[label_of]}, {score_text(score)}" for path, label_of, score in facts]
        scored_by = f"the highest image scores of {_named(chosen)[0][1]}, which stand below the images"
        return Strip(tuple(row for row in shown if any(row.pictures)), tuple(captions), (scored_by,))

    def _chosen(self, method: str | None, target: str | None) -> list[RecordAt]:
        """Return the records of one target that have maps.

        Raises:
            UsageError: as `strip`.
        """
        chosen = [
            (path, record)
            for path, record in self.records
            if method in {None, record.cell["method"]} and target in {None, record.cell["target"]["name"]}
        ]
        names = list(dict.fromkeys(record.cell["target"]["name"] for _, record in chosen))
        if not chosen:
            raise UsageError("these results have no record of this method and target")
        if len(names) > 1:
            raise UsageError(f"these results are on several targets; pass target= one of {', '.join(names)}")
        with_maps = [each for each in chosen if each[0].with_suffix(MAPS).is_dir()]
        if not with_maps:
            raise UsageError("no anomaly maps lie beside these records; zsadbench.run with save_maps=True saves them")
        return with_maps

    def _repr_html_(self) -> str:
        """Show one table of means per target, in percent, with the reason of each undefined value, and what failed."""
        if not (self.records or self.failures or self.callback_failures):
            return html.notes(["no results"])
        targets = dict.fromkeys(record.cell["target"]["name"] for _, record in self.records)
        of_target = {
            name: [each for each in self.records if each[1].cell["target"]["name"] == name] for name in targets
        }
        tables = [_means_html(name, records) for name, records in of_target.items()]
        counts = [f"{number} {what}" for what, number in self._counts() if number]
        failed = [f"failed: {line}" for line in (*self.failures, *self.callback_failures)]
        return "".join(tables) + html.notes([*filter(None, [", ".join(counts)]), *failed])

    def _counts(self) -> Iterator[tuple[str, int]]:
        yield "finished", self.finished
        yield "complete before", self.skipped
        yield "incomplete after a failure", self.failed


def _keys(record: Record) -> dict[str, Any]:
    cell = record.cell
    return {"method": cell["method"], "target": cell["target"]["name"], "seed": cell["seed"], "shots": cell["shots"]}


def _images_of(path: Path, record: Record) -> pd.DataFrame | None:
    """Return the rows of `Results.images` of one record; None if its table of images cannot be read."""
    images = read_images(path)
    return None if images is None else images.assign(**_keys(record), record=str(path)).reindex(columns=list(IMAGES))


def _named(records: Sequence[RecordAt]) -> list[tuple[RecordAt, str]]:
    """Name each record of one target: its method, with what tells records of the same method apart."""
    keys = [(record.cell["method"], record.cell["seed"], record.cell["shots"]) for _, record in records]
    named = []
    for each, (method, seed, shots) in zip(records, keys, strict=True):
        parts = [method]
        parts += [f"{shots} shots"] if shots else []
        parts += [f"seed {seed}"] if len({key[1] for key in keys if key[0] == method}) > 1 else []
        parts += [each[0].stem[:8]] if keys.count((method, seed, shots)) > 1 else []
        named.append((each, ", ".join(parts)))
    return named


def _means_html(target: str, records: Sequence[RecordAt]) -> str:
    """Show the means of the records on one target, with the reasons of undefined ones and of what is not comparable."""
    means = [record.mean() for _, record in records]
    metrics = list(dict.fromkeys(name for values, _, _ in means for name in values))
    rows, reasons = [], dict[str, list[str]]()
    for (_, name), (_, record), (values, _, why) in zip(_named(records), records, means, strict=True):
        cells: list[str | html.Cell] = [f"{name}{'' if record.comparable else ' †'}"]
        for metric in metrics:
            value, reason = values.get(metric), why.get(metric, "not among the metrics of this record")
            cells.append(html.Cell("–", reason) if value is None else html.Cell(f"{100 * value:.1f}"))
            if value is None:
                reasons.setdefault(f"– {name}: {reason}", []).append(metric)
        rows.append(cells)
    doubts = [
        f"† {name}: not comparable ({', '.join(record.not_comparable_because)})"
        for (_, name), (_, record) in zip(_named(records), records, strict=True)
        if not record.comparable
    ]
    why_not = [f"{reason} ({', '.join(names)})" for reason, names in reasons.items()]
    shown = html.table(["method", *metrics], rows)
    return f"{html.heading(f'{target}, means over classes in %')}{shown}{html.notes([*why_not, *doubts])}"


def _photographs(paths: Sequence[str], target: Dataset | None) -> tuple[list[Image | None], list[Image | None]]:
    """Return small pictures of images and of their masks; None for those that cannot be read."""
    images: list[Image | None] = [None] * len(paths)
    masks: list[Image | None] = [None] * len(paths)
    known = {} if target is None else {row.relative: row for row in target.manifest.itertuples(index=False)}
    for place, path in enumerate(paths):
        if target is None or path not in known:
            continue
        row: Any = known[path]
        try:
            images[place] = image = small(read_image(row.path))
            if row.mask:
                masks[place] = mask_picture(read_mask(row.mask, target.card.positive, row.path), image)
        except DataError:
            continue
    return images, masks


def _maps_row(path: Path, name: str, images: Sequence[str], pictures: Sequence[Image | None]) -> Row:
    """Draw the saved maps of a record on these images.

    Raises:
        DataError: a map cannot be read.
    """
    files = [map_path(path.with_suffix(MAPS), image) for image in images]
    return map_row(name, [_read_map(file) if file.is_file() else None for file in files], pictures)


def _read_map(file: Path) -> NDArray[Any]:
    try:
        values: NDArray[Any] = np.load(file, allow_pickle=False)
    except (OSError, ValueError) as failure:
        raise DataError(f"'{file}' is no readable anomaly map: {failure}") from failure
    return values

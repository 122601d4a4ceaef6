"""Layouts as values: how the files of a benchmark are arranged on disk.

There are two kinds: a `FilesLayout` derives class, label and split from the path of each image, by ordered rules; a
`TableLayout` reads them from a CSV or JSON file with one row per image. Two layouts apply to all benchmarks:
AnomalyCLIP's `meta.json`, and, where a benchmark has one class, the folders of MVTec AD. The code that reads files by
a layout is in `zsadbench.data.layouts`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Label = Literal["from_mask", "from_mask_content"] | int | None

# in the order in which they are tried
MASK_EXTENSIONS = (
    *("png", "bmp", "tif", "tiff", "jpg", "jpeg"),
    *("gif", "webp", "pgm", "ppm", "pbm", "pnm", "jp2", "j2k", "jpe", "jfif", "dib"),
)
IMAGE_EXTENSIONS = frozenset(
    {*MASK_EXTENSIONS, "apng", "mpo", "pfm", "jpx", "jpf", "jpc", "j2c", "dcm", "dicom"}
)  # of the formats that are read


@dataclass(frozen=True)
class Rule:
    """One rule of a `FilesLayout`; the first rule that matches a path applies.

    `match` is a path template relative to the root. `{class}`, `{defect}` and `{stem}` stand for one path segment or
    a part of one, and so does `{folder}`, which means nothing; a repeated name must have the same value everywhere. The
    template ends in `{stem}.{ext}`; that of files to ignore in `.{ext}`.

    `label` is 0, 1, `from_mask` (1 if a mask file with a matching name exists, regardless of its content, else 0),
    `from_mask_content` (every image has a mask: 1 if it marks a pixel, else 0; only for archives that state labels
    nowhere else), or None for files to ignore (`ignored` in a card). `masks` are path templates of the mask, tried in
    order: first with their own extension, then with each of `MASK_EXTENSIONS`.
    """

    match: str
    split: str
    label: Label
    masks: tuple[str, ...] = ()


@dataclass(frozen=True)
class FilesLayout:
    """Images whose paths give class, label and split.

    `probe` lists the paths that must exist for the layout to apply; `{class}` stands for any class of the card, and
    `{ext}` for any extension of images. In a folder that is `user_made`, masks may have other names than the rules
    state, where that leaves no doubt.
    """

    name: str
    probe: tuple[str, ...]
    rules: tuple[Rule, ...]
    user_made: bool = False


@dataclass(frozen=True)
class TableLayout:
    """A CSV or JSON file with one row per image, or one such file for each `{class}` of the card.

    JSON is `{split: {class: [row]}}`, or, depending on `rows`, `{split: [row]}` with an optional object `meta`.
    `columns` maps the names image, mask, label, class, defect and split to the columns of the table; `split` is the
    split of all rows of a table without such a column. Labels are compared as text with `normal` and `anomalous`;
    if `anomalous` is empty, every other label is anomalous. With `maskless_normal`, a row without a mask is normal.
    `paths` are templates for the path of an image or a mask, of which the first that exists is used: `{path}` is the
    text in the row, padded with zeros to `digits`, and `{prefix}` is `meta.prefix`. If file stems are
    `<sample>_<view>_<more>`, `views` are the names of the views. `source` says where to get a missing table. In a
    table that is `user_made`, an image may occur only once, and its files are looked up one by one instead of listing
    the folder.
    """

    name: str
    probe: tuple[str, ...]
    manifest: str
    format: Literal["csv", "json"]
    columns: Mapping[str, str]
    normal: tuple[str, ...]
    anomalous: tuple[str, ...]
    source: str = ""
    rows: Literal["{split}.{class}", "{split}"] = "{split}.{class}"
    split: str = ""
    paths: tuple[str, ...] = ("{path}",)
    digits: int = 0
    maskless_normal: bool = False
    views: tuple[str, ...] = ()
    user_made: bool = False


Layout = FilesLayout | TableLayout

ANOMALYCLIP = TableLayout(  # the layout of AnomalyCLIP's code, in which any benchmark may be stored
    name="anomalyclip",
    probe=("meta.json",),
    manifest="meta.json",
    format="json",
    columns={
        "image": "img_path",
        "mask": "mask_path",
        "label": "anomaly",
        "defect": "specie_name",
        "class": "cls_name",
    },
    normal=("0",),
    anomalous=("1",),
)


def one_class_layouts(name: str, *, masked: bool) -> tuple[FilesLayout, ...]:
    """Layouts of a benchmark with one class, `name`, in the folders of MVTec AD, with and without a class folder.

    Medical benchmarks are often stored this way, for example by AnomalyCLIP's authors.
    """
    return _mvtec_layout("rearranged", f"{name}/", masked), _mvtec_layout("bare", "", masked)


def _mvtec_layout(layout_name: str, prefix: str, masked: bool) -> FilesLayout:
    masks = tuple(f"{prefix}ground_truth/{{defect}}/{{stem}}{suffix}.png" for suffix in ("_mask", ""))
    rules = (
        Rule(prefix + "train/good/{stem}.{ext}", "train", 0),
        Rule(prefix + "test/good/{stem}.{ext}", "test", 0),
        Rule(prefix + "test/{defect}/{stem}.{ext}", "test", 1, masks if masked else ()),
    )
    probe = (f"{prefix}test", f"{prefix}ground_truth") if masked else (f"{prefix}test/good",)
    return FilesLayout(layout_name, probe, rules)

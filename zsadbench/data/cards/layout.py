"""How the files of a benchmark may be arranged: trees whose paths say everything, and tables.

Two kinds serve every benchmark, and both are values: a tree read by ordered rules (`FilesLayout`), and a table with
one row a sample (`TableLayout`). Two arrangements are known to all cards: AnomalyCLIP's table, and folders as in
MVTec AD for sets with one class.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Label = Literal["from_mask"] | int | None

MASK_EXTENSIONS = ("png", "bmp", "tif", "tiff", "jpg", "jpeg")  # in the order in which they are tried
IMAGE_EXTENSIONS = frozenset({"png", "jpg", "jpeg", "bmp", "tif", "tiff", "dcm", "dicom"})


@dataclass(frozen=True)
class Rule:
    """One line of a `FilesLayout`; the first rule that a path matches decides.

    `match` is a path relative to the root in which `{class}`, `{defect}` and `{stem}` stand for one path
    segment or a part of it, equal wherever the name is repeated, and which ends in `{stem}.{ext}`.
    `label` is 0, 1, `from_mask` (1 when a mask file of the right name exists, whatever it holds; else 0), or
    None for files to be passed over. `masks` are templates over the captures, tried in
    order, each with the extension that it has, and then with every one of `MASK_EXTENSIONS`.
    """

    match: str
    split: str
    label: Label
    masks: tuple[str, ...] = ()


@dataclass(frozen=True)
class FilesLayout:
    """A tree whose paths say everything. `probe` lists what must exist; `{class}` is any class of the card."""

    name: str
    probe: tuple[str, ...]
    rules: tuple[Rule, ...]


@dataclass(frozen=True)
class TableLayout:
    """A csv or json file with one row a sample, or one such file for each `{class}` of the card.

    json is `{split: {class: [row]}}`, or by `rows` `{split: [row]}` beside an object `meta`. `columns` maps our
    names (image, mask, label, class, defect, split) to the table's; `split` is that of a table without one. A
    label is compared as text with `normal` and `anomalous` (none: whatever is not normal); with
    `maskless_normal` a row that names no mask is normal too. `paths` are templates of the path of an image or
    a mask, the first that exists is taken: `{path}` is what the row says, filled up with zeros to `digits`,
    and `{prefix}` is `meta.prefix`. Where stems are `<sample>_<view>_<more>`, `views` are the views' names.
    `source` says where a missing table may be had. One's `own` table names every image once, and its files are
    looked up rather than listed.
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
    own: bool = False


Layout = FilesLayout | TableLayout

ANOMALYCLIP = TableLayout(  # AnomalyCLIP's arrangement, which every benchmark may be found in
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
    """Folders as in MVTec AD for a set with the only class `name`: in a folder of the class, or without it.

    People re-arrange the medical sets so, AnomalyCLIP's authors among them.
    """
    return tuple(_as_mvtec(layout, before, masked) for layout, before in (("rearranged", f"{name}/"), ("bare", "")))


def _as_mvtec(layout: str, before: str, masked: bool) -> FilesLayout:
    masks = tuple(f"{before}ground_truth/{{defect}}/{{stem}}{end}.png" for end in ("_mask", ""))
    rules = (
        Rule(before + "train/good/{stem}.{ext}", "train", 0),
        Rule(before + "test/good/{stem}.{ext}", "test", 0),
        Rule(before + "test/{defect}/{stem}.{ext}", "test", 1, masks if masked else ()),
    )
    probe = (f"{before}test", f"{before}ground_truth") if masked else (f"{before}test/good",)
    return FilesLayout(layout, probe, rules)

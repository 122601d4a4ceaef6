"""What a data set card says, as a value: facts about one benchmark, and where its files lie.

A card is data, read from TOML by `zsadbench.data.cardfile`; it holds no code. Two kinds of layout serve
every benchmark: a tree whose paths carry the meaning (`FilesLayout`), and a table with one row a sample
(`TableLayout`). Importing this module imports neither torch nor pandas.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Positive = Literal["> 0", ">= 128"]
Label = Literal["from_mask"] | int | None
Pair = tuple[int, int]  # (normal, anomalous)

IMAGE_EXTENSIONS = frozenset({"png", "jpg", "jpeg", "bmp", "tif", "tiff"})


@dataclass(frozen=True)
class Rule:
    """One line of a `FilesLayout`; the first rule that a path matches decides.

    `match` is a path relative to the root in which `{class}`, `{defect}` and `{stem}` stand for one path
    segment or a part of it, equal wherever the name is repeated, and which ends in `{stem}.{ext}`.
    `label` is 0, 1, `from_mask` (1 when a mask file of the right name exists, whatever it holds; else 0), or
    None for files to be passed over. `masks` are templates over the captures, tried in
    order, each with every one of `mask_ext` as `{mask_ext}`.
    """

    match: str
    split: str
    label: Label
    masks: tuple[str, ...] = ()
    mask_ext: tuple[str, ...] = ("png",)


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
    `source` says where a missing table may be had.
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


@dataclass(frozen=True)
class Expected:
    """How many images one split should have: per class, or in total for `classes` where no more is known.

    An uncertain number makes a difference worth a note, not an error, unless less than half is there. `images`
    is a certain number of images in all, whatever their labels.
    """

    counts: Mapping[str, Pair] = field(default_factory=dict)
    total: Pair | None = None
    certain: bool = True
    classes: tuple[str, ...] = ()
    images: int = 0


@dataclass(frozen=True)
class Card:
    """One benchmark. `classes` maps folder names, in order, to the words that go into prompts.

    `positive` is the rule by which a grey value of a mask counts as anomalous. `folders` are names under
    which people keep the set; the first is the one that a miniature is written to. `class_aliases` maps
    other spellings of a class, as tables have them, to ours. `obtain` adds what one should know before
    downloading. A `generated` set is drawn on first use by the package that brings the card. `source` is the
    file that the card was read from.
    """

    name: str
    title: str
    domain: str
    levels: tuple[str, ...]
    classes: Mapping[str, str]
    layouts: tuple[Layout, ...]
    expected: Mapping[str, Expected] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    class_aliases: Mapping[str, str] = field(default_factory=dict)
    positive: Positive = "> 0"
    licence: str = ""
    homepage: str = ""
    obtain: str = ""
    doi: str = ""
    cite: str = ""
    bibtex: str = ""
    generated: bool = False
    source: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """Every name that the card answers to: its own, its aliases, its folders; each once, whatever the case."""
        first: dict[str, str] = {}
        for name in (self.name, *self.aliases, *self.folders):
            first.setdefault(name.casefold(), name)
        return tuple(first.values())

    @property
    def pixel_level(self) -> bool:
        """Whether its anomalous samples have masks."""
        return "pixel" in self.levels

    def class_named(self, text: str) -> str | None:
        """The class that `text` means: exactly, by alias, then without regard to case; None when unknown."""
        if text in self.classes:
            return text
        known = {name.casefold(): name for name in self.classes}
        known |= {alias.casefold(): name for alias, name in self.class_aliases.items()}
        return known.get(text.casefold())


def prompt_words(name: str) -> str:
    """The words of a class folder, as they go into a prompt.

    >>> prompt_words("metal_nut")
    'metal nut'
    """
    return " ".join(name.replace("_", " ").split())

"""The data set card: facts about one benchmark, as a value.

A card contains no code; it is parsed from TOML by `zsadbench.data.cards.parse_card`. Its layouts are described in
`zsadbench.data.cards.layout`. Importing this module imports neither torch nor pandas.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from zsadbench.data.cards.layout import Layout

# Grey values of a mask that count as anomalous. JPEG compression leaves dark grey pixels around the marked region.
PositiveRule = Literal["> 0", ">= 128", "> 0; jpeg >= 128"]
LabelCounts = tuple[int, int]  # images: (normal, anomalous)


@dataclass(frozen=True)
class Expected:
    """The number of images that one split should have: `counts` per class, or a `total` over `classes`.

    If the numbers are not `certain`, a different count is reported as a note and not as an error, unless less than
    half of the images exist. `images` is a certain number of images of both labels together; 0 if unknown. Where no
    number is known at all there are only `classes`, each of which should have images.
    """

    counts: Mapping[str, LabelCounts] = field(default_factory=dict)
    total: LabelCounts | None = None
    certain: bool = True
    classes: tuple[str, ...] = ()
    images: int = 0


@dataclass(frozen=True)
class Card:
    """One benchmark.

    Attributes:
        name: the name on the command line and in records.
        title: the name in tables.
        domain: `industrial`, `medical`, `demo`, or `own` for images of the user.
        levels: the levels that can be evaluated, `image` and `pixel`; on the pixel level, anomalous images have masks.
        classes: folder name → words in prompts, in the order of tables.
        layouts: how its files may be arranged, in the order in which layouts are tried.
        expected: split → number of images.
        aliases: other names on the command line.
        folders: folder names under which the benchmark is stored; a miniature is written to the first.
        positive: the grey values of a mask that count as anomalous.
        licence: the licence, as text.
        homepage: where to download it.
        obtain: what to know before downloading.
        doi: the DOI of the paper; empty where `cite` names a reference that ships with the package.
        cite: keys of the references to cite: of those that ship with the package, or of `bibtex`.
        bibtex: BibTeX entries of references that do not ship with the package.
        collections: the image collections that it was made from, if another benchmark uses the same collection.
        method_words: method → class → words that the method's paper uses in prompts instead of those in `classes`.
        folder_words: methods whose papers use the folder name itself in prompts.
        editions: other data sets known under the same name → their number of test images, (normal, anomalous)
            or (total,).
        generated: whether the package of the card generates the images on first use.
        source: the file that the card was read from.
        ignored: files of the official archive that are no images of the benchmark, as globs for paths below its root;
            a glob that ends in `/**` names a folder, and counts only in copies of which no file in it is used.
        hidden: test part without published labels → the template of the paths of its images.
        metrics: keys of metrics that the benchmark uses beside those of every record; its records hold them.
        same_layout_as: names of other benchmarks whose copies fit the same probe, so that the name of the folder tells
            them apart; one of the two cards says so.
        in_groups: whether `-t all` and the name of the domain stand for this benchmark, too.
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
    positive: PositiveRule = "> 0; jpeg >= 128"
    licence: str = ""
    homepage: str = ""
    obtain: str = ""
    doi: str = ""
    cite: tuple[str, ...] = ()
    bibtex: str = ""
    collections: tuple[str, ...] = ()
    method_words: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    folder_words: tuple[str, ...] = ()
    editions: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    generated: bool = False
    source: str = ""
    ignored: tuple[str, ...] = ()
    hidden: Mapping[str, str] = field(default_factory=dict)
    metrics: tuple[str, ...] = ()
    in_groups: bool = True
    same_layout_as: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Name, aliases and folder names; names that differ only in case are listed once."""
        by_key: dict[str, str] = {}
        for name in (self.name, *self.aliases, *self.folders):
            by_key.setdefault(name.casefold(), name)
        return tuple(by_key.values())

    @property
    def pixel_level(self) -> bool:
        """Whether anomalous images have masks."""
        return "pixel" in self.levels

    def words(self, method: str = "") -> dict[str, str]:
        """Class → the words that describe it in the prompts of `method`, in the order of `classes`."""
        method_words = self.method_words.get(method, {})
        default_words = {name: name for name in self.classes} if method in self.folder_words else self.classes
        return {name: method_words.get(name, default_words[name]) for name in self.classes}

    def class_named(self, text: str) -> str | None:
        """The class named `text`: an exact match, else one that ignores case; None if there is none.

        If the set has only one class, the names of the set also mean that class, as in tables made by others.
        """
        if text in self.classes:
            return text
        by_key = {name.casefold(): name for name in self.classes}
        if len(self.classes) == 1:
            (only,) = self.classes
            by_key = {name.casefold(): only for name in self.names} | by_key
        return by_key.get(text.casefold())


def prompt_words(name: str) -> str:
    """The words for a prompt that a class folder's name gives.

    >>> prompt_words("metal_nut")
    'metal nut'
    """
    return " ".join(name.replace("_", " ").split())

"""What a data set card says, as a value: facts about one benchmark, and where its files lie.

A card is data, read from TOML by `zsadbench.data.cards.parse_card`; it holds no code. Its layouts are described in
`zsadbench.data.cards.layout`. Importing this module imports neither torch nor pandas.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from zsadbench.data.cards.layout import Layout

Positive = Literal["> 0", ">= 128", "> 0; jpeg >= 128"]  # compression leaves grey around what a JPEG mask marks
Pair = tuple[int, int]  # (normal, anomalous)


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
    which people keep the set; the first is the one that a miniature is written to. `obtain` adds what one
    should know before downloading. `collections` are those that its images were cut from, where another
    benchmark was cut from the same. `method_words` are the words that a method's paper has for some classes
    in place of these, by method and class; the papers of `folder_words` take the folder's name as it is.
    `editions` are other contents that go by the same name, by their numbers of test images: [normal, anomalous], or
    [in all]. A `generated` set is drawn on first use by the package that brings the card. `source` is the file that the
    card was read from.
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
    positive: Positive = "> 0; jpeg >= 128"
    licence: str = ""
    homepage: str = ""
    obtain: str = ""
    doi: str = ""
    cite: str = ""
    bibtex: str = ""
    collections: tuple[str, ...] = ()
    method_words: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    folder_words: tuple[str, ...] = ()
    editions: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
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

    def words(self, method: str = "") -> dict[str, str]:
        """The words of every class that go into the prompts of `method`, by the folder's name, in order."""
        own = self.method_words.get(method, {})
        plain = {name: name for name in self.classes} if method in self.folder_words else self.classes
        return {name: own.get(name, plain[name]) for name in self.classes}

    def class_named(self, text: str) -> str | None:
        """The class that `text` means: exactly, then without regard to case; None when unknown.

        The only class of a set may be called like the set itself, as tables of others have it.
        """
        if text in self.classes:
            return text
        known = {name.casefold(): name for name in self.names} if len(self.classes) == 1 else {}
        known = dict.fromkeys(known, next(iter(self.classes))) | {name.casefold(): name for name in self.classes}
        return known.get(text.casefold())


def prompt_words(name: str) -> str:
    """The words of a class folder, as they go into a prompt.

    >>> prompt_words("metal_nut")
    'metal nut'
    """
    return " ".join(name.replace("_", " ").split())

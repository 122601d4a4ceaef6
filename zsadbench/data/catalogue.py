"""Every card that is installed; a name → its card. Reading cards imports neither torch nor pandas."""

from collections.abc import Iterable
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from zsadbench import registry
from zsadbench.data.cards.card import Card
from zsadbench.data.cards.parse_card import read_card
from zsadbench.data.user_images.target import is_own, own_card
from zsadbench.errors import DataError, UsageError, unknown


def all_cards() -> tuple[Card, ...]:
    """The cards of every package in the entry-point group `zsadbench.datasets`, sorted by name.

    Raises:
        DataError: a card is wrong, or two cards answer to one name.
        UsageError: a package cannot be imported.
    """
    cards = [card for package in registry.names("datasets") for card in _cards_of(package)]
    return tuple(sorted(_unambiguous(cards), key=lambda card: card.name))


def find_card(name: str) -> Card:
    """The card called `name`, by its name or an alias, without regard to case; `folder:PATH` and `csv:PATH` make one.

    Raises:
        UsageError: no card has this name; the nearest name is given.
        DataError: one's own set cannot be read.
    """
    if is_own(name):
        return own_card(name)[0]
    known = {text.casefold(): card for card in all_cards() for text in (card.name, *card.aliases)}
    if name.casefold() not in known:
        raise unknown("data set", name, known)
    return known[name.casefold()]


def synthesise(name: str, out: str | Path, per_class: int = 4) -> Path:
    """Write a miniature of the set `name`, in its official layout, below `out`; return its folder.

    The package that brings the card draws it, with its own `synthesise(name, out, per_class)`.

    Raises:
        UsageError: the name is unknown, the set itself is drawn, or its package draws no miniature of it.
    """
    card = find_card(name)
    if card.generated:
        raise UsageError(f"'{card.name}' needs no miniature: the set itself is drawn on first use")
    draw = brought_with(card, "synthesise")
    if draw is None:
        raise UsageError(f"no miniature of '{name}' can be drawn")
    return Path(draw(card.name, Path(out), per_class))


def brought_with(card: Card, attribute: str) -> Any:
    """An attribute of the package that brings the card; None where it has none."""
    packages = (package for package in registry.names("datasets") if card in _cards_of(package))
    return next((getattr(registry.load("datasets", package), attribute, None) for package in packages), None)


@cache
def _cards_of(package: str) -> tuple[Card, ...]:
    folder = resources.files(registry.load("datasets", package)) / "cards"
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".toml")), key=lambda file: file.name)
    return tuple(read_card(file.read_text(encoding="utf-8"), str(file)) for file in files)


def _unambiguous(cards: Iterable[Card]) -> list[Card]:
    owners: dict[str, Card] = {}
    for card in cards:
        for name in {text.casefold() for text in (card.name, *card.aliases)}:
            owner = owners.setdefault(name, card)
            if owner is not card:
                raise DataError(f"'{name}' is claimed by two cards: {owner.source} and {card.source}")
    return list({card.name: card for card in owners.values()}.values())

"""Find the cards of all installed packages. Reading cards imports neither torch nor pandas."""

from collections.abc import Iterable
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from zsadbench import registry
from zsadbench.data.cards.card import Card
from zsadbench.data.cards.parse_card import read_card
from zsadbench.data.user_images.target import is_user_target, user_target_card
from zsadbench.errors import DataError, UsageError, unknown


def all_cards() -> tuple[Card, ...]:
    """The cards of every package in the entry-point group `zsadbench.datasets`, sorted by name.

    Raises:
        DataError: a card is invalid, or two cards have the same name or alias.
        UsageError: a package cannot be imported.
    """
    cards = [card for package in registry.names("datasets") for card in _cards_of(package)]
    return tuple(sorted(_unambiguous(cards), key=lambda card: card.name))


def find_card(name: str) -> Card:
    """The card with this name or alias, ignoring case; for `folder:PATH` and `csv:PATH`, a card made from the files.

    Raises:
        UsageError: no card has this name; the message gives the nearest name.
        DataError: `folder:PATH` or `csv:PATH` cannot be read.
    """
    if is_user_target(name):
        return user_target_card(name)[0]
    known = {text.casefold(): card for card in all_cards() for text in (card.name, *card.aliases)}
    if name.casefold() not in known:
        raise unknown("data set", name, known)
    return known[name.casefold()]


def synthesise(name: str, out: str | Path, per_class: int = 4) -> Path:
    """Write a synthetic miniature of the data set `name` in its official layout below `out`; return its folder.

    The package that contains the card generates it, with its function `synthesise(name, out, per_class)`.

    Args:
        name: a data set that is not itself generated.
        out: the folder in which the folder of the data set is created.
        per_class: images per class, split and label.

    Raises:
        UsageError: the name is unknown, the set is itself generated, or its package generates no miniature of it.
    """
    card = find_card(name)
    if card.generated:
        raise UsageError(f"'{card.name}' needs no miniature: the set itself is generated on first use")
    write_miniature = package_attribute(card, "synthesise")
    if write_miniature is None:
        raise UsageError(f"no miniature of '{name}' can be generated")
    return Path(write_miniature(card.name, Path(out), per_class))


def package_attribute(card: Card, attribute: str) -> Any:
    """An attribute of the package that contains the card; None if the package has no such attribute."""
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

"""Find the cards of all installed packages. Reading cards imports neither torch nor pandas."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from zsadbench import registry
from zsadbench.data.cards.card import Card
from zsadbench.data.cards.parse_card import read_card
from zsadbench.data.user_images.target import is_user_target, user_target_card
from zsadbench.errors import DataError, UsageError, ZsadError, unknown


def all_cards() -> tuple[Card, ...]:
    """The cards of every package in the entry-point group `zsadbench.datasets`, sorted by name.

    A package that cannot be imported or that holds an invalid card is left out with a warning, and so is one that
    claims a name or an alias of a card of another package.
    """
    owners: dict[str, Card] = {}
    for package in registry.own_first("datasets"):
        try:
            owners |= _unambiguous(_cards_of(package), owners)
        except ZsadError as failure:
            registry.warn_once(f"data set package '{package}' is left out: {failure}")
    return tuple(sorted({card.name: card for card in owners.values()}.values(), key=lambda card: card.name))


def find_card(name: str, normal: Sequence[str] = ()) -> Card:
    """The card with this name or alias, ignoring case; for `folder:PATH` and `csv:PATH`, a card made from the files.

    `normal` are names of folders of normal images, for `folder:PATH` alone; empty to recognise them.

    Raises:
        UsageError: no card has this name; the message gives the nearest name.
        DataError: `folder:PATH` or `csv:PATH` cannot be read.
    """
    if is_user_target(name):
        return user_target_card(name, normal)[0]
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
    for package in registry.own_first("datasets"):
        try:
            found = card in _cards_of(package)
        except ZsadError:  # `all_cards` warns of it
            continue
        if found:
            return getattr(registry.load("datasets", package), attribute, None)
    return None


@cache
def _cards_of(package: str) -> tuple[Card, ...]:
    """The cards of one package.

    Raises:
        DataError: cards are invalid or cannot be read; the message has the faults of all.
        UsageError: the package cannot be imported.
    """
    module = registry.load("datasets", package)
    try:
        folder = resources.files(module) / "cards"
        files = sorted((file for file in folder.iterdir() if file.name.endswith(".toml")), key=lambda file: file.name)
    except (OSError, TypeError, ValueError, AttributeError) as failure:
        raise DataError(f"it has no folder 'cards' that can be read: {failure}") from failure
    cards, faults = [], []
    for file in files:
        try:
            cards.append(read_card(file.read_text(encoding="utf-8"), str(file)))
        except (ZsadError, OSError, UnicodeDecodeError, RecursionError) as failure:
            faults.append(str(failure) if isinstance(failure, ZsadError) else f"{file}: {failure}")
    if faults:
        raise DataError("; ".join(faults))
    return tuple(cards)


def _unambiguous(cards: Iterable[Card], others: Mapping[str, Card]) -> dict[str, Card]:
    """The cards of one package by all of their names and aliases.

    Raises:
        DataError: two cards have the same name or alias, or a card has one of `others`.
    """
    owners: dict[str, Card] = {}
    for card in cards:
        for name in {text.casefold() for text in (card.name, *card.aliases)}:
            owner = others.get(name) or owners.setdefault(name, card)
            if owner is not card:
                raise DataError(f"'{name}' is claimed by two cards: {owner.source} and {card.source}")
    return owners

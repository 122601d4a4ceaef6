r"""Turn `KEY=VALUE` strings into the options and the recipe of a method.

A key may be preceded by its method (`fbclip.views=id,sem`), name a preset (`preset=base`) or a field of the recipe
(`recipe.lr=1e-4`). A value is converted to the type of the field: booleans are `true` and `false`, tuples are
comma-separated lists. A vertical bar separates the values of a grid (`temperature=0.07|0.1`, see
`zsadbench.engine.plan.settings`); `\|` is a bar of the value.
"""

from __future__ import annotations

import re
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, get_args, get_origin, get_type_hints

from zsadbench.errors import UsageError, ZsadError, described, unknown
from zsadbench.types import MethodCard, Recipe, Taps, Transductive

RECIPE_KEYS = ("lr", "batch", "weight_decay", "permuted", "mosaic")
RECIPE = "recipe."  # how the keys of fields of the recipe begin
SWITCHES = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


@dataclass(frozen=True)
class ConfiguredMethod:
    """A method with its options and, if it trains, its recipe.

    `recipe_changes` are the fields of the recipe that the user changed; `recipe` contains them. `given` are the options
    that the user named, also with their default values; `options` contains them.
    """

    card: MethodCard
    options: Any
    recipe: Recipe | None
    recipe_changes: Mapping[str, Any] = field(default_factory=dict)
    given: Mapping[str, Any] = field(default_factory=dict)

    def recipe_on(self, aux: str) -> Recipe:
        """Return the recipe on the auxiliary set `aux`.

        Fields that the user changed have precedence over the card's fields for this set, and these over the others.
        """
        assert self.recipe is not None  # noqa: S101 - only called where the method trains
        return replace(self.recipe, **{**self.recipe.on.get(aux, {}), **self.recipe_changes})

    def earlier(self) -> ConfiguredMethod | None:
        """Return the method with the recipe of the training stage before; None if there is none."""
        if self.recipe is None or self.recipe.before is None:
            return None
        kept = {name: value for name, value in self.recipe_changes.items() if name == "permuted"}
        return replace(self, recipe=replace(self.recipe.before, **kept), recipe_changes=kept)

    def step(self) -> Transductive | None:
        """Return the step over all test images of a class, if the method has one with these options."""
        return self.card.transductive(self.options) if self.card.transductive is not None else None

    @property
    def scores_whole_class(self) -> bool:
        """Whether the method makes scores and maps of all test images of a class together, and of none by itself."""
        step = self.step()
        return step is not None and step.whole_class

    def changed(self) -> dict[str, Any]:
        """Return the options that differ from their defaults, as JSON values."""
        default = self.card.options()
        values = {option.name: getattr(self.options, option.name) for option in fields(self.options)}
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in values.items()
            if value != getattr(default, name)
        }


def configure(card: MethodCard, given: Sequence[str], methods: Sequence[str]) -> ConfiguredMethod:
    """Apply the `KEY=VALUE` strings of a method to its default options and recipe.

    Args:
        card: of the method.
        given: the strings for all methods of the run.
        methods: names of all methods of the run; with several, every key must name its method.

    Raises:
        UsageError: a key, preset or value is unknown, a string has no `=`, or a key has several values.
    """
    values = []
    for key, texts in options_of(card.name, given, methods):
        if len(texts) > 1:
            raise UsageError(f"option '{key}' has {len(texts)} values; run, train and tune take several, others one")
        values.append((key, parse_option(card, key, texts[0])))
    return with_values(card, values)


def with_values(card: MethodCard, values: Sequence[tuple[str, Mapping[str, Any]]]) -> ConfiguredMethod:
    """Return the method with the values of keys, as `parse_option` has them; later ones replace earlier ones.

    Raises:
        UsageError: the method refuses a value.
    """
    options: dict[str, Any] = {}
    recipe: dict[str, Any] = {}
    for key, named in values:
        if key.startswith(RECIPE):
            recipe |= named
        else:
            options |= named
    changed_recipe = replace(card.recipe, **recipe) if card.recipe else None
    return ConfiguredMethod(card, build_options(card, options), changed_recipe, recipe, options)


def build_options(card: MethodCard, values: Mapping[str, Any]) -> Any:
    """Return the method's options with `values` in place of defaults; JSON lists become tuples.

    Raises:
        UsageError: the method has no option of a name, or refuses a value.
    """
    known = {option.name for option in fields(card.options)}
    for key in values:
        if key not in known:
            raise unknown(f"option of {card.name}", key, known)
    given = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
    try:
        return card.options(**given)
    except ZsadError:
        raise
    except Exception as failure:
        raise UsageError(f"options of {card.name} are refused: {described(failure)}") from failure


def taps_for(card: MethodCard, options: Any) -> Taps:
    """Return the tokens that a method reads with these options.

    Raises:
        UsageError: the card fails to say.
    """
    try:
        taps = card.taps(options)
    except ZsadError:
        raise
    except Exception as failure:
        raise UsageError(f"'{card.name}': taps raised {described(failure)}") from failure
    if not isinstance(taps, Taps):
        raise UsageError(f"'{card.name}': taps returned {type(taps).__name__}; wanted is a Taps")
    return taps


def options_of(name: str, given: Sequence[str], methods: Sequence[str]) -> list[tuple[str, tuple[str, ...]]]:
    """Return the keys of the strings that concern the method `name`, without its name, with the texts of their values.

    Raises:
        UsageError: a string has no `=`, or names a method that is not among `methods`, or none although there are
            several.
    """
    pairs = []
    for item in given:
        key, equals, value = item.partition("=")
        if not equals or not key:
            raise UsageError(f"option '{item}' is not of the form KEY=VALUE")
        owner, dot, rest = key.partition(".")
        named = bool(dot) and f"{owner}." != RECIPE
        if named and owner not in methods:
            raise UsageError(f"option '{key}': '{owner}' is not among the methods: {', '.join(methods)}")
        if not named and len(methods) > 1:
            raise UsageError(f"option '{key}' must name its method when several run: '{methods[0]}.{key}={value}'")
        if not named or owner == name:
            pairs.append((rest if named else key, split_values(value)))
    return pairs


def split_values(text: str) -> tuple[str, ...]:
    r"""Split the values of a grid at vertical bars; a bar after a backslash belongs to the value.

    >>> split_values("0.07|0.1"), split_values(r"a\|b|c")
    (('0.07', '0.1'), ('a|b', 'c'))
    """
    return tuple(part.replace(r"\|", "|") for part in re.split(r"(?<!\\)\|", text))


def parse_option(card: MethodCard, key: str, text: str) -> Mapping[str, Any]:
    """Return the fields of the options that a key sets, those of a preset; of `recipe.NAME` the field of the recipe.

    Raises:
        UsageError: the key or the preset is unknown, or the value has another type.
    """
    if key == "preset":
        if text not in card.presets:
            raise unknown(f"preset of {card.name}", text, card.presets)
        return card.presets[text]
    if key.startswith(RECIPE):
        return _recipe_value(card, key.removeprefix(RECIPE), text)
    return {key: _option_value(card, key, text)}


def _recipe_value(card: MethodCard, key: str, text: str) -> dict[str, Any]:
    """Return one field of the recipe with its value; the fields in `RECIPE_KEYS` may be changed."""
    if card.recipe is None:
        raise UsageError(f"'{card.name}' does not train, so it has no 'recipe.{key}'")
    if key not in RECIPE_KEYS:
        raise unknown("recipe field", key, RECIPE_KEYS)
    value = _parse(f"recipe.{key}", text, get_type_hints(Recipe)[key])
    if key in {"lr", "batch", "weight_decay"} and (value < 0 or (key != "weight_decay" and value == 0)):
        raise UsageError(f"option 'recipe.{key}={text}' must be positive")
    return {key: value}


def _option_value(card: MethodCard, key: str, text: str) -> Any:
    """Return the value of one option."""
    hints = get_type_hints(card.options)
    if key not in hints:
        raise unknown(f"option of {card.name}", key, [*hints, *(["preset"] if card.presets else [])])
    return _parse(key, text, hints[key])


def _parse(key: str, text: str, hint: Any) -> Any:
    """Convert `text` to a value of the type `hint`: a tuple, literal, boolean, number or string."""
    if get_origin(hint) is tuple:
        return tuple(_parse(key, part.strip(), get_args(hint)[0]) for part in text.split(",") if part.strip())
    if get_origin(hint) is Literal:
        if text not in get_args(hint):
            raise UsageError(f"option '{key}' is '{text}'; it takes one of: {', '.join(map(str, get_args(hint)))}")
        return text
    if hint is bool:
        if text.lower() not in SWITCHES:
            raise UsageError(f"option '{key}' is '{text}'; it takes true or false")
        return SWITCHES[text.lower()]
    return _parse_number(key, text, hint)


def _parse_number(key: str, text: str, hint: Any) -> Any:
    if isinstance(hint, types.UnionType):
        raise UsageError(f"option '{key}' cannot be set from text")
    try:
        return hint(text)
    except ValueError as failure:
        kind = {"int": "a whole number", "float": "a number"}.get(hint.__name__, hint.__name__)
        raise UsageError(f"option '{key}' is '{text}'; it takes {kind}") from failure

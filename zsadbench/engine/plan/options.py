"""Turn `KEY=VALUE` strings into the options and the recipe of a method.

A key may be preceded by its method (`fbclip.views=id,sem`), name a preset (`preset=base`) or a field of the recipe
(`recipe.lr=1e-4`). A value is converted to the type of the field: booleans are `true` and `false`, tuples are
comma-separated lists.
"""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, get_args, get_origin, get_type_hints

from zsadbench.errors import UsageError, ZsadError, described, unknown
from zsadbench.types import MethodCard, Recipe, Taps, Transductive

RECIPE_KEYS = ("lr", "batch", "weight_decay", "permuted", "mosaic")
SWITCHES = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


@dataclass(frozen=True)
class ConfiguredMethod:
    """A method with its options and, if it trains, its recipe.

    `recipe_changes` are the fields of the recipe that the user changed; `recipe` contains them.
    """

    card: MethodCard
    options: Any
    recipe: Recipe | None
    recipe_changes: Mapping[str, Any] = field(default_factory=dict)

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
        UsageError: a key, preset or value is unknown, or a string has no `=`.
    """
    values: dict[str, Any] = {}
    recipe: dict[str, Any] = {}
    for key, text in _of_method(card.name, given, methods):
        if key == "preset":
            if text not in card.presets:
                raise unknown(f"preset of {card.name}", text, card.presets)
            values |= card.presets[text]
        elif key.startswith("recipe."):
            recipe |= _recipe_value(card, key.removeprefix("recipe."), text)
        else:
            values[key] = _option_value(card, key, text)
    changed_recipe = replace(card.recipe, **recipe) if card.recipe else None
    return ConfiguredMethod(card, build_options(card, values), changed_recipe, recipe)


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


def _of_method(name: str, given: Sequence[str], methods: Sequence[str]) -> list[tuple[str, str]]:
    """Return (key, value) of the strings that concern the method `name`, without its name in the key."""
    pairs = []
    for item in given:
        key, equals, value = item.partition("=")
        if not equals or not key:
            raise UsageError(f"option '{item}' is not of the form KEY=VALUE")
        owner, dot, rest = key.partition(".")
        if dot and owner in methods:
            if owner == name:
                pairs.append((rest, value))
        elif len(methods) > 1:
            raise UsageError(f"option '{key}' must name its method when several run: '{methods[0]}.{key}={value}'")
        else:
            pairs.append((key, value))
    return pairs


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

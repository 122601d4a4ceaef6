"""The texture families and object shapes, and which sets use them.

There are three sets: `pretraining` (image–text pairs for the demo backbone), `demo-aux` (auxiliary data) and `demo`
(test data). Families of `pretraining` are also used by `demo-aux`, because CLIP, too, has seen the auxiliary data's
objects; those of `demo` are used nowhere else. Lengths are fractions of the image's side, angles are turns.
"""

from dataclasses import dataclass
from typing import Literal

SetName = Literal["pretraining", "demo-aux", "demo"]
Material = Literal["texture", "object"]
Bounds = tuple[float, float]
Tones = tuple[tuple[str, str], ...]

SET_NAMES: tuple[SetName, ...] = ("pretraining", "demo-aux", "demo")


@dataclass(frozen=True)
class Family:
    """One texture or one object; the images of a set are variations of it.

    Attributes:
        name: the class name, and the name of the function that computes it.
        sets: the sets that use it.
        material: texture or object.
        words: words for captions; the first is used in prompts.
        tones: pairs of colours, the main colour first.
        scale: for a texture the number of periods per side, for an object the fraction of the side that it fills.
        turns: the largest rotation in either direction.
        relief: how strongly light and shade show its relief.
        grounds: colours of the background of an object.
    """

    name: str
    sets: tuple[SetName, ...]
    material: Material
    words: tuple[str, ...]
    tones: Tones
    scale: Bounds
    turns: float
    relief: float
    grounds: tuple[str, ...] = ()


_ANY: Tones = (
    *(("blue", "white"), ("red", "beige"), ("green", "yellow"), ("grey", "white"), ("brown", "beige")),
    *(("purple", "pink"), ("teal", "silver"), ("orange", "brown"), ("black", "grey"), ("yellow", "red")),
)
_GROUNDS = ("white", "grey", "black", "beige", "blue", "green")
_SHARED: tuple[SetName, ...] = ("pretraining", "demo-aux")
_AUX: tuple[SetName, ...] = ("demo-aux",)
_TARGET: tuple[SetName, ...] = ("demo",)


def _texture(name: str, words: tuple[str, ...], scale: Bounds, relief: float = 0.4) -> Family:
    return Family(name, _SHARED, "texture", words, _ANY, scale, 0.5, relief)


def _object(name: str, words: tuple[str, ...], relief: float = 0.5) -> Family:
    return Family(name, _SHARED, "object", words, _ANY, (0.55, 0.85), 0.5, relief, _GROUNDS)


FAMILIES = (
    _texture("stripes", ("striped cloth", "stripes"), (4, 14), 0.15),
    _texture("checks", ("checked cloth", "a chequered pattern"), (3, 9), 0.15),
    _texture("dots", ("dotted paper", "polka dots"), (4, 10), 0.2),
    _texture("bricks", ("brick wall", "bricks"), (3, 7), 0.7),
    _texture("marble", ("marble stone", "veined stone"), (2, 5), 0.1),
    _texture("planks", ("wooden boards", "planks of wood"), (2, 5), 0.3),
    _texture("sand", ("sand", "sandy ground"), (10, 24), 0.5),
    _texture("basket", ("woven basket", "wicker"), (4, 9), 0.6),
    _texture("corrugation", ("corrugated metal", "ridged metal"), (5, 12), 0.9),
    _texture("cobbles", ("cobbled stone", "cobblestones"), (4, 9), 0.8),
    _object("disc", ("metal disc", "round plate")),
    _object("ring", ("rubber ring", "ring")),
    _object("block", ("wooden block", "square block")),
    _object("wedge", ("triangular wedge", "plastic triangle")),
    _object("star", ("metal star", "star")),
    _object("cross", ("plastic cross", "plus sign")),
    _object("nut", ("metal nut", "hexagonal nut")),
    _object("crescent", ("plastic crescent", "crescent moon")),
    _object("drop", ("glass drop", "teardrop")),
    _object("rod", ("metal rod", "rounded bar")),
    Family("herringbone", _AUX, "texture", ("woven cloth",), (("grey", "black"),), (7, 8.5), 0.03, 0.3),
    Family("shingles", _AUX, "texture", ("roof tiles",), (("red", "brown"),), (5, 6), 0.02, 0.6),
    Family("mesh", _AUX, "texture", ("wire mesh",), (("silver", "black"),), (6, 7.5), 0.06, 0.6),
    Family("honeycomb", _AUX, "texture", ("bathroom tiles",), (("teal", "white"),), (5, 6.5), 0.03, 0.4),
    Family(
        *("gear", _AUX, "object", ("metal gear",), (("silver", "grey"),), (0.74, 0.86), 0.5, 0.6),
        grounds=("black", "blue"),
    ),
    Family(
        *("spoon", _AUX, "object", ("wooden spoon",), (("beige", "brown"),), (0.84, 0.94), 0.06, 0.6),
        grounds=("green", "grey"),
    ),
    Family(
        *("key", _AUX, "object", ("brass key",), (("yellow", "orange"),), (0.84, 0.94), 0.5, 0.6),
        grounds=("black", "beige"),
    ),
    Family(
        *("bottle", _AUX, "object", ("glass bottle",), (("green", "white"),), (0.86, 0.96), 0.04, 0.5),
        grounds=("white", "grey"),
    ),
    Family("quilt", _TARGET, "texture", ("quilted cloth",), (("purple", "pink"),), (4, 5), 0.03, 0.6),
    Family("cork", _TARGET, "texture", ("cork board",), (("beige", "brown"),), (9, 11), 0.5, 0.3),
    Family("rope", _TARGET, "texture", ("rope mat",), (("yellow", "brown"),), (5, 6), 0.04, 0.6),
    Family(
        *("hinge", _TARGET, "object", ("steel hinge",), (("grey", "silver"),), (0.78, 0.9), 0.05, 0.6),
        grounds=("beige", "green"),
    ),
    Family(
        *("plug", _TARGET, "object", ("power plug",), (("white", "silver"),), (0.8, 0.92), 0.06, 0.6),
        grounds=("blue", "black"),
    ),
    Family(
        *("fork", _TARGET, "object", ("table fork",), (("silver", "white"),), (0.86, 0.95), 0.06, 0.6),
        grounds=("red", "teal"),
    ),
)


def families_of(set_name: SetName) -> tuple[Family, ...]:
    """The families of one set, textures first."""
    found = [family for family in FAMILIES if set_name in family.sets]
    return tuple(sorted(found, key=lambda family: family.material != "texture"))

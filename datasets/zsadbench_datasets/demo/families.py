"""The texture families, object shapes and kinds of defect, and which set uses them.

There are three sets: `pretraining` (image–text pairs for the demo backbone), `demo-aux` (auxiliary data) and `demo`
(test data). No family is used by two of them; a kind of defect may be, with other parameters. Lengths are fractions of
the image's side, contrasts are grey levels out of 255, angles are turns.
"""

from dataclasses import dataclass
from typing import Literal

SetName = Literal["pretraining", "demo-aux", "demo"]
Material = Literal["texture", "object"]
Bounds = tuple[float, float]
Tones = tuple[tuple[str, str], ...]

SET_NAMES: tuple[SetName, ...] = ("pretraining", "demo-aux", "demo")

COLOURS = {
    "white": (212, 210, 205),
    "grey": (138, 140, 142),
    "black": (52, 52, 56),
    "red": (176, 58, 52),
    "orange": (205, 122, 52),
    "yellow": (206, 178, 70),
    "green": (78, 132, 74),
    "blue": (62, 96, 160),
    "purple": (120, 82, 146),
    "pink": (206, 138, 150),
    "brown": (118, 80, 52),
    "beige": (196, 172, 136),
    "silver": (172, 176, 182),
    "teal": (62, 130, 134),
}

TINGES = {  # what a defect adds to (red, green, blue), as fractions of its contrast
    "dark": (-1.0, -1.0, -1.0),
    "light": (1.0, 1.0, 1.0),
    "rust": (0.35, -0.5, -1.0),
    "grease": (-0.55, -0.7, -1.0),
    "mould": (-0.6, 0.0, -0.9),
    "chalk": (0.8, 0.9, 1.0),
    "ink": (-1.0, -0.8, 0.1),
    "reddish": (1.0, -0.6, -0.6),
    "bluish": (-0.6, -0.2, 1.0),
    "greenish": (-0.6, 0.6, -0.5),
}


@dataclass(frozen=True)
class Family:
    """One texture or one object; the images of its set are variations of it.

    Attributes:
        name: the class name, and the name of the function that computes it.
        set_name: the set that uses it.
        material: texture or object.
        words: words for captions; the first is used in prompts.
        tones: pairs of colours, the main colour first.
        scale: for a texture the number of periods per side, for an object the fraction of the side that it fills.
        turns: the largest rotation in either direction.
        relief: how strongly light and shade show its relief.
        grounds: colours of the background of an object.
    """

    name: str
    set_name: SetName
    material: Material
    words: tuple[str, ...]
    tones: Tones
    scale: Bounds
    turns: float
    relief: float
    grounds: tuple[str, ...] = ()


@dataclass(frozen=True)
class DefectParameters:
    """How one set uses a kind of defect: ranges of size, line width, contrast and number per image, and the tinges."""

    length: Bounds
    width: Bounds
    contrast: Bounds
    count: tuple[int, int]
    tinges: tuple[str, ...]


@dataclass(frozen=True)
class Kind:
    """One kind of defect: `words` for captions, the materials on which it occurs, and its parameters by set."""

    name: str
    words: tuple[str, ...]
    materials: tuple[Material, ...]
    by_set: dict[SetName, DefectParameters]


_ANY: Tones = (
    *(("blue", "white"), ("red", "beige"), ("green", "yellow"), ("grey", "white"), ("brown", "beige")),
    *(("purple", "pink"), ("teal", "silver"), ("orange", "brown"), ("black", "grey"), ("yellow", "red")),
)
_GROUNDS = ("white", "grey", "black", "beige", "blue", "green")


def _texture(name: str, words: tuple[str, ...], scale: Bounds, relief: float = 0.4) -> Family:
    return Family(name, "pretraining", "texture", words, _ANY, scale, 0.5, relief)


def _object(name: str, words: tuple[str, ...], relief: float = 0.5) -> Family:
    return Family(name, "pretraining", "object", words, _ANY, (0.55, 0.85), 0.5, relief, _GROUNDS)


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
    Family("herringbone", "demo-aux", "texture", ("woven cloth",), (("grey", "black"),), (7, 8.5), 0.03, 0.3),
    Family("shingles", "demo-aux", "texture", ("roof tiles",), (("red", "brown"),), (5, 6), 0.02, 0.6),
    Family(
        *("gear", "demo-aux", "object", ("metal gear",), (("silver", "grey"),), (0.74, 0.86), 0.5, 0.6),
        grounds=("black", "blue"),
    ),
    Family(
        *("spoon", "demo-aux", "object", ("wooden spoon",), (("beige", "brown"),), (0.84, 0.94), 0.06, 0.6),
        grounds=("green", "grey"),
    ),
    Family("knit", "demo", "texture", ("knitted cloth",), (("teal", "white"),), (7, 8.5), 0.025, 0.45),
    Family("terrazzo", "demo", "texture", ("speckled stone",), (("white", "brown"),), (9, 11), 0.5, 0.12),
    Family(
        *("bracket", "demo", "object", ("metal bracket",), (("grey", "silver"),), (0.78, 0.88), 0.06, 0.6),
        grounds=("white", "beige"),
    ),
    Family(
        *("padlock", "demo", "object", ("brass padlock",), (("yellow", "silver"),), (0.82, 0.92), 0.04, 0.6),
        grounds=("grey", "teal"),
    ),
)

_BOTH: tuple[Material, ...] = ("texture", "object")
KINDS = (
    Kind(
        *("scratch", ("scratch", "scratched surface"), _BOTH),
        {
            "pretraining": DefectParameters((0.1, 0.6), (0.01, 0.03), (20, 110), (1, 3), ("dark", "light", "reddish")),
            "demo-aux": DefectParameters((0.08, 0.3), (0.016, 0.034), (18, 80), (1, 2), ("dark", "ink")),
            "demo": DefectParameters((0.1, 0.6), (0.008, 0.016), (24, 95), (1, 4), ("light", "chalk")),
        },
    ),
    Kind(
        *("stain", ("stain", "stained surface"), _BOTH),
        {
            "pretraining": DefectParameters(
                (0.03, 0.25), (0, 0), (20, 110), (1, 3), ("dark", "light", "bluish", "greenish")
            ),
            "demo-aux": DefectParameters((0.024, 0.16), (0, 0), (14, 60), (1, 3), ("ink", "mould")),
            "demo": DefectParameters((0.014, 0.24), (0, 0), (12, 80), (1, 4), ("rust", "grease")),
        },
    ),
    Kind(
        *("hole", ("hole", "pierced surface"), _BOTH),
        {
            "pretraining": DefectParameters((0.03, 0.15), (0.01, 0.03), (60, 140), (1, 3), ("dark",)),
            "demo-aux": DefectParameters((0.03, 0.11), (0.016, 0.03), (34, 110), (1, 2), ("dark",)),
            "demo": DefectParameters((0.012, 0.08), (0.006, 0.014), (30, 130), (1, 4), ("dark",)),
        },
    ),
    Kind(
        *("crack", ("crack", "cracked surface"), _BOTH),
        {
            "pretraining": DefectParameters((0.15, 0.6), (0.01, 0.025), (40, 120), (1, 2), ("dark", "light")),
            "demo-aux": DefectParameters((0.12, 0.32), (0.014, 0.026), (22, 85), (1, 2), ("dark",)),
            "demo": DefectParameters((0.2, 0.7), (0.008, 0.014), (28, 100), (1, 1), ("dark", "grease")),
        },
    ),
    Kind(
        *("dent", ("dent", "dented surface"), _BOTH),
        {
            "pretraining": DefectParameters((0.06, 0.2), (0, 0), (12, 45), (1, 2), ("dark", "light")),
            "demo-aux": DefectParameters((0.08, 0.16), (0, 0), (12, 40), (1, 1), ("light",)),
            "demo": DefectParameters((0.04, 0.2), (0, 0), (8, 36), (1, 3), ("dark",)),
        },
    ),
    Kind(
        *("missing", ("missing part", "broken off"), ("object",)),
        {"demo": DefectParameters((0.05, 0.22), (0, 0), (255, 255), (1, 2), ("dark",))},
    ),
    Kind(
        *("misplaced", ("misplaced part", "patched surface"), _BOTH),
        {"demo": DefectParameters((0.08, 0.24), (0, 0), (255, 255), (1, 2), ("dark",))},
    ),
    Kind(
        *("smear", ("smear", "smeared surface"), _BOTH),
        {"demo": DefectParameters((0.06, 0.2), (0.06, 0.16), (255, 255), (1, 2), ("dark",))},
    ),
    Kind(
        *("thread", ("thread", "foreign fibre"), _BOTH),
        {"demo": DefectParameters((0.2, 0.7), (0.01, 0.02), (40, 120), (1, 2), ("reddish", "ink", "chalk"))},
    ),
    Kind(
        *("tint", ("discolouration", "faded colour"), _BOTH),
        {"demo": DefectParameters((0.06, 0.25), (0, 0), (12, 48), (1, 2), ("reddish", "bluish", "greenish"))},
    ),
)

KIND = {kind.name: kind for kind in KINDS}
DEMO_KINDS = tuple(kind.name for kind in KINDS if "demo" in kind.by_set)
SEEN_KINDS = tuple(name for name in DEMO_KINDS if "demo-aux" in KIND[name].by_set)
UNSEEN_KINDS = tuple(name for name in DEMO_KINDS if name not in SEEN_KINDS)


def families_of(set_name: SetName) -> tuple[Family, ...]:
    """The families of one set, textures first."""
    return tuple(family for family in FAMILIES if family.set_name == set_name)


def kinds_of(set_name: SetName, material: Material) -> tuple[Kind, ...]:
    """The kinds of defect that one set has on textures or on objects."""
    return tuple(kind for kind in KINDS if set_name in kind.by_set and material in kind.materials)

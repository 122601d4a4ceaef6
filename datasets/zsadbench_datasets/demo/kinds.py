"""The kinds of defect, which sets have them, and with which parameters.

`pretraining` and `demo-aux` have the same kinds with other parameters; half of the kinds of `demo` occur nowhere else.
Lengths are fractions of the image's side, contrasts are grey levels out of 255.
"""

from dataclasses import dataclass

from zsadbench_datasets.demo.families import Bounds, Material, SetName


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
    """One kind of defect: `words` for captions (none if not in `pretraining`), its materials, its parameters by set."""

    name: str
    words: tuple[str, ...]
    materials: tuple[Material, ...]
    by_set: dict[SetName, DefectParameters]


_BOTH: tuple[Material, ...] = ("texture", "object")
_DARK = ("dark",)
KINDS = (
    Kind(
        *("scratch", ("scratch", "scratched surface"), _BOTH),
        {
            "pretraining": DefectParameters((0.1, 0.6), (0.01, 0.03), (20, 110), (1, 3), ("dark", "light", "reddish")),
            "demo-aux": DefectParameters((0.08, 0.4), (0.014, 0.034), (24, 100), (1, 3), ("dark", "ink", "light")),
            "demo": DefectParameters((0.12, 0.6), (0.012, 0.024), (40, 110), (1, 4), ("light", "chalk")),
        },
    ),
    Kind(
        *("stain", ("stain", "stained surface"), _BOTH),
        {
            "pretraining": DefectParameters(
                (0.03, 0.25), (0, 0), (20, 110), (1, 3), ("dark", "light", "bluish", "greenish")
            ),
            "demo-aux": DefectParameters((0.03, 0.18), (0, 0), (24, 90), (1, 3), ("ink", "mould", "light")),
            "demo": DefectParameters((0.04, 0.2), (0, 0), (30, 100), (1, 3), ("rust", "grease")),
        },
    ),
    Kind(
        *("hole", ("hole", "pierced surface"), _BOTH),
        {
            "pretraining": DefectParameters((0.03, 0.15), (0.01, 0.03), (60, 140), (1, 3), _DARK),
            "demo-aux": DefectParameters((0.03, 0.11), (0.016, 0.03), (50, 120), (1, 2), _DARK),
            "demo": DefectParameters((0.025, 0.09), (0.01, 0.018), (50, 130), (1, 4), _DARK),
        },
    ),
    Kind(
        *("crack", ("crack", "cracked surface"), _BOTH),
        {
            "pretraining": DefectParameters((0.15, 0.6), (0.01, 0.025), (40, 120), (1, 2), ("dark", "light")),
            "demo-aux": DefectParameters((0.15, 0.45), (0.014, 0.026), (40, 100), (1, 2), _DARK),
            "demo": DefectParameters((0.2, 0.7), (0.012, 0.02), (45, 110), (1, 2), ("dark", "grease")),
        },
    ),
    Kind(
        *("dent", ("dent", "dented surface"), _BOTH),
        {
            "pretraining": DefectParameters((0.06, 0.2), (0, 0), (12, 45), (1, 2), ("dark", "light")),
            "demo-aux": DefectParameters((0.08, 0.16), (0, 0), (16, 45), (1, 2), ("light",)),
            "demo": DefectParameters((0.06, 0.2), (0, 0), (18, 45), (1, 3), _DARK),
        },
    ),
    Kind(
        *("flake", ("flake", "flaked surface"), _BOTH),
        {
            "pretraining": DefectParameters((0.04, 0.16), (0, 0), (20, 110), (1, 3), ("dark", "light", "chalk")),
            "demo-aux": DefectParameters((0.05, 0.14), (0, 0), (30, 90), (1, 2), ("chalk", "dark")),
            "demo": DefectParameters((0.05, 0.16), (0, 0), (35, 110), (1, 3), ("light", "rust")),
        },
    ),
    Kind(
        *("missing", (), ("object",)),
        {"demo": DefectParameters((0.08, 0.24), (0, 0), (255, 255), (1, 2), _DARK)},
    ),
    Kind(
        *("misplaced", (), _BOTH),
        {"demo": DefectParameters((0.1, 0.26), (0, 0), (255, 255), (1, 2), _DARK)},
    ),
    Kind(
        *("smear", (), _BOTH),
        {"demo": DefectParameters((0.08, 0.24), (0.06, 0.16), (255, 255), (1, 2), _DARK)},
    ),
    Kind(
        *("thread", (), _BOTH),
        {"demo": DefectParameters((0.2, 0.7), (0.014, 0.024), (50, 120), (1, 2), ("reddish", "ink", "chalk"))},
    ),
    Kind(
        *("tint", (), _BOTH),
        {"demo": DefectParameters((0.08, 0.25), (0, 0), (24, 70), (1, 2), ("reddish", "bluish", "greenish"))},
    ),
    Kind(
        *("scuff", (), _BOTH),
        {"demo": DefectParameters((0.06, 0.2), (0.008, 0.014), (40, 110), (1, 2), ("light", "dark"))},
    ),
)

KIND = {kind.name: kind for kind in KINDS}
DEMO_KINDS = tuple(kind.name for kind in KINDS if "demo" in kind.by_set)
SEEN_KINDS = tuple(name for name in DEMO_KINDS if "demo-aux" in KIND[name].by_set)
UNSEEN_KINDS = tuple(name for name in DEMO_KINDS if name not in SEEN_KINDS)


def kinds_of(set_name: SetName, material: Material) -> tuple[Kind, ...]:
    """The kinds of defect that one set has on textures or on objects."""
    return tuple(kind for kind in KINDS if set_name in kind.by_set and material in kind.materials)

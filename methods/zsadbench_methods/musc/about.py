"""What the registry knows about MuSc: fixtures, its transductive step, cost, card. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from zsadbench.errors import UsageError
from zsadbench.protocol import EvaluationProtocol
from zsadbench.types import Macs, MethodCard, Official, Paper, Taps, Transductive
from zsadbench_methods.musc.options import Options
from zsadbench_methods.parts.no_files import no_names, refuse_files

if TYPE_CHECKING:
    from torch import Tensor

    from zsadbench.clip import Backbone
    from zsadbench.clip.config import BackboneConfig
    from zsadbench.types import Scores
    from zsadbench_methods.musc.model import MuSc

IMAGES = 200  # of a class, for which the cost is stated


def fixture_options(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Translate the settings of a parity fixture into our options.

    Raises:
        UsageError: the nearest images are not counted from the first.
    """
    if settings["topmin_min"]:
        raise UsageError(f"fixture option 'topmin_min' is {settings['topmin_min']}; only 0 is known")
    return {
        "degrees": tuple(settings["r_list"]),
        "nearest": float(settings["topmin_max"]),
        "neighbours": tuple(settings["k_list"]),
        "norm_epsilon": float(settings["layer_norm_eps"]),
        "corners": "corners true" in settings["upsample"].replace("_", " "),
    }


def on_tokens(
    inputs: Mapping[str, Tensor], about: Mapping[str, Any], options: Options
) -> Mapping[str, Tensor | Scores]:
    """Recompute a fixture with given tokens."""
    from zsadbench_methods.musc.stages import on_tokens as recompute

    return recompute(inputs, about, options)


def transductive(options: Options) -> Transductive:
    """Return the step that scores all images of a class together, maps included."""
    return Transductive(
        "musc:mutual-scoring", "every image is compared with all other test images of its class", whole_class=True
    )


def macs(config: BackboneConfig, options: Options, grid: int) -> Macs:
    """Count the comparison of one image with the others of a class of 200, for every block and degree.

    One product serves both images of a pair, so that half of the products are executed.
    """
    products = len(options.layers) * len(options.degrees) * (IMAGES - 1) * grid**4 * config.vision.width
    return Macs({"mutual scoring": products}, {"mutual scoring": products // 2}, 0)


def _build(backbone: Backbone, options: Options) -> MuSc:
    from zsadbench_methods.musc.model import MuSc

    return MuSc(backbone, options)


def _taps(options: Options) -> Taps:
    return Taps(
        options.blocks,
        options.activation,
        options.position,
        "rgb_first",
        numbering=options.numbering,
        final_norm=options.final_norm,
    )


CARD = MethodCard(
    name="musc",
    version="1",
    paper=Paper(
        title="MuSc",
        venue="ICLR",
        year=2024,
        key="musc2024",
        url="https://github.com/xrli-U/MuSc",
        code="https://github.com/xrli-U/MuSc",
    ),
    options=Options,
    taps=_taps,
    build=_build,
    smoothing=0.0,
    protocols=(
        EvaluationProtocol(
            "paper:musc",
            mask_values="nonzero",
            mask_resize="bilinear-half",
            aupro="200_minmax",
            across_images="transductive",
        ),
    ),
    presets={"visa": {"neighbours": (1, 8, 9)}},
    official=Official(read=refuse_files, names=no_names, options=fixture_options, on_tokens=on_tokens),
    map_range=(0.0, 1.2),
    transductive=transductive,
    kinds=("clip", "image-text", "vision-only"),
    macs=macs,
)

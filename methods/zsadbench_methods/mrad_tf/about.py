"""What the registry knows about MRAD-TF: fixtures, cost, drawings, card. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from zsadbench.protocol import EvaluationProtocol
from zsadbench.types import Macs, MethodCard, Official, Paper, Recipe, StageNote, Taps
from zsadbench_methods.mrad_tf.options import Options
from zsadbench_methods.parts.no_files import no_names, refuse_files

if TYPE_CHECKING:
    from torch import Tensor

    from zsadbench.clip import Backbone
    from zsadbench.clip.config import BackboneConfig
    from zsadbench.types import Scores
    from zsadbench_methods.mrad_tf.stages import TracedMRADTF

LAST = 24
ENTRIES = 2162  # images of the test part of VisA, for which the cost is stated; twice as many entries of patches


def fixture_options(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Translate the settings of a parity fixture into our options."""
    return {
        "windows": tuple(settings["neighbour_windows"]),
        "temperature": float(settings["temperature"]),
        "sigma": float(settings["gaussian_sigma"]),
        "top_share": float(settings["top_share"]),
        "image_weight": float(settings["k"]),
    }


def on_tokens(
    inputs: Mapping[str, Tensor], about: Mapping[str, Any], options: Options
) -> Mapping[str, Tensor | Scores]:
    """Recompute a fixture with given tokens."""
    from zsadbench_methods.mrad_tf.stages import on_tokens as recompute

    return recompute(inputs, about, options)


def macs(config: BackboneConfig, options: Options, grid: int) -> Macs:
    """Count the retrieval from both memories of VisA's test part, and the projection of the class token.

    Executed is also the smoothing of the map, as two products of matrices.
    """
    width, joint = config.vision.width, config.embed_dim
    retrieval = grid**2 * 2 * ENTRIES * width + ENTRIES * joint
    parts = {"retrieval": retrieval, "class token": width * joint}
    return Macs(parts, {**parts, "smoothing": 2 * (grid * config.vision.patch_size) ** 3}, 0)


def _build(backbone: Backbone, options: Options) -> TracedMRADTF:
    from zsadbench_methods.mrad_tf.stages import TracedMRADTF

    return TracedMRADTF(backbone, options)


def _taps(options: Options) -> Taps:
    return Taps(
        blocks=(LAST,),
        activation=options.activation,
        position=options.position,
        preprocessing="resize_first",
        value_blocks=(LAST,),
        value_from=options.value_from,
    )


CARD = MethodCard(
    name="mrad-tf",
    version="1",
    paper=Paper(
        title="MRAD",
        venue="repository",
        year=2026,
        key="mrad2026",
        url="https://github.com/CROVO1026/MRAD",
        code="https://github.com/CROVO1026/MRAD",
    ),
    options=Options,
    taps=_taps,
    build=_build,
    smoothing=4.0,
    recipe=Recipe(
        epochs={},
        epochs_else=1,
        batch=8,
        lr=1.0,
        image_size=518,
        loss="none",
        one_pass=True,
    ),
    protocols=(
        EvaluationProtocol(
            "paper:mrad-tf",
            preprocessing="resize_first",
            mask_values="nonzero",
            mask_resize="bilinear-half",
            aupro="200_minmax",
        ),
    ),
    notes=(StageNote("map_grid", "share of abnormal memory", "softmax(cos)·values", "", scale="heat"),),
    official=Official(read=refuse_files, names=no_names, options=fixture_options, on_tokens=on_tokens),
    weight_bound=frozenset({"value_from", "windows", "position", "activation"}),
    macs=macs,
)

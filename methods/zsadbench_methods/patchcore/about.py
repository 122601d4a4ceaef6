"""What the registry knows about PatchCore's memory: fixtures, cost, drawings, card. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from zsadbench.types import Macs, MethodCard, Official, Paper, StageNote, Taps
from zsadbench_methods.parts.no_files import no_names, refuse_files
from zsadbench_methods.patchcore.options import Options

if TYPE_CHECKING:
    from torch import Tensor

    from zsadbench.clip import Backbone
    from zsadbench.clip.config import BackboneConfig
    from zsadbench.types import Scores
    from zsadbench_methods.patchcore.stages import TracedPatchCore

SHOTS = 200  # normal images for which the cost is stated


def fixture_options(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Translate the settings of a parity fixture into our options."""
    return {
        "side": int(settings["patchsize"]),
        "layer_width": int(settings["pretrain_embed_dimension"]),
        "width": int(settings["target_embed_dimension"]),
        "share": float(settings["percentage"]),
        "starts": int(settings["starting_points"]),
        "projected": int(settings["projection_dimension"]),
    }


def on_tokens(
    inputs: Mapping[str, Tensor], about: Mapping[str, Any], options: Options
) -> Mapping[str, Tensor | Scores]:
    """Recompute a fixture with given tokens."""
    from zsadbench_methods.patchcore.stages import on_tokens as recompute

    return recompute(inputs, about, options)


def needs_shots(options: Options) -> bool:
    """Whether it scores nothing without normal images: always."""
    return True


def macs(config: BackboneConfig, options: Options, grid: int) -> Macs:
    """Count the search of one image in the coreset of 200 normal images."""
    width = options.width or config.vision.width
    kept = grid**2 * SHOTS if options.coreset == "all" else int(options.share * grid**2 * SHOTS)
    search = {"search": grid**2 * kept * width}
    return Macs(search, search, 0)


def _build(backbone: Backbone, options: Options) -> TracedPatchCore:
    from zsadbench_methods.patchcore.stages import TracedPatchCore

    return TracedPatchCore(options)


def _taps(options: Options) -> Taps:
    return Taps(
        options.layers,
        options.activation,
        options.position,
        "rgb_first",
        numbering=options.numbering,
        final_norm=options.final_norm,
    )


CARD = MethodCard(
    name="patchcore",
    version="1",
    paper=Paper(
        title="Towards Total Recall in Industrial Anomaly Detection",
        venue="CVPR",
        year=2022,
        key="roth2022patchcore",
        url="https://arxiv.org/abs/2106.08265",
        code="https://github.com/amazon-science/patchcore-inspection",
        authors=(
            *("Karsten Roth", "Latha Pemula", "Joaquin Zepeda", "Bernhard Schölkopf"),
            *("Thomas Brox", "Peter Gehler"),
        ),
    ),
    options=Options,
    taps=_taps,
    build=_build,
    smoothing=4.0,
    notes=(StageNote("map_grid", "distance", "‖x − m‖² of the nearest kept patch", "", scale="heat", high=1000.0),),
    official=Official(read=refuse_files, names=no_names, options=fixture_options, on_tokens=on_tokens),
    map_range=(0.0, 1000.0),
    few_shot=True,
    needs_shots=needs_shots,
    kinds=("clip", "image-text", "vision-only"),
    macs=macs,
)

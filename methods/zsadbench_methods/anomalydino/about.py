"""What the registry knows about AnomalyDINO: fixtures, batched form, cost, card. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from zsadbench.protocol import EvaluationProtocol
from zsadbench.types import Macs, MethodCard, Official, Paper, StageNote, Taps, Transductive
from zsadbench_methods.anomalydino.options import Options
from zsadbench_methods.parts.no_files import no_names, refuse_files

if TYPE_CHECKING:
    from torch import Tensor

    from zsadbench.clip import Backbone
    from zsadbench.clip.config import BackboneConfig
    from zsadbench.types import Scores
    from zsadbench_methods.anomalydino.model import AnomalyDINO

SHOTS = 4  # normal images for which the cost is stated


def fixture_options(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Translate the settings of a parity fixture into our options."""
    return {
        "threshold": float(settings["threshold"]),
        "border": float(settings["border"]),
        "centre_share": float(settings["centre_share"]),
        "top_share": float(settings["top_share"]),
        "quantile": float(settings["batched_quantile"]),
        "angles": tuple(map(float, settings["angles"])),
    }


def on_tokens(
    inputs: Mapping[str, Tensor], about: Mapping[str, Any], options: Options
) -> Mapping[str, Tensor | Scores]:
    """Recompute a fixture with given tokens."""
    from zsadbench_methods.anomalydino.stages import on_tokens as recompute

    return recompute(inputs, about, options)


def transductive(options: Options) -> Transductive | None:
    """Return the step of the batched form; None for the few-shot form."""
    if not options.batched:
        return None
    return Transductive(
        "anomalydino:batched", "every image is compared with all other test images of its class", whole_class=True
    )


def turned_supports(options: Options) -> tuple[float, ...]:
    """Return the angles by which normal images are turned, in degrees."""
    return options.angles


def needs_shots(options: Options) -> bool:
    """Whether it scores nothing without normal images."""
    return not options.batched


def macs(config: BackboneConfig, options: Options, grid: int) -> Macs:
    """Count the search of one image among the patches of four normal images and their turned copies."""
    patches = grid**2
    search = {"search": patches * patches * SHOTS * len(options.angles) * config.vision.width}
    return Macs(search, search, 0)


def _build(backbone: Backbone, options: Options) -> AnomalyDINO:
    from zsadbench_methods.anomalydino.model import AnomalyDINO

    return AnomalyDINO(backbone, options)


def _taps(options: Options) -> Taps:
    return Taps(
        (options.layer,),
        options.activation,
        options.position,
        "opencv_rgb",
        numbering=options.numbering,
        final_norm=options.final_norm,
    )


CARD = MethodCard(
    name="anomalydino",
    version="1",
    paper=Paper(
        title="AnomalyDINO",
        venue="repository",
        year=2024,
        key="anomalydino2024",
        url="https://github.com/dammsi/AnomalyDINO",
        code="https://github.com/dammsi/AnomalyDINO",
    ),
    options=Options,
    taps=_taps,
    build=_build,
    smoothing=4.0,
    protocols=(EvaluationProtocol("paper:anomalydino", mask_values="nonzero", across_images="transductive"),),
    notes=(StageNote("map_grid", "distance", "1 − cos of the nearest remembered patch", "", scale="heat"),),
    official=Official(read=refuse_files, names=no_names, options=fixture_options, on_tokens=on_tokens),
    few_shot=True,
    needs_shots=needs_shots,
    turned_supports=turned_supports,
    transductive=transductive,
    kinds=("clip", "image-text", "vision-only"),
    macs=macs,
)

"""What the registry knows about MFP-CLIP: recipe, protocol, drawings, card. Imports no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zsadbench.protocol import EvaluationProtocol
from zsadbench.types import MethodCard, Paper, Recipe, StageNote, Taps
from zsadbench_methods.mfpclip.cost import macs
from zsadbench_methods.mfpclip.options import Options
from zsadbench_methods.mfpclip.weights import extra_weights

if TYPE_CHECKING:
    from zsadbench.clip import Backbone
    from zsadbench_methods.mfpclip.stages import TracedMFPCLIP

NOTES = (
    StageNote("coarse", "coarse map", "map of the first pass, which masks the image", "", scale="heat"),
    StageNote("vision_tokens_l*", "patches", "x after a tapped block of the last pass", "", "tokens"),
    StageNote(
        "aggregated_l*",
        "nearer to abnormal",
        "cos(F, T_a) − cos(F, T_n), F aggregated",
        "",
        "text",
        -0.5,
        0.5,
        "signed",
    ),
    StageNote("map_l*", "map of a stage", "softmax of 100·cos with both texts", "", scale="heat"),
    StageNote("map", "map at the size of the input", "mean of the stages, enlarged", "", scale="heat"),
)


def _build(backbone: Backbone, options: Options) -> TracedMFPCLIP:
    from zsadbench_methods.mfpclip.stages import TracedMFPCLIP

    return TracedMFPCLIP(backbone, options)


def _taps(options: Options) -> Taps:
    return Taps(options.layers, options.activation, options.position, "rgb_first", own_encoding=True)


PAPER_PROTOCOL = EvaluationProtocol(
    "paper:mfpclip",
    mask_values="nonzero",
    mask_resize="bilinear-half",
    seeds=(111,),
    epochs=(("mvtec", 100), ("visa", 100)),
)

CARD = MethodCard(
    name="mfpclip",
    version="1",
    paper=Paper(
        title="MFP-CLIP: Exploring the Efficacy of Multi-Form Prompts for Zero-Shot Industrial Anomaly Detection",
        venue="arXiv",
        year=2025,
        key="yuan2025mfpclip",
        url="https://arxiv.org/html/2503.12910v1",
        authors=("Jingyi Yuan", "Pengyu Jie", "Junyin Zhang", "Ziao Li", "Chenqiang Gao"),
    ),
    options=Options,
    taps=_taps,
    build=_build,
    smoothing=0.0,
    recipe=Recipe(
        epochs={"demo-aux": 2},  # 336 generated images; chosen by tools/demo_recipe
        epochs_else=15,
        batch=8,
        lr=1e-3,
        betas=(0.9, 0.999),
        image_size=518,
        loss="focal+dice+cross-entropy",
        lr_by_epoch=True,
    ),
    protocols=(PAPER_PROTOCOL,),
    notes=NOTES,
    macs=macs,
    unofficial=True,
    extra_weights=extra_weights,
)

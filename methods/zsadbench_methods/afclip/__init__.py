"""AF-CLIP and AF-CLIP+ (ACM MM 2025): what the registry knows of them, without importing torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zsadbench.protocol import EvaluationProtocol
from zsadbench.types import MethodCard, Official, Paper, Recipe, Taps
from zsadbench_methods.afclip import official
from zsadbench_methods.afclip.macs import macs
from zsadbench_methods.afclip.notes import NOTES
from zsadbench_methods.afclip.options import Options

if TYPE_CHECKING:
    from zsadbench.clip import Backbone
    from zsadbench_methods.afclip.model import AFCLIP


def _build(backbone: Backbone, chosen: Options) -> AFCLIP:
    from zsadbench_methods.afclip.model import AFCLIP

    return AFCLIP(backbone, chosen)


def _taps(chosen: Options) -> Taps:
    return Taps(chosen.blocks, chosen.activation, chosen.position, "rgb_first")


PAPER_PROTOCOL = EvaluationProtocol("paper:afclip", mask_resize="bicubic-half", aupro="200_max", seeds=(122,))

CARD = MethodCard(
    name="afclip",
    paper=Paper(
        title="AF-CLIP: zero-shot anomaly detection via anomaly-focused CLIP adaptation",
        venue="ACM MM",
        year=2025,
        key="fang2025afclip",
        code="https://github.com/Faustinaqq/AF-CLIP",
    ),
    options=Options,
    taps=_taps,
    build=_build,
    smoothing=4.0,
    recipe=Recipe(
        epochs={"demo-aux": 3},
        epochs_else=2,
        batch=8,
        lr=1e-4,
        betas=(0.5, 0.999),
        image_size=518,
        loss="focal+l1+alignment",
        mask="nonzero-bicubic-grey",
        on={"demo-aux": {"batch": 2}},  # 192 drawn images; chosen by tools/demo_recipe
    ),
    protocols=(PAPER_PROTOCOL,),
    notes=NOTES,
    official=Official(
        read=official.read,
        names=official.names,
        options=official.options,
        variants=official.variants,
        companions=official.companions,
    ),
    weight_bound=frozenset(
        {"layers", "windows", "window_sigma", "renormalise_border", "context", "context_place", "normal", "abnormal"}
        | {"adapter", "temperature", "position", "activation"}
    ),
    few_shot=True,
    macs=macs,
)

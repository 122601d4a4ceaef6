"""AnomalyCLIP (ICLR 2024): what the registry knows of it, without importing torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zsadbench.protocol import EvaluationProtocol
from zsadbench.types import MethodCard, Official, Paper, Recipe, Taps
from zsadbench_methods.anomalyclip import official
from zsadbench_methods.anomalyclip.macs import macs
from zsadbench_methods.anomalyclip.notes import NOTES
from zsadbench_methods.anomalyclip.options import LAST, Options

if TYPE_CHECKING:
    from zsadbench.clip import Backbone
    from zsadbench_methods.anomalyclip.model import AnomalyCLIP


def _build(backbone: Backbone, chosen: Options) -> AnomalyCLIP:
    from zsadbench_methods.anomalyclip.model import AnomalyCLIP

    return AnomalyCLIP(backbone, chosen)


def _taps(chosen: Options) -> Taps:
    """The last block for its class token; the layers on either path."""
    plain = () if chosen.value_value else chosen.layers
    return Taps(
        blocks=tuple(sorted({*plain, LAST})),
        activation=chosen.activation,
        position=chosen.position,
        preprocessing="resize_first",
        value_blocks=chosen.layers if chosen.value_value else (),
        value_from=chosen.value_from,
    )


PAPER_PROTOCOL = EvaluationProtocol(
    "paper:anomalyclip",
    preprocessing="resize_first",
    mask_values="nonzero",
    mask_resize="bilinear-half",
    aupro="200_minmax",
    seeds=(111,),
)

CARD = MethodCard(
    name="anomalyclip",
    paper=Paper(
        title="AnomalyCLIP: object-agnostic prompt learning for zero-shot anomaly detection",
        venue="ICLR",
        year=2024,
        key="zhou2024anomalyclip",
        url="https://arxiv.org/abs/2310.18961",
        code="https://github.com/zqhang/AnomalyCLIP",
    ),
    options=Options,
    taps=_taps,
    build=_build,
    smoothing=4.0,
    recipe=Recipe(
        epochs={"demo-aux": 1},
        epochs_else=15,
        batch=8,
        lr=1e-3,
        betas=(0.5, 0.999),
        image_size=518,
        loss="cross-entropy+focal+dice",
        on={"demo-aux": {"lr": 1e-2, "batch": 2}},  # 192 drawn images; chosen by tools/demo_recipe
    ),
    protocols=(PAPER_PROTOCOL,),
    notes=NOTES,
    official=Official(read=official.read, names=official.names, options=official.options, variants=official.variants),
    weight_bound=frozenset(
        {"layers", "value_value", "value_from", "context", "class_word", "damage_word"}
        | {"deep_depth", "deep_length", "deep_half", "cls_norm", "temperature", "position", "activation"}
    ),
    macs=macs,
)

"""FB-CLIP (CVPR 2026): what the registry knows of it, without importing torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zsadbench.protocol import EvaluationProtocol
from zsadbench.types import MethodCard, Official, Paper, Recipe, Taps
from zsadbench_methods.fbclip import official
from zsadbench_methods.fbclip.macs import macs
from zsadbench_methods.fbclip.notes import NOTES
from zsadbench_methods.fbclip.options import BASE, Options

if TYPE_CHECKING:
    from zsadbench.clip import Backbone
    from zsadbench_methods.fbclip.model import FBCLIP


def _build(backbone: Backbone, chosen: Options) -> FBCLIP:
    from zsadbench_methods.fbclip.model import FBCLIP

    return FBCLIP(backbone, chosen)


def _taps(chosen: Options) -> Taps:
    return Taps(chosen.layers, chosen.activation, chosen.position, "resize_first")


PAPER_PROTOCOL = EvaluationProtocol(
    "paper:fbclip",
    preprocessing="resize_first",
    mask_values="nonzero",
    mask_resize="bilinear-half",
    unsmoothed=("realiad",),
    aupro="200_minmax",
    epochs=(("mvtec", 2), ("visa", 3)),
    seeds=(111,),
)

CARD = MethodCard(
    name="fbclip",
    paper=Paper(
        title="FB-CLIP: foreground-background disentanglement for zero-shot anomaly detection",
        venue="CVPR",
        year=2026,
        key="fbclip2026",
        code="https://github.com/Xi-Mu-Yu/FB-CLIP",
    ),
    options=Options,
    taps=_taps,
    build=_build,
    smoothing=4.0,
    recipe=Recipe(
        epochs={"mvtec": 2, "visa": 3},
        epochs_else=2,
        batch=4,
        lr=5e-5,
        betas=(0.5, 0.999),
        image_size=518,
        loss="focal+dice+consistency",
        on={"demo-aux": {"lr": 3e-3, "batch": 2}},  # 192 drawn images: more steps, and longer ones
    ),
    protocols=(PAPER_PROTOCOL,),
    presets={"base": BASE},
    notes=NOTES,
    official=Official(read=official.read, names=official.names, options=official.options),
    weight_bound=frozenset(
        {"layers", "context", "class_word", "text_causal", "views", "poolings", "fb_attention", "gate", "bs"}
        | {
            "weight_mean",
            "weight_attention",
            "weight_eot",
            "foreground_threshold",
            "mask_smoothing",
            "background_value",
        }
        | {"sem_weight_by_key", "bs_fraction", "bs_select", "bs_mix", "temperature", "image_score"}
        | {"position", "activation"}
    ),
    macs=macs,
)

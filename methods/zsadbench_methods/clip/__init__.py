"""Plain CLIP with two sentences: the floor that every method is measured against."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zsadbench.types import MethodCard, Paper, Taps
from zsadbench_methods.clip.macs import macs
from zsadbench_methods.clip.options import Options

if TYPE_CHECKING:
    from zsadbench.clip import Backbone
    from zsadbench_methods.clip.model import PlainCLIP


def _build(backbone: Backbone, chosen: Options) -> PlainCLIP:
    from zsadbench_methods.clip.model import PlainCLIP

    return PlainCLIP(backbone, chosen)


def _taps(chosen: Options) -> Taps:
    return Taps((chosen.layer,), chosen.activation, chosen.position, "rgb_first")


CARD = MethodCard(
    name="clip",
    paper=Paper(
        title="Learning Transferable Visual Models From Natural Language Supervision",
        venue="ICML",
        year=2021,
        key="radford2021learning",
        code="https://github.com/openai/CLIP",
    ),
    options=Options,
    taps=_taps,
    build=_build,
    smoothing=4.0,
    macs=macs,
)

"""Two controls that learn nothing and read no text: how far a patch lies from the mean of its image.

A trained method that does no better than these has found what stands out, not what is wrong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zsadbench.types import Macs, MethodCard, Paper, Taps
from zsadbench_methods.distance.options import ColourOptions, TokenOptions

if TYPE_CHECKING:
    from zsadbench.clip import Backbone
    from zsadbench.clip.config import BackboneConfig
    from zsadbench_methods.distance.model import Distance

OURS = Paper(title="Control of zsadbench: distance to the image's own mean", venue="none", year=2026, key="zsadbench")
FAR = 4.0  # where the colours of a heat map end; distances have no largest value


def _build(backbone: Backbone, chosen: TokenOptions | ColourOptions) -> Distance:
    from zsadbench_methods.distance.model import Distance

    return Distance()


def _tokens(chosen: TokenOptions) -> Taps:
    return Taps((chosen.layer,), chosen.activation, chosen.position, "rgb_first")


def _colours(chosen: ColourOptions) -> Taps:
    return Taps(preprocessing="rgb_first", colours=True)


def _macs(config: BackboneConfig, chosen: TokenOptions | ColourOptions, grid: int) -> Macs:
    return Macs({}, {}, 0)  # distances are no products of matrices


TOKENS = MethodCard(
    name="token-distance",
    paper=OURS,
    options=TokenOptions,
    taps=_tokens,
    build=_build,
    smoothing=4.0,
    map_range=(0.0, FAR),
    macs=_macs,
)

COLOURS = MethodCard(
    name="colour-distance",
    paper=OURS,
    options=ColourOptions,
    taps=_colours,
    build=_build,
    smoothing=4.0,
    map_range=(0.0, FAR),
    macs=_macs,
)

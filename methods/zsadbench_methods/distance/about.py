"""What the registry knows about the two controls: their cards. Imports no torch.

The controls learn nothing and read no text: they measure how far a patch lies from the mean of its image. A trained
method that does no better detects what differs from the rest of the image, not what is defective.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zsadbench.types import BackboneKind, Macs, MethodCard, Paper, Taps
from zsadbench_methods.distance.options import ColourOptions, TokenOptions

if TYPE_CHECKING:
    from zsadbench.clip import Backbone
    from zsadbench.clip.config import BackboneConfig
    from zsadbench_methods.distance.stages import TracedDistance

OURS = Paper(title="Control of zsadbench: distance to the image's own mean", venue="none", year=2026, key="zsadbench")
ANY_KIND: tuple[BackboneKind, ...] = ("clip", "image-text", "vision-only")
FAR = 4.0  # upper end of the colour scale of heat maps; distances have no largest value


def _build(backbone: Backbone, options: TokenOptions | ColourOptions) -> TracedDistance:
    from zsadbench_methods.distance.stages import TracedDistance

    return TracedDistance()


def _token_taps(options: TokenOptions) -> Taps:
    return Taps((options.layer,), options.activation, options.position, "rgb_first")


def _colour_taps(options: ColourOptions) -> Taps:
    return Taps(preprocessing="rgb_first", colours=True)


def macs(config: BackboneConfig, options: TokenOptions | ColourOptions, grid: int) -> Macs:
    """Count no multiply-accumulates: distances are not products of matrices."""
    return Macs({}, {}, 0)


TOKENS = MethodCard(
    name="token-distance",
    version="1",
    paper=OURS,
    options=TokenOptions,
    taps=_token_taps,
    build=_build,
    smoothing=4.0,
    map_range=(0.0, FAR),
    kinds=ANY_KIND,
    macs=macs,
)

COLOURS = MethodCard(
    name="colour-distance",
    version="1",
    paper=OURS,
    options=ColourOptions,
    taps=_colour_taps,
    build=_build,
    smoothing=4.0,
    map_range=(0.0, FAR),
    kinds=ANY_KIND,
    macs=macs,
)

"""What the registry knows about plain CLIP: cost and card. Imports no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zsadbench.clip.macs import text_macs
from zsadbench.types import Macs, MethodCard, Paper, Taps
from zsadbench_methods.clip.options import Options

if TYPE_CHECKING:
    from zsadbench.clip import Backbone
    from zsadbench.clip.config import BackboneConfig
    from zsadbench_methods.clip.stages import TracedPlainCLIP


def macs(config: BackboneConfig, options: Options, grid: int) -> Macs:
    """Count the multiply-accumulates per image of grid² patches, the image tower excluded.

    They are the projection of every token and its products with two sentences.
    """
    tokens, joint = 1 + grid**2, config.embed_dim
    image = {"projection": config.joint_macs(grid**2), "text": tokens * joint * 2}
    return Macs(image, image, text_macs(config, 2))


def _build(backbone: Backbone, options: Options) -> TracedPlainCLIP:
    from zsadbench_methods.clip.stages import TracedPlainCLIP

    return TracedPlainCLIP(backbone, options)


def _taps(options: Options) -> Taps:
    return Taps((options.layer,), options.activation, options.position, "rgb_first")


CARD = MethodCard(
    name="clip",
    version="1",
    paper=Paper(
        title="Learning Transferable Visual Models From Natural Language Supervision",
        venue="ICML",
        year=2021,
        key="radford2021learning",
        url="https://arxiv.org/abs/2103.00020",
        code="https://github.com/openai/CLIP",
        authors=(
            "Alec Radford",
            "Jong Wook Kim",
            "Chris Hallacy",
            "Aditya Ramesh",
            "Gabriel Goh",
            "Sandhini Agarwal",
            "Girish Sastry",
            "Amanda Askell",
            "Pamela Mishkin",
            "Jack Clark",
            "Gretchen Krueger",
            "Ilya Sutskever",
        ),
    ),
    options=Options,
    taps=_taps,
    build=_build,
    smoothing=4.0,
    macs=macs,
    kinds=("clip", "image-text"),
)

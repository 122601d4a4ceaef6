"""What the registry knows about WinCLIP and WinCLIP+: settings of fixtures, cost, drawings, card. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zsadbench.clip.macs import attention_macs, block_macs, image_macs, text_macs
from zsadbench.errors import WeightsError
from zsadbench.protocol import EvaluationProtocol
from zsadbench.types import Macs, MethodCard, Official, Paper, StageNote, Taps, Variant
from zsadbench_methods.parts.states import NORMAL
from zsadbench_methods.winclip.options import Options
from zsadbench_methods.winclip.prompts import ABNORMAL, ANOMALIB, CANONICAL

if TYPE_CHECKING:
    from torch import Tensor

    from zsadbench.clip import Backbone
    from zsadbench.clip.config import BackboneConfig, VisionConfig
    from zsadbench_methods.winclip.stages import TracedWinCLIP

# --- the second public implementation, and fixtures -----------------------------------------------

CAOYUNKANG: Mapping[str, Any] = {
    "templates": "canonical",
    "period": False,
    "normalise_text": True,
    "temperature": 0.01,
    "aggregation": "normal",
    "whole_image": False,
    "image_score": "map",
    "patches": False,
    "fusion": "harmonic",
    "first_window_shifted": True,
}


def read_published(paths: Sequence[Path]) -> dict[str, Tensor]:
    """Refuse any file: nothing is trained.

    Raises:
        WeightsError: always.
    """
    raise WeightsError(f"{', '.join(map(str, paths))}: WinCLIP trains nothing, so there are no checkpoints of it")


def fixture_options(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Translate the settings of a parity fixture into our options."""
    return {"scales": tuple(settings["scales"]), "temperature": float(settings["temperature"])}


def fixture_variants(settings: Mapping[str, Any]) -> dict[str, Variant]:
    """Find what a parity fixture repeats: with normal images, with given text features, and by the second code."""
    second = settings.get("second_flavour", {})
    other = {**CAOYUNKANG, "temperature": 1 / float(second.get("logit_scale", 1 / CAOYUNKANG["temperature"]))}
    supports, text = "references", "text_override"
    return {
        "few_shot_": Variant(supports=supports),
        "wide_": Variant(text=text),
        "wide_few_shot_": Variant(supports=supports, text=text),
        "b_": Variant(other),
        "b_few_shot_": Variant(other, supports=supports),
        "b_wide_": Variant(other, text=text),
    }


# --- cost -----------------------------------------------------------------------------------------

LENGTHS = (16, 14)  # tokens of the longest sentence per side, for a class whose name is one token, both ends included


def macs(config: BackboneConfig, options: Options, grid: int) -> Macs:
    """Count the multiply-accumulates per image of grid² patches; the memory of shots is excluded.

    The number inside the encoder is that of the whole image and of every window. The last block of a window computes
    its class token alone, from the keys and values of all its tokens.
    """
    vision, joint = config.vision, config.embed_dim
    windows = {scale: (grid - scale + 1) ** 2 for scale in options.scales}
    encoder = image_macs(vision, grid * vision.patch_size) + vision.width * joint
    encoder += sum(count * _window_macs(vision, 1 + scale**2, joint) for scale, count in windows.items())
    head = {
        "text": (1 + sum(windows.values())) * joint * 2,
        "aggregation": sum(windows.values()) * grid**2,
    }
    captions = len(ANOMALIB if options.templates == "anomalib" else CANONICAL)
    states = (len(NORMAL), len(ABNORMAL))
    text = sum(text_macs(config, count * captions, length) for count, length in zip(states, LENGTHS, strict=True))
    return Macs(head, head, text, encoder)


def _window_macs(vision: VisionConfig, tokens: int, joint: int) -> int:
    """Count one window of `tokens` tokens, the class token included."""
    width = vision.width
    last = 3 * tokens * width**2 + attention_macs(1, tokens, width) + 9 * width**2
    return (vision.layers - 1) * block_macs(tokens, width) + last + width * joint


# --- drawings of the stages -----------------------------------------------------------------------

NOTES = (
    StageNote("patch_features", "patches", "LN(x) after the last block", "Section 4.3", "tokens"),
    StageNote("aggregated_s*", "windows, averaged", "harmonic mean of the windows over a patch", "Section 4.2"),
    StageNote("textual_grid", "all scales", "harmonic mean of the scales", "Section 4.2"),
    StageNote("visual_grid", "distance to normal images", "mean over scales of min (1 − cos)/2", "Section 4.3"),
    StageNote("map_grid", "map", "all scales; with normal images, the mean with their distance", "", scale="heat"),
)

# --- the card -------------------------------------------------------------------------------------


def _build(backbone: Backbone, options: Options) -> TracedWinCLIP:
    from zsadbench_methods.winclip.stages import TracedWinCLIP

    return TracedWinCLIP(backbone, options)


def _taps(options: Options) -> Taps:
    return Taps((), options.activation, options.position, "rgb_first", own_encoding=True)


PAPER_PROTOCOL = EvaluationProtocol("paper:winclip", smoothing="none")

CARD = MethodCard(
    name="winclip",
    version="1",
    paper=Paper(
        title="WinCLIP: Zero-/Few-Shot Anomaly Classification and Segmentation",
        venue="CVPR",
        year=2023,
        key="jeong2023winclip",
        url="https://openaccess.thecvf.com/content/CVPR2023/html/Jeong_WinCLIP_Zero-Few-Shot_Anomaly_Classification_and_Segmentation_CVPR_2023_paper.html",
        authors=(
            "Jongheon Jeong",
            "Yang Zou",
            "Taewan Kim",
            "Dongqing Zhang",
            "Avinash Ravichandran",
            "Onkar Dabeer",
        ),
    ),
    options=Options,
    taps=_taps,
    build=_build,
    smoothing=0.0,
    protocols=(PAPER_PROTOCOL,),
    presets={"caoyunkang": CAOYUNKANG},
    official=Official(read=read_published, names=dict, options=fixture_options, variants=fixture_variants),
    few_shot=True,
    notes=NOTES,
    macs=macs,
    native_size=True,
)

"""What the registry knows about APRIL-GAN: published checkpoints, finishing step, cost, drawings, card. No torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zsadbench.checkpoints import read_archive, tensors_of, unwrap
from zsadbench.clip.macs import text_macs
from zsadbench.errors import WeightsError
from zsadbench.protocol import EvaluationProtocol
from zsadbench.types import Macs, MethodCard, Official, Paper, Recipe, StageNote, Taps, Transductive, Variant
from zsadbench_methods.aprilgan.options import Options
from zsadbench_methods.aprilgan.prompts import TEMPLATES
from zsadbench_methods.parts.states import ABNORMAL, NORMAL

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from zsadbench.clip import Backbone
    from zsadbench.clip.config import BackboneConfig
    from zsadbench_methods.aprilgan.stages import TracedAPRILGAN

# --- published checkpoints ------------------------------------------------------------------------

ENTRY = "trainable_linearlayer"


def published_names() -> dict[str, str]:
    """Map published tensor names to ours."""
    numbers = range(len(Options.layers))
    return {f"fc.{k}.{part}": f"linear.{k}.{part}" for k in numbers for part in ("weight", "bias")}


def read_published(paths: Sequence[Path]) -> dict[str, Tensor]:
    """Read one published file, a dictionary with the entry `trainable_linearlayer`, whatever it is wrapped in.

    Raises:
        WeightsError: it is not one such file, or a tensor is missing.
    """
    if len(paths) != 1:
        raise WeightsError(f"APRIL-GAN publishes one checkpoint file, {len(paths)} were given")
    raw, names = read_archive(paths[0]), published_names()
    tensors = tensors_of(unwrap(raw, names, str(paths[0])))
    if not tensors:
        raise WeightsError(f"{paths[0]} is no APRIL-GAN checkpoint: it has no entry '{ENTRY}'")
    missing, more = sorted(names.keys() - tensors.keys()), sorted(tensors.keys() - names.keys())
    if missing or more:
        wrong = f"{missing[0]} is missing" if missing else f"it also has {more[0]}"
        raise WeightsError(f"{paths[0]} is no APRIL-GAN checkpoint of {len(Options.layers)} layers: {wrong}")
    return {ours: tensors[theirs].float() for theirs, ours in names.items()}


def fixture_options(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Translate the settings of a parity fixture into our options."""
    training = settings.get("training", {})
    return {
        "layers": tuple(settings["layers"]),
        "logit_scale": float(settings["logit_scale"]),
        "memory_layers": tuple(settings.get("few_shot_layers", settings["layers"])),
        "map_share": 1 - float(settings.get("few_shot_image_weight", 1 - Options.map_share)),
        "focal_gamma": float(training.get("focal_gamma", Options.focal_gamma)),
        "focal_smoothing": float(training.get("focal_smooth", Options.focal_smoothing)),
    }


def fixture_variants(settings: Mapping[str, Any]) -> dict[str, Variant]:
    """Find what a parity fixture repeats: with normal images, and the losses of the first image alone."""
    return {"few_shot_": Variant(supports="references"), "single": Variant(images=1)}


# --- the image score of the few-shot form ---------------------------------------------------------

CLASS_TOKEN, MAP_MAX = "class_token", "map_max"


def transductive(options: Options) -> Transductive:
    """Return the finishing step of the few-shot form, for these options."""
    return Transductive(
        name="aprilgan:map-maxima-scaled",
        description="mean of the class token's score and the map's maximum, scaled to 0..1 over the class",
        parts=(CLASS_TOKEN, MAP_MAX),
        finish=partial(scale_maxima, share=options.map_share),
        with_supports=True,
    )


def scale_maxima(parts: Mapping[str, NDArray[np.float64]], share: float) -> NDArray[np.float64]:
    """Scale the maxima of the maps over all images, and add them to the scores of the class tokens.

    Maxima that are all equal count as 0.
    """
    maxima = parts[MAP_MAX]
    span = maxima.max() - maxima.min()
    scaled = (maxima - maxima.min()) / (span or 1.0)
    mixed: NDArray[np.float64] = (1 - share) * parts[CLASS_TOKEN] + share * scaled
    return mixed


# --- cost -----------------------------------------------------------------------------------------

LENGTHS = (16, 14)  # tokens of the longest sentence per side, for a class whose name is one token, both ends included


def macs(config: BackboneConfig, options: Options, grid: int) -> Macs:
    """Count the multiply-accumulates per image of grid² patches, image tower and memory of shots excluded.

    They are the linear layers, the projection of the class token, and the products with both texts. Executed is one
    product with the difference of both texts.
    """
    patches, width, joint = len(options.layers) * grid**2, config.vision.width, config.embed_dim
    both = {"linear": patches * width * joint, "class token": width * joint}
    executed = {**both, "text": (patches + 1) * joint}
    states = (len(NORMAL), len(ABNORMAL))
    text = sum(text_macs(config, count * len(TEMPLATES), length) for count, length in zip(states, LENGTHS, strict=True))
    return Macs({**both, "text": 2 * (patches + 1) * joint}, executed, text)


# --- drawings of the stages -----------------------------------------------------------------------

NOTES = (
    StageNote("vision_tokens_l*", "patches", "x after a tapped block", "", "tokens"),
    StageNote(
        "projected_l*", "nearer to abnormal", "cos(A·x + b, T_a) − cos(A·x + b, T_n)", "", "text", -0.5, 0.5, "signed"
    ),
    StageNote("map_grid", "logits", "100·cos with T_n and with T_a, per layer", "", "values", -50.0, 50.0, "signed"),
    StageNote(
        "few_shot_distance", "distance to the memory", "1 − cos of the nearest patch, per layer", "", scale="heat"
    ),
    StageNote(
        "map", "map", "sum over layers of softmax(100·cos), and of the distances", "", "values", 0.0, 4.0, "heat"
    ),
)

# --- the card -------------------------------------------------------------------------------------


def _build(backbone: Backbone, options: Options) -> TracedAPRILGAN:
    from zsadbench_methods.aprilgan.stages import TracedAPRILGAN

    return TracedAPRILGAN(backbone, options)


def _taps(options: Options) -> Taps:
    return Taps(options.blocks, options.activation, options.position, "rgb_first")


PAPER_PROTOCOL = EvaluationProtocol(
    "paper:aprilgan",
    mask_values="nonzero",
    mask_resize="bilinear-half",
    aupro="200_minmax",
    seeds=(111,),
    across_images="transductive",
)

CARD = MethodCard(
    name="aprilgan",
    version="1",
    paper=Paper(
        title="APRIL-GAN: A Zero-/Few-Shot Anomaly Classification and Segmentation Method for CVPR 2023 VAND Workshop "
        "Challenge Tracks 1&2: 1st Place on Zero-shot AD and 4th Place on Few-shot AD",
        venue="arXiv",
        year=2023,
        key="chen2023aprilgan",
        url="https://arxiv.org/abs/2305.17382",
        code="https://github.com/ByChelsea/VAND-APRIL-GAN",
        authors=("Xuhai Chen", "Yue Han", "Jiangning Zhang"),
    ),
    options=Options,
    taps=_taps,
    build=_build,
    smoothing=0.0,
    recipe=Recipe(
        epochs={"mvtec": 3, "visa": 15, "demo-aux": 1},
        epochs_else=3,
        batch=8,
        lr=1e-3,
        betas=(0.5, 0.999),
        image_size=518,
        loss="focal+dice",
        on={
            "mvtec": {"mosaic": "by_defect"},
            "demo-aux": {"lr": 3e-3},  # 336 generated images; chosen by tools/demo_recipe
        },
    ),
    protocols=(PAPER_PROTOCOL,),
    notes=NOTES,
    official=Official(read=read_published, names=published_names, options=fixture_options, variants=fixture_variants),
    weight_bound=frozenset({"layers", "logit_scale", "corners", "position", "activation"}),
    map_range=(0.0, 4.0),
    few_shot=True,
    transductive=transductive,
    macs=macs,
)

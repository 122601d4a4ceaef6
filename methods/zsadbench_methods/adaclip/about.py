"""What the registry knows about AdaCLIP: published checkpoints, cost, drawings, card. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zsadbench.clip.macs import block_macs, image_macs, text_macs
from zsadbench.protocol import EvaluationProtocol
from zsadbench.types import Macs, MethodCard, Official, Paper, Recipe, StageNote, Taps, Variant
from zsadbench_methods.adaclip.options import Options
from zsadbench_methods.adaclip.sentences import TEMPLATES
from zsadbench_methods.parts.published import read_one_file
from zsadbench_methods.parts.states import ABNORMAL, NORMAL

if TYPE_CHECKING:
    from torch import Tensor

    from zsadbench.clip import Backbone
    from zsadbench.clip.config import BackboneConfig
    from zsadbench_methods.adaclip.stages import TracedAdaCLIP

# --- published checkpoints ------------------------------------------------------------------------

TOWERS = {"vision": ("visual_prompter", "dynamic_visual_prompt_generator")}
TOWERS["text"] = ("text_prompter", "dynamic_text_prompt_generator")


def published_names() -> dict[str, str]:
    """Map published tensor names to ours."""
    names = {}
    for ours, (static, dynamic) in TOWERS.items():
        for number in range(Options.prompt_depth):
            names[f"{static}.static_prompts.{number}"] = f"{ours}.static.{number}"
        for number in range(Options.prompt_length):
            names |= _linear(f"{dynamic}.head.{number}", f"{ours}.dynamic.{number}")
    for number in range(len(Options.layers)):
        names |= _linear(f"patch_token_layer.head.{number}", f"patches.{number}")
    names |= _linear("cls_token_layer.head.0", "class_token")
    return {f"clip_model.{theirs}": ours for theirs, ours in names.items()}


def _linear(theirs: str, ours: str) -> dict[str, str]:
    return {f"{theirs}.{part}": f"{ours}.{part}" for part in ("weight", "bias")}


def read_published(paths: Sequence[Path]) -> dict[str, Tensor]:
    """Read one published file, a dictionary of tensors whose names begin with `clip_model.`.

    Raises:
        WeightsError: it is not one such file, or a tensor is missing.
    """
    return read_one_file(paths, published_names(), "AdaCLIP")


BRANCHES = {"VL": "both", "V": "vision", "L": "text"}
KINDS = {"SD": "hybrid", "S": "static", "D": "dynamic"}


def fixture_options(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Translate the settings of a parity fixture into our options."""
    training = settings.get("training", {})
    return {
        "layers": tuple(settings["layers"]),
        "prompt_depth": int(settings["prompting_depth"]),
        "prompt_length": int(settings["prompting_length"]),
        "prompted": BRANCHES[settings["prompting_branch"]],
        "prompts": KINDS[settings["prompting_type"]],
        "hsf": "all_clusters" if settings["use_hsf"] else "none",
        "hsf_share": float(settings["hsf_mix"]),
        "clusters": int(settings["k_clusters"]),
        "kmeans_seed": int(settings["numpy_seed"]),
        "logit_scale": float(settings["logit_scale"]),
        "focal_gamma": float(training.get("focal_gamma", Options.focal_gamma)),
    }


def fixture_variants(settings: Mapping[str, Any]) -> dict[str, Variant]:
    """Find what a parity fixture repeats: its training with a smaller learning rate."""
    return {"small_lr": Variant(lr=1e-4)}


# --- cost -----------------------------------------------------------------------------------------

LENGTH = 14  # tokens of the longest sentence, for a class whose name is one token, both ends included


def macs(config: BackboneConfig, options: Options, grid: int) -> Macs:
    """Count the multiply-accumulates per image of grid² patches; k-means is excluded.

    Inside the encoders: the plain pass, the pass with prompts, both class tokens projected, the dynamic prompts, and
    the sentences of one class. After them: the linear layers, and the products with both texts. Executed is one
    product with the difference of both texts.
    """
    vision, text, joint = config.vision, config.text, config.embed_dim
    tokens = 1 + grid**2 + options.prompt_length * (options.prompted != "text")
    class_token = vision.width * joint
    encoder = image_macs(vision, grid * vision.patch_size, blocks=0)
    encoder += vision.layers * block_macs(tokens, vision.width) + class_token
    if options.prompts != "static":
        encoder += vision.layers * block_macs(1 + grid**2, vision.width) + class_token
        encoder += options.prompt_length * joint * (vision.width + text.width)
    sentences = (len(NORMAL) + len(ABNORMAL)) * len(TEMPLATES)
    encoder += text_macs(config, sentences, LENGTH) + sentences * text.width * joint
    patches = len(options.layers) * grid**2
    linear = {"linear": patches * vision.width * joint, "class token": joint * joint}
    executed = {**linear, "text": (patches + 1) * joint}
    return Macs({**linear, "text": 2 * (patches + 1) * joint}, executed, text=0, tower=encoder)


# --- drawings of the stages -----------------------------------------------------------------------

NOTES = (
    StageNote("vision_tokens_l*", "patches", "x after a tapped block, prompts in the sequence", "", "tokens"),
    StageNote(
        "projected_l*", "nearer to abnormal", "cos(A·x + b, T_a) − cos(A·x + b, T_n)", "", "text", -0.5, 0.5, "signed"
    ),
    StageNote("map_grid", "logits", "100·cos with T_n and with T_a, per layer", "", "values", -50.0, 50.0, "signed"),
    StageNote("hsf_probability", "map", "softmax of the mean logits of the layers", "", scale="heat"),
    StageNote("hsf_weights", "patches in the image score", "share in the fused feature", "", high=0.05, scale="heat"),
    StageNote("map", "map at the size of the input", "softmax of the enlarged mean logits", "", scale="heat"),
)

# --- the card -------------------------------------------------------------------------------------


def _build(backbone: Backbone, options: Options) -> TracedAdaCLIP:
    from zsadbench_methods.adaclip.stages import TracedAdaCLIP

    return TracedAdaCLIP(backbone, options)


def _taps(options: Options) -> Taps:
    return Taps(options.layers, options.activation, options.position, "rgb_first", own_encoding=True)


PAPER_PROTOCOL = EvaluationProtocol("paper:adaclip", mask_values="nonzero", mask_resize="bilinear-half", seeds=(111,))

CARD = MethodCard(
    name="adaclip",
    version="1",
    paper=Paper(
        title="AdaCLIP: Adapting CLIP with Hybrid Learnable Prompts for Zero-Shot Anomaly Detection",
        venue="ECCV",
        year=2024,
        key="cao2024adaclip",
        url="https://arxiv.org/abs/2407.15795",
        code="https://github.com/caoyunkang/AdaCLIP",
        authors=(
            "Yunkang Cao",
            "Jiangning Zhang",
            "Luca Frittoli",
            "Yuqi Cheng",
            "Weiming Shen",
            "Giacomo Boracchi",
        ),
    ),
    options=Options,
    taps=_taps,
    build=_build,
    smoothing=4.0,
    recipe=Recipe(
        epochs={"demo-aux": 2},
        epochs_else=5,
        batch=1,
        lr=1e-2,
        betas=(0.5, 0.999),
        image_size=518,
        loss="focal+dice",
        optimiser="adamw",
        weight_decay=0.01,
        on={
            "mvtec": {"mosaic": "distinct"},
            "demo-aux": {"lr": 1e-3},  # 336 generated images; chosen by tools/demo_recipe
        },
    ),
    protocols=(PAPER_PROTOCOL,),
    presets={"paper": {"hsf": "highest_cluster"}},
    notes=NOTES,
    official=Official(read=read_published, names=published_names, options=fixture_options, variants=fixture_variants),
    weight_bound=frozenset(
        {
            *("layers", "prompt_depth", "prompt_length", "prompted", "prompts", "hsf", "hsf_share"),
            *("logit_scale", "corners", "position", "activation"),
        }
    ),
    macs=macs,
)

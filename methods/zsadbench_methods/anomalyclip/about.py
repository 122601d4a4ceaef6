"""What the registry knows about AnomalyCLIP: published checkpoints, cost, drawings and the card. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zsadbench.clip.macs import text_macs
from zsadbench.errors import UsageError
from zsadbench.protocol import EvaluationProtocol
from zsadbench.types import Macs, MethodCard, Official, Paper, Recipe, StageNote, Taps
from zsadbench_methods.anomalyclip.options import LAST, Options
from zsadbench_methods.parts.published import read_one_file

if TYPE_CHECKING:
    from torch import Tensor

    from zsadbench.clip import Backbone
    from zsadbench.clip.config import BackboneConfig
    from zsadbench_methods.anomalyclip.stages import TracedAnomalyCLIP

# --- published checkpoints ------------------------------------------------------------------------

FOREIGN = {  # methods that build on AnomalyCLIP and keep its names
    "patch_meta_net": "FAPrompt",
    "model_trainable_params": "FB-CLIP",
    "fb_Attention": "FB-CLIP",
}
VARIANT = "layers_"  # how a fixture names the layers of a variant among its settings


def published_names() -> dict[str, str]:
    """Map published tensor names to ours, for every tensor that is used."""
    deep = {f"compound_prompts_text.{k}": f"prompts.deep.{k}" for k in range(Options.deep_depth - 1)}
    return {"ctx_pos": "prompts.normal", "ctx_neg": "prompts.abnormal", **deep}


def read_published(paths: Sequence[Path]) -> dict[str, Tensor]:
    """Read one published file, whatever it is wrapped in: the tensors that are used, under our names.

    Raises:
        WeightsError: it is not one file, it belongs to another method, or a tensor that is used is missing.
    """

    def foreign(words: set[str]) -> str:
        found = (f" but one of {method}: it has '{part}'" for part, method in FOREIGN.items() if part in words)
        return next(found, "")

    state = read_one_file(paths, published_names(), "AnomalyCLIP", foreign)
    return {name: tensor.flatten(0, 2) if tensor.ndim == 4 else tensor for name, tensor in state.items()}


def fixture_options(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Translate the settings of a parity fixture into our options.

    Raises:
        UsageError: the value-value path begins outside the tower.
    """
    begin = LAST + 2 - settings["dpam_layer"]  # published as one more than the number of blocks, from the end
    if not 1 <= begin <= LAST:
        raise UsageError(f"fixture option 'dpam_layer' is {settings['dpam_layer']}; it must lie in 2..{LAST + 1}")
    training = settings.get("training", {})
    return {
        "layers": tuple(settings["layers"]),
        "value_from": begin,
        "context": settings["n_ctx"],
        "deep_depth": settings["depth"],
        "deep_length": settings["t_n_ctx"],
        "deep_half": settings["deep_prompts_rounded_to_fp16"],
        "class_word": settings["class_word"],
        "temperature": settings["temperature"],
        "pixel_weight": float(training.get("pixel_loss_weight", Options.pixel_weight)),
        "focal_gamma": float(training.get("focal_gamma", Options.focal_gamma)),
        "focal_smoothing": float(training.get("focal_smooth", Options.focal_smoothing)),
    }


def fixture_variants(settings: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Find the variants that a parity fixture repeats its results for: `layers_NAME` are the layers of variant NAME."""
    return {
        name.removeprefix(VARIANT): {"layers": tuple(blocks)}
        for name, blocks in settings.items()
        if name.startswith(VARIANT)
    }


# --- cost -----------------------------------------------------------------------------------------

SENTENCE = 5  # tokens of the longer default sentence apart from its context, start and end included


def macs(config: BackboneConfig, options: Options, grid: int) -> Macs:
    """Count the multiply-accumulates per image of grid² patches, image tower and value-value path excluded.

    They are the projections of every layer's tokens and of the class token. Executed is one product with the difference
    of both texts instead of two with the texts.
    """
    tokens, width, joint = 1 + grid**2, config.vision.width, config.embed_dim
    layers = len(options.layers)
    projection = {"projection": (layers * tokens + 1) * width * joint}
    text = {"text": (layers * (tokens - 1) + 1) * joint * 2}
    return Macs({**projection, **text}, projection, text_macs(config, 2, options.context + SENTENCE))


# --- drawings of the stages -----------------------------------------------------------------------

NEARER = "nearer to abnormal"
COSINES = "cos(u, T_abnormal) − cos(u, T_normal), u = LN(d)·P of a patch d"

NOTES = (
    StageNote("dpam_tokens_l*", f"{NEARER} (DPAM path)", COSINES, "DPAM", "text", -0.5, 0.5, "signed"),
    StageNote("plain_tokens_l*", f"{NEARER} (plain path)", COSINES, "", "text", -0.5, 0.5, "signed"),
    StageNote("map_grid", "map", "σ((cos(u, T_abnormal) − cos(u, T_normal))/0.07)", "", scale="heat"),
)

# --- the card -------------------------------------------------------------------------------------


def _build(backbone: Backbone, options: Options) -> TracedAnomalyCLIP:
    from zsadbench_methods.anomalyclip.stages import TracedAnomalyCLIP

    return TracedAnomalyCLIP(backbone, options)


def _taps(options: Options) -> Taps:
    """Tap the last block for its class token, and the layers on the path that is read."""
    plain = () if options.value_value else options.layers
    return Taps(
        blocks=tuple(sorted({*plain, LAST})),
        activation=options.activation,
        position=options.position,
        preprocessing="resize_first",
        value_blocks=options.layers if options.value_value else (),
        value_from=options.value_from,
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
    version="1",
    paper=Paper(
        title="AnomalyCLIP: Object-agnostic Prompt Learning for Zero-shot Anomaly Detection",
        venue="ICLR",
        year=2024,
        key="zhou2024anomalyclip",
        url="https://openreview.net/forum?id=buC4E91xZE",
        code="https://github.com/zqhang/AnomalyCLIP",
        authors=("Qihang Zhou", "Guansong Pang", "Yu Tian", "Shibo He", "Jiming Chen"),
    ),
    options=Options,
    taps=_taps,
    build=_build,
    smoothing=4.0,
    recipe=Recipe(
        epochs={"demo-aux": 4},
        epochs_else=15,
        batch=8,
        lr=1e-3,
        betas=(0.5, 0.999),
        image_size=518,
        loss="cross-entropy+focal+dice",
        on={"demo-aux": {"lr": 3e-2}},  # 336 generated images; chosen by tools/demo_recipe
    ),
    protocols=(PAPER_PROTOCOL,),
    notes=NOTES,
    official=Official(read=read_published, names=published_names, options=fixture_options, variants=fixture_variants),
    weight_bound=frozenset(
        {"layers", "value_value", "value_from", "context", "class_word", "damage_word"}
        | {"deep_depth", "deep_length", "deep_half", "cls_norm", "temperature", "position", "activation"}
    ),
    macs=macs,
)

"""What the registry knows about FAPrompt: published checkpoints, cost, drawings and the card. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zsadbench.clip.macs import text_macs
from zsadbench.errors import UsageError
from zsadbench.protocol import EvaluationProtocol
from zsadbench.types import Activation, Macs, MethodCard, Official, Paper, Recipe, StageNote, Taps
from zsadbench_methods.faprompt.options import LAST, Options
from zsadbench_methods.parts.published import read_one_file

if TYPE_CHECKING:
    from torch import Tensor

    from zsadbench.clip import Backbone
    from zsadbench.clip.config import BackboneConfig
    from zsadbench_methods.faprompt.stages import TracedFAPrompt

# --- published checkpoints ------------------------------------------------------------------------

OWN = "patch_meta_net"  # the prior network, which tells a file of FAPrompt from one of AnomalyCLIP or FB-CLIP
ACTIVATIONS: Mapping[str, Activation] = {"QuickGELU": "quick_gelu", "GELU": "gelu"}


def published_names() -> dict[str, str]:
    """Map published tensor names to ours, for every tensor that is used."""
    deep = {f"compound_prompts_text.{k}": f"prompts.deep.{k}" for k in range(Options.deep_depth - 1)}
    linear = [f"linear{k}.{part}" for k in (1, 2) for part in ("weight", "bias")]
    prior = {f"{OWN}.{name}": f"prior.{name}" for name in linear}
    return {"ctx_pos": "prompts.normal", "ctx_neg": "prompts.abnormal", **prior, **deep}


def read_published(paths: Sequence[Path]) -> dict[str, Tensor]:
    """Read one published file, whatever it is wrapped in: the tensors that are used, under our names.

    Raises:
        WeightsError: it is not one file, it belongs to another method, or a tensor that is used is missing.
    """

    def foreign(words: set[str]) -> str:
        lacks = "ctx_neg" in words and OWN not in words
        return f": it has prompts but no '{OWN}', as files of AnomalyCLIP and FB-CLIP" if lacks else ""

    state = read_one_file(paths, published_names(), "FAPrompt", foreign)
    state = {name: tensor.contiguous() for name, tensor in state.items()}
    for name, leading in (("prompts.normal", 2), ("prompts.abnormal", 1)):  # axes of length 1 before (…, width)
        state[name] = state[name].flatten(0, leading) if state[name].ndim == 4 else state[name]
    return state


def fixture_options(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Translate the settings of a parity fixture into our options.

    Raises:
        UsageError: the value-value path begins outside the tower, or the activation is not known.
    """
    begin = LAST + 1 - settings["dpam_blocks"]
    if not 1 <= begin <= LAST:
        raise UsageError(f"fixture option 'dpam_blocks' is {settings['dpam_blocks']}; it must lie in 1..{LAST}")
    if settings["activation"] not in ACTIVATIONS:
        known = "' or '".join(ACTIVATIONS)
        raise UsageError(f"fixture option 'activation' is '{settings['activation']}'; it must be '{known}'")
    training = settings.get("training", {})
    return {
        "select": settings["select"],
        "selected": settings["selected_patches"],
        "prompts": settings["abnormal_prompts"],
        "context": settings["n_ctx_pos"],
        "abnormal_context": settings["n_ctx_neg"],
        "class_word": settings["class_word"],
        "deep_depth": settings["depth"],
        "deep_length": settings["t_n_ctx"],
        "deep_half": settings["deep_prompt_rounding"] == "fp16",
        "value_from": begin,
        "temperature": settings["temperature"],
        "pass2_weight": float(training.get("pass2_weight", Options.pass2_weight)),
        "orthogonality_weight": float(training.get("orthogonality_weight", Options.orthogonality_weight)),
        "focal_gamma": float(training.get("focal_gamma", Options.focal_gamma)),
        "activation": ACTIVATIONS[settings["activation"]],
    }


def fixture_variants(settings: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Find what a parity fixture repeats: the results of the most abnormal patches, named `topk_…`."""
    return {"topk_": {"select": "topk"}}


# --- cost -----------------------------------------------------------------------------------------

NORMAL_END, ABNORMAL_END = 4, 5  # tokens of the default sentences apart from their contexts, start and end included


def macs(config: BackboneConfig, options: Options, grid: int) -> Macs:
    """Count the multiply-accumulates per image of grid² patches, image tower and value-value path excluded.

    They are the projections of patches and class token, the prior network, the abnormal sentences of the second pass up
    to their end tokens, and the products with both texts in both passes. Executed is one product with the difference of
    both texts. The sentences of the first pass are encoded once per set of weights.
    """
    tokens, width, joint, text_width = 1 + grid**2, config.vision.width, config.embed_dim, config.text.width
    lengths = options.context + NORMAL_END, options.context + options.abnormal_context + ABNORMAL_END
    sentences = text_macs(config, options.prompts, lengths[1])
    executed = {
        "projection": (tokens + 1) * width * joint,
        "prior": options.prior_width * (options.selected * joint + text_width),
        "conditioned text": sentences + options.prompts * text_width * joint,
        "text": (2 * (tokens - 1) + 1) * joint,
    }
    return Macs({**executed, "text": 2 * executed["text"]}, executed, text_macs(config, 1, lengths[0]) + sentences)


# --- drawings of the stages -----------------------------------------------------------------------

NOTES = (
    StageNote(
        "patch_features_raw",
        "nearer to abnormal",
        "cos(p, T_abnormal) − cos(p, T_normal), p = LN(d)·P of a patch d",
        "first pass",
        "text",
        -0.5,
        0.5,
        "signed",
    ),
    StageNote("map_grid_pass1", "map, first pass", "σ(p·(T_abnormal − T_normal)/0.07)", "first pass", scale="heat"),
    StageNote("map_grid_pass2", "map, second pass", "the same with the texts of this image", "", scale="heat"),
    StageNote("map_grid", "map", "mean of both passes", "", scale="heat"),
)

# --- the card -------------------------------------------------------------------------------------


def _build(backbone: Backbone, options: Options) -> TracedFAPrompt:
    from zsadbench_methods.faprompt.stages import TracedFAPrompt

    return TracedFAPrompt(backbone, options)


def _taps(options: Options) -> Taps:
    """Tap the last block for its class token, and the end of the value-value path for its patches."""
    return Taps(
        blocks=(LAST,),
        activation=options.activation,
        position=options.position,
        preprocessing="resize_first",
        value_blocks=(LAST,),
        value_from=options.value_from,
    )


PAPER_PROTOCOL = EvaluationProtocol(
    "paper:faprompt",
    preprocessing="resize_first",
    mask_values="nonzero",
    mask_resize="bilinear-half",
    aupro="200_minmax",
    seeds=(111,),
)

CARD = MethodCard(
    name="faprompt",
    version="1",
    paper=Paper(
        title="Fine-grained Abnormality Prompt Learning for Zero-shot Anomaly Detection",
        venue="ICCV",
        year=2025,
        key="zhu2025faprompt",
        url="https://arxiv.org/abs/2410.10289",
        code="https://github.com/mala-lab/FAPrompt",
        authors=("Jiawen Zhu", "Yew-Soon Ong", "Chunhua Shen", "Guansong Pang"),
    ),
    options=Options,
    taps=_taps,
    build=_build,
    smoothing=10.0,
    recipe=Recipe(
        epochs={"demo-aux": 3},  # 336 generated images; chosen by tools/demo_recipe
        epochs_else=15,
        batch=8,
        lr=1e-3,
        betas=(0.5, 0.999),
        image_size=518,
        loss="focal+dice+cross-entropy+orthogonality+prior",
    ),
    protocols=(PAPER_PROTOCOL,),
    notes=NOTES,
    official=Official(read=read_published, names=published_names, options=fixture_options, variants=fixture_variants),
    weight_bound=frozenset(
        {"select", "selected", "prior_width", "prompts", "context", "abnormal_context", "class_word", "damage_word"}
        | {"deep_depth", "deep_length", "deep_half", "value_from", "cls_norm", "temperature", "position", "activation"}
    ),
    macs=macs,
)

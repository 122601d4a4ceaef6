"""What the registry knows about FB-CLIP: published checkpoints, cost, drawings and the card. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zsadbench.clip.macs import attention_macs, text_macs
from zsadbench.errors import UsageError
from zsadbench.protocol import EvaluationProtocol
from zsadbench.types import Macs, MethodCard, Official, Paper, Recipe, StageNote, Taps
from zsadbench_methods.fbclip.options import BASE, Options
from zsadbench_methods.parts.published import read_one_file

if TYPE_CHECKING:
    from torch import Tensor

    from zsadbench.clip import Backbone
    from zsadbench.clip.config import BackboneConfig
    from zsadbench_methods.fbclip.stages import TracedFBCLIP

# --- published checkpoints ------------------------------------------------------------------------

STREAM = {
    "norm.weight": "norm.weight",
    "norm.bias": "norm.bias",
    "to_q.weight": "to_q.weight",
    "to_k.weight": "to_k.weight",
    "to_v.weight": "to_v.weight",
    "to_out.0.weight": "to_out.weight",
    "to_out.0.bias": "to_out.bias",
    "scale": "scale",
}
TWO_LAYERS = ("0.weight", "0.bias", "2.weight", "2.bias")
FRACTIONS = {"first half of the token sequence": 0.5, "the whole token sequence": 1.0}


def published_names() -> dict[str, str]:
    """Map published tensor names to ours, for every tensor that is used."""
    names = {"ctx_pos": "prompts.normal", "ctx_neg": "prompts.abnormal", "scale_weights": "layer_weights"}
    for short, stream in (("fg", "foreground"), ("bg", "background")):
        names |= {f"fb_Attention.{short}_{theirs}": f"attention.{stream}.{ours}" for theirs, ours in STREAM.items()}
    modules = {
        "fb_Attention.gate": "attention.gate",
        "token_selector": "fusion.selector",
        "text_projection_mlp": "fusion.project",
    }
    for theirs, ours in modules.items():
        names |= {f"{theirs}.{part}": f"{ours}.{part}" for part in TWO_LAYERS}
    return names | {f"fb_Attention.norm.{part}": f"attention.norm.{part}" for part in ("weight", "bias")}


def read_published(paths: Sequence[Path]) -> dict[str, Tensor]:
    """Read one published file, whatever it is wrapped in: the tensors that are used, under our names.

    Raises:
        WeightsError: it is not one file, or a tensor that is used is missing.
    """
    state = read_one_file(paths, published_names(), "FB-CLIP")
    return {name: tensor.flatten(0, 2) if name.startswith("prompts.") else tensor for name, tensor in state.items()}


def fixture_options(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Translate the settings of a parity fixture into our options.

    Raises:
        UsageError: the background fraction is written in words that are not known.
    """
    fraction = settings["background_fraction"]
    if fraction not in FRACTIONS and not isinstance(fraction, float | int):
        raise UsageError(
            f"fixture option 'background_fraction' is '{fraction}'; known: {', '.join(FRACTIONS)}, or a number"
        )
    fusion, training = settings["text_fusion_weights"], settings.get("training", {})
    return {
        "layers": tuple(settings["layers"]),
        "context": settings["n_ctx"],
        "class_word": settings["class_word"],
        "temperature": settings["temperature"],
        "views": tuple(view.lower() for view in settings["views"]),
        "text_causal": settings["text_causal_mask"],
        "weight_mean": fusion["mean"],
        "weight_attention": fusion["attention"],
        "weight_eot": fusion["eot"],
        "foreground_threshold": settings["foreground_threshold"],
        "bs_fraction": float(FRACTIONS.get(fraction, fraction)),
        "bs_mix": settings["background_mix"],
        "scr_weight": settings["consistency_weight"],
        "dice_weight": float(training.get("dice_weight", Options.dice_weight)),
        "focal_gamma": float(training.get("focal_gamma", Options.focal_gamma)),
    }


# --- cost -----------------------------------------------------------------------------------------

INNER = 512  # eight heads of 64, of either stream
WINDOW = 5  # rows of patches in a window of the spatial view
MEANS = 4  # sums that the semantic view mixes: foreground and background patches, for either softmax


def macs(config: BackboneConfig, options: Options, grid: int) -> Macs:
    """Count the multiply-accumulates per image of grid² patches, the image tower excluded.

    The publication's L × L products of the semantic view are not counted: they have a closed form that is linear in the
    number of patches. Executed are fewer products than published: queries, keys, values and gate are linear in the
    tokens, so one product per layer serves all of its views, which are weighted sums of tokens.
    """
    tokens, width, joint = 1 + grid**2, config.vision.width, config.embed_dim
    layers, views = len(options.layers), len(options.views)
    hidden, groups = width // 2 * options.gate, layers * views
    attended = {
        "gate": groups * tokens * hidden * (width + 1),
        "queries, keys, values": groups * 6 * tokens * width * INNER,
        "attention": groups * 2 * attention_macs(tokens, tokens, INNER),
        "output": groups * 2 * tokens * INNER * width,
    }
    scored = {"projection": groups * tokens * width * joint, "text": groups * tokens * joint * 2}
    linear = (6 * INNER + hidden) * options.fb_attention  # outputs of the one product per layer
    per_channel = {"id": 0, "sem": 2 * MEANS * grid**2, "spa": WINDOW * grid * grid**2}
    mixed = sum(per_channel[view] for view in options.views)
    distances = WINDOW * grid**2 * (grid + 4) if "spa" in options.views else 0
    executed = {
        "gate": groups * tokens * hidden,
        "queries, keys, values": layers * tokens * width * linear,
        "views": layers * (mixed * (width + linear) + distances * width),
    }
    if not options.fb_attention:
        return Macs(scored, {"views": executed["views"], **scored}, text_macs(config, 2))
    return Macs({**attended, **scored}, {**attended, **executed, **scored}, text_macs(config, 2))


# --- drawings of the stages -----------------------------------------------------------------------
#
# In the equations: x a patch, c the class token, m the mean patch, x⁻ the same patch after the tap before; n(·) scales
# to [0, 1] over the patches of the image; p the soft mask; z, y tokens before and after FB-Attention; b the background
# prototype; T the text features; P CLIP's projection.

MASK, ATTENTION, SUPPRESSION = "§3.4, appendix B (MVFBE)", "§3.5 (FB-Attention)", "§3.6 (BS)"

CUE_NOTES = (
    StageNote("cue_local_saliency_l*", "cue: local saliency", "n(‖xᵢ − (xᵢ₋₁ + xᵢ + xᵢ₊₁)/3‖)", MASK),
    StageNote("cue_distance_to_mean_l*", "cue: distance to the mean", "n(‖xᵢ − m‖)", MASK),
    StageNote("cue_unlike_class_token_l*", "cue: unlike the class token", "n(1 − cos(xᵢ, c))", MASK),
    StageNote("cue_change_between_taps_l*", "cue: change between taps", "n(‖xᵢ − xᵢ⁻‖)", MASK),
    StageNote("foreground_score", "foreground score", "mean₅(0.3·n₁ + 0.3·n₂ + 0.3·n₃ + 0.1·n₄)", MASK),
    StageNote("foreground_mask", "foreground mask", "pᵢ = 1 where the score exceeds 0.5, else 0.5", MASK),
)
VIEW_EQUATIONS = {
    "id": ("identity", "z = x"),
    "sem": ("semantic", "z = 0.6·(p·Σⱼ αⱼxⱼ + (1 − p)·Σⱼ βⱼxⱼ) + 0.4·x"),
    "spa": ("spatial", "z = softmax-weighted sums over 5 × 5 patches, foreground and background"),
}
GATE = "γ = σ(MLP(z))"
ATTEND = "y = LN(attend_fg(γ·z) + attend_bg((1 − γ)·z))"
SIMILARITY = "cos(y, b), b = 0.5·mean + 0.5·max of the first half of the tokens"
VOTE = "cos(u, T_abnormal) − cos(u, T_normal), u = (0.5·y + 0.5·(1 − cos(y, b))·(y − b))·P"
BEFORE, AFTER = "softmax(Σ ω·cos(y·P, T)/0.07)_abnormal", "softmax(Σ ω·cos(u, T)/0.07)_abnormal"


def _view_notes(view: str) -> tuple[StageNote, ...]:
    name = view.upper()
    long, equation = VIEW_EQUATIONS[view]
    similar, nearer = f"background_similarity_l*_{view}", f"projected_l*_{view}"
    return (
        StageNote(f"{view}_l*", f"{name} ({long} view), before attention", equation, MASK, "tokens"),
        StageNote(f"fb_gate_l*_{view}", f"{name}: gate", GATE, ATTENTION),
        StageNote(f"fb_attention_l*_{view}", f"{name}: after FB-Attention", ATTEND, ATTENTION, "tokens"),
        StageNote(similar, f"{name}: like the background", SIMILARITY, SUPPRESSION, low=-1.0, scale="signed"),
        StageNote(nearer, f"{name}: nearer to abnormal", VOTE, SUPPRESSION, "text", -0.5, 0.5, "signed"),
    )


NOTES = (
    *CUE_NOTES,
    *(note for view in VIEW_EQUATIONS for note in _view_notes(view)),
    StageNote("map_before_suppression", "map before suppression", BEFORE, SUPPRESSION, scale="heat"),
    StageNote("map_grid", "map after suppression", AFTER, SUPPRESSION, scale="heat"),
)

# --- the card -------------------------------------------------------------------------------------


def _build(backbone: Backbone, options: Options) -> TracedFBCLIP:
    from zsadbench_methods.fbclip.stages import TracedFBCLIP

    return TracedFBCLIP(backbone, options)


def _taps(options: Options) -> Taps:
    return Taps(options.layers, options.activation, options.position, "resize_first")


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
    version="1",
    paper=Paper(
        title="FB-CLIP: Fine-Grained Zero-Shot Anomaly Detection with Foreground-Background Disentanglement",
        venue="CVPR",
        year=2026,
        key="hu2026fbclip",
        url="https://openaccess.thecvf.com/content/CVPR2026/html/Hu_FB-CLIP_Fine-Grained_Zero-Shot_Anomaly_Detection_with_Foreground-Background_Disentanglement_CVPR_2026_paper.html",
        code="https://github.com/Xi-Mu-Yu/FB-CLIP",
        authors=(
            "Ming Hu",
            "Yongsheng Huo",
            "Mingyu Dou",
            "Jianfu Yin",
            "Peng Zhao",
            "Yao Wang",
            "Cong Hu",
            "Bingliang Hu",
            "Quan Wang",
        ),
    ),
    options=Options,
    taps=_taps,
    build=_build,
    smoothing=4.0,
    recipe=Recipe(
        epochs={"mvtec": 2, "visa": 3, "demo-aux": 1},
        epochs_else=2,
        batch=4,
        lr=5e-5,
        betas=(0.5, 0.999),
        image_size=518,
        loss="focal+dice+consistency",
        on={"demo-aux": {"lr": 1e-3, "batch": 2}},  # 336 generated images; chosen by tools/demo_recipe
    ),
    protocols=(PAPER_PROTOCOL,),
    presets={"base": BASE},
    notes=NOTES,
    official=Official(read=read_published, names=published_names, options=fixture_options),
    weight_bound=frozenset(
        {"layers", "context", "class_word", "text_causal", "views", "poolings", "fb_attention", "gate", "bs"}
        | {"weight_mean", "weight_attention", "weight_eot"}
        | {"foreground_threshold", "mask_smoothing", "background_value"}
        | {"sem_weight_by_key", "bs_fraction", "bs_select", "bs_mix", "temperature", "image_score"}
        | {"position", "activation"}
    ),
    macs=macs,
)

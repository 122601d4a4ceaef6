"""What the registry knows about AF-CLIP and AF-CLIP+: published checkpoints, cost, drawings, card. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zsadbench.checkpoints import published_tensors, read_archive, read_modules, tensors_of
from zsadbench.clip import map_taps
from zsadbench.clip.macs import attention_macs, block_macs, image_macs, text_macs
from zsadbench.errors import UsageError, WeightsError
from zsadbench.protocol import EvaluationProtocol
from zsadbench.types import Macs, MethodCard, Official, Paper, Recipe, StageNote, Taps
from zsadbench_methods.afclip.options import HEAD_WIDTH, HEADS, Options

if TYPE_CHECKING:
    from torch import Tensor

    from zsadbench.clip import Backbone
    from zsadbench.clip.config import BackboneConfig
    from zsadbench_methods.afclip.stages import TracedAFCLIP

# --- published checkpoints ------------------------------------------------------------------------

MODULES = frozenset(
    {f"clip.adaptor.{name}" for name in ("Adaptor", "BasicTransformerBlock", "CrossAttention")}
    | {f"torch.nn.modules.{name}" for name in ("linear.Linear", "normalization.LayerNorm")}
    | {f"torch.nn.modules.{name}" for name in ("dropout.Dropout", "container.Sequential")}
    | {"torch.nn.parallel.data_parallel.DataParallel"}  # around any of them
)
ADAPTER = {
    **{f"attention.attn.to_{part}.weight": f"adapter.to_{part}.weight" for part in "qkv"},
    **{f"attention.attn.to_out.0.{part}": f"adapter.to_out.{part}" for part in ("weight", "bias")},
    **{f"attention.norm.{part}": f"adapter.norm.{part}" for part in ("weight", "bias")},
}
PROMPT_FILE, ADAPTER_FILE = "_prompt.pt", "_adaptor.pt"


def published_names() -> dict[str, str]:
    """Map published tensor names to ours, for every tensor that is used."""
    return {"prompt": "prompts.context", **ADAPTER}


def companion_files(path: Path) -> tuple[Path, ...]:
    """Find both files of a checkpoint from either: `mvtec_prompt.pt` and `mvtec_adaptor.pt` in one folder."""
    for ending, other in ((PROMPT_FILE, ADAPTER_FILE), (ADAPTER_FILE, PROMPT_FILE)):
        if path.name.endswith(ending):
            return (path, path.with_name(path.name.removesuffix(ending) + other))
    return (path,)


def read_published(paths: Sequence[Path]) -> dict[str, Tensor]:
    """Read the two published files, in any order where their names tell which is which, else prompt first.

    Raises:
        WeightsError: they are not a prompt and a pickled adapter, or one is missing.
    """
    if len(paths) != 2:
        raise WeightsError(
            f"AF-CLIP publishes two checkpoint files, {len(paths)} given: {', '.join(map(str, paths))}; give both, "
            f"or one that is named NAME{PROMPT_FILE} or NAME{ADAPTER_FILE} and has the other in the same folder"
        )
    prompt, adapter = paths
    if prompt.name.endswith(ADAPTER_FILE) or adapter.name.endswith(PROMPT_FILE):
        prompt, adapter = adapter, prompt
    return {"prompts.context": _read_prompt(prompt), **_read_adapter(adapter)}


def _read_prompt(path: Path) -> Tensor:
    from torch import Tensor

    content = read_archive(path)
    tensors = {"": content} if isinstance(content, Tensor) else tensors_of(content)
    prompts = {name: tensor for name, tensor in tensors.items() if tensor.ndim == 3 and len(tensor) == 1}
    depth = min((name.count(".") for name in prompts), default=0)  # an optimiser's tensors of this shape lie deeper
    prompts = {name: tensor for name, tensor in prompts.items() if name.count(".") == depth}
    if len(prompts) != 1:
        raise WeightsError(
            f"{path} is no prompt of AF-CLIP: it must hold one tensor of (1, context, width), not {len(prompts)}"
        )
    (prompt,) = prompts.values()
    return prompt.detach().squeeze(0).float()


def _read_adapter(path: Path) -> dict[str, Tensor]:
    """Read the adapter from a pickled module, as published, or from its state dict."""
    try:
        content = read_archive(path)
    except WeightsError:
        content = read_modules(path, MODULES)
    tensors = published_tensors(content, ADAPTER, str(path), "adapter of AF-CLIP")
    return {ours: tensors[theirs].float() for theirs, ours in ADAPTER.items()}


def fixture_options(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Translate the settings of a parity fixture into our options.

    Raises:
        UsageError: the adapter has other heads than the published one.
    """
    heads = settings["adaptor_heads"], settings["adaptor_head_dim"]
    if heads != (HEADS, HEAD_WIDTH):
        raise UsageError(f"the fixture's adapter has {heads[0]} heads of {heads[1]}, ours {HEADS} of {HEAD_WIDTH}")
    training = settings.get("training", {})
    normal, abnormal = settings["prompts"]
    alpha = float(settings.get("alpha", Options.image_alpha))
    return {
        "layers": tuple(settings["layers"]),
        "windows": tuple(settings["windows"]),
        "window_sigma": float(settings["aggregation_sigma"]),
        "context": settings["prompt_len"],
        "normal": normal,
        "abnormal": abnormal,
        "temperature": settings["temperature"],
        "memory_layers": tuple(settings.get("memory_layers", settings["layers"])),
        "image_alpha": alpha,
        "pixel_alpha": alpha,
        "pixel_weight": float(training.get("lambda1", Options.pixel_weight)),
        "alignment_weight": float(training.get("lambda2", Options.alignment_weight)),
        "focal_gamma": float(training.get("focal_gamma", Options.focal_gamma)),
    }


def fixture_variants(settings: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Find the variants that a parity fixture repeats its results for: the training with the intended gradient."""
    return {"intended": {"target_alias": False}} if settings.get("training") else {}


# --- cost -----------------------------------------------------------------------------------------

INNER = HEADS * HEAD_WIDTH
SENTENCE = 5  # tokens of the default sentences, start and end included


def macs(config: BackboneConfig, options: Options, grid: int) -> Macs:
    """Count the multiply-accumulates per image of grid² patches, image tower and memory of shots excluded.

    Published is an aggregation that filters every channel in two dimensions; executed is a filter of two
    one-dimensional ones, each a matrix. Queries, keys and values are linear in the tokens: one product per layer serves
    all its windows and is aggregated like the tokens. Executed is one product with the difference of both texts.
    """
    tokens, width, joint = 1 + grid**2, config.vision.width, config.embed_dim
    layers, windows = len(options.layers), [window for window in options.windows if window > 1]
    sets, qkv_width = layers * len(options.windows), 3 * INNER * options.adapter
    both = {
        "attention": sets * attention_macs(tokens, tokens, INNER) * options.adapter,
        "output": sets * tokens * INNER * width * options.adapter,
        "projection": sets * tokens * width * joint,
    }
    published = {
        "aggregation": layers * sum(window**2 for window in windows) * grid**2 * width,
        "queries, keys, values": sets * tokens * width * qkv_width,
        "text": sets * tokens * joint * 2,
    }
    executed = {
        "aggregation": len(windows) * 2 * grid**3 * (len(options.blocks) * width + layers * qkv_width),
        "queries, keys, values": layers * tokens * width * qkv_width,
    }
    text = text_macs(config, 2, options.context + SENTENCE)
    return Macs({**published, **both}, {**executed, **both}, text, tuned_tower_macs(config, options, grid))


def tuned_tower_macs(config: BackboneConfig, options: Options, grid: int) -> int | None:
    """Count the tuned image encoder up to the last tapped block; None where the tuning leaves it alone."""
    if not options.inside:
        return None
    vision, tokens = config.vision, 1 + grid**2
    last, tuned = (map_taps(blocks, vision.layers)[-1] for blocks in (options.blocks, options.layers))
    stem = image_macs(vision, grid * vision.patch_size, blocks=0)
    if options.tuning == "prompt":
        return stem + last * block_macs(tokens + options.visual_prompts, vision.width)
    if options.tuning == "lora":
        changed = len(options.layers) * 2 * 2 * tokens * options.lora_rank * vision.width  # queries and values
        return stem + last * block_macs(tokens, vision.width) + changed
    prefix = 3 * options.prefix_length * vision.width**2 + attention_macs(tokens, options.prefix_length, vision.width)
    return stem + len(options.windows) * (last * block_macs(tokens, vision.width) + tuned * prefix)


# --- drawings of the stages -----------------------------------------------------------------------
#
# In the equations: x a patch after a tapped block, G the Gaussian window, T the text features, P CLIP's final norm and
# projection, M the bank of normal patches.

WINDOWS = (1, 3, 5)  # the default of the options; stages of other windows are listed, not drawn


def _window_notes(side: int) -> tuple[StageNote, ...]:
    name, projected = f"window {side}", f"projected_l*_r{side}"
    vote = "cos(h·P, T_abnormal) − cos(h·P, T_normal)"
    return (
        StageNote(f"aggregated_l*_r{side}", f"{name}: aggregated", "a = G ∗ x", "spatial aggregation", "tokens"),
        StageNote(f"adaptor_l*_r{side}", f"{name}: after the adapter", "h = SelfAttention(LN(a))", "adapter", "tokens"),
        StageNote(
            projected, f"{name}: nearer to abnormal", vote, "alignment with the text", "text", -0.5, 0.5, "signed"
        ),
    )


NOTES = (
    *(note for side in WINDOWS for note in _window_notes(side)),
    StageNote("memory_map_grid", "distance to the memory", "mean of (1 − max_M cos(a, M))/2", "AF-CLIP+", scale="heat"),
    StageNote("zero_shot_map_grid", "zero-shot map", "σ(Σ (cos(h·P, T_a) − cos(h·P, T_n))/0.07)", "", scale="heat"),
    StageNote("map_grid", "map", "the zero-shot map; with a memory, its distance + 0.1 of that", "", scale="heat"),
)

# --- the card -------------------------------------------------------------------------------------


def _build(backbone: Backbone, options: Options) -> TracedAFCLIP:
    from zsadbench_methods.afclip.stages import TracedAFCLIP
    from zsadbench_methods.afclip.tuned import TunedAFCLIP

    return (TunedAFCLIP if options.inside else TracedAFCLIP)(backbone, options)


def _taps(options: Options) -> Taps:
    return Taps(options.blocks, options.activation, options.position, "rgb_first", own_encoding=options.inside)


PAPER_PROTOCOL = EvaluationProtocol("paper:afclip", mask_resize="bicubic-half", aupro="200_max", seeds=(122,))

CARD = MethodCard(
    name="afclip",
    version="1",
    paper=Paper(
        title="AF-CLIP: Zero-Shot Anomaly Detection via Anomaly-Focused CLIP Adaptation",
        venue="ACM MM",
        year=2025,
        key="fang2025afclip",
        url="https://arxiv.org/abs/2507.19949",
        code="https://github.com/Faustinaqq/AF-CLIP",
        authors=("Qingqing Fang", "Wenxi Lv", "Qinliang Su"),
    ),
    options=Options,
    taps=_taps,
    build=_build,
    smoothing=4.0,
    recipe=Recipe(
        epochs={"demo-aux": 1},
        epochs_else=2,
        batch=8,
        lr=1e-4,
        betas=(0.5, 0.999),
        image_size=518,
        loss="focal+l1+alignment",
        mask="nonzero-bicubic-grey",
        on={"demo-aux": {"batch": 2}},  # 336 generated images; chosen by tools/demo_recipe
    ),
    protocols=(PAPER_PROTOCOL,),
    notes=NOTES,
    official=Official(
        read=read_published,
        names=published_names,
        options=fixture_options,
        variants=fixture_variants,
        companions=companion_files,
    ),
    weight_bound=frozenset(
        {"layers", "windows", "window_sigma", "renormalise_border", "context", "context_place", "normal", "abnormal"}
        | {"tuning", "visual_prompts", "prefix_length", "lora_rank", "temperature", "position", "activation"}
    ),
    few_shot=True,
    macs=macs,
)

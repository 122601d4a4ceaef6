"""What the registry knows about PromptAD: published files, settings of fixtures, cost, drawings, card. No torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zsadbench.checkpoints import published_tensors, read_archive, unwrap
from zsadbench.clip.macs import attention_macs, image_macs, text_macs
from zsadbench.errors import WeightsError
from zsadbench.protocol import EvaluationProtocol
from zsadbench.types import Macs, MethodCard, Official, Paper, Recipe, StageNote, Taps, Variant
from zsadbench_methods.promptad.names import CLS, PARTS, SEG
from zsadbench_methods.promptad.options import Options
from zsadbench_methods.promptad.sentences import GENERIC

if TYPE_CHECKING:
    from torch import Tensor

    from zsadbench.clip import Backbone
    from zsadbench.clip.config import BackboneConfig
    from zsadbench_methods.promptad.stages import TracedPromptAD

# --- published checkpoints ------------------------------------------------------------------------

LEARNED = {"prompt_learner.normal_ctx": "normal", "prompt_learner.abnormal_ctx": "abnormal"}
FINISHED, GALLERIES = "text_features", {"feature_gallery1": "bank_1", "feature_gallery2": "bank_2"}
WHAT = "PromptAD checkpoint"


def published_names() -> dict[str, str]:
    """Map published tensor names, after the training that they belong to, to ours."""
    return {f"{part}/{theirs}": f"{part}.{ours}" for part in PARTS for theirs, ours in LEARNED.items()}


def read_published(paths: Sequence[Path]) -> dict[str, Tensor]:
    """Read the files of both trainings of a class, `CLS-….pt` and `SEG-….pt`, in any order.

    The published code saves finished text features and remembered patches, and no learned vectors; a file that a test
    run wrote again also has vectors, which are initial ones, so that finished text features are preferred.

    Raises:
        WeightsError: they are not these two, or a tensor is missing.
    """
    parts = {part: [path for path in paths if path.name.upper().startswith(part.upper())] for part in PARTS}
    if len(paths) != 2 or any(len(found) != 1 for found in parts.values()):
        raise WeightsError(
            f"PromptAD has two checkpoint files per class, CLS-….pt and SEG-….pt; given or found: "
            f"{', '.join(path.name for path in paths)}"
        )
    state: dict[str, Tensor] = {}
    for part, (path,) in parts.items():
        raw = read_archive(path)
        if FINISHED not in unwrap(raw, {FINISHED, *GALLERIES}, str(path)):
            tensors = published_tensors(raw, LEARNED, str(path), WHAT)
            state |= {f"{part}.{ours}": tensors[theirs].float() for theirs, ours in LEARNED.items()}
            continue
        tensors = published_tensors(raw, {FINISHED, *GALLERIES}, str(path), WHAT)
        state |= {ours: tensors[theirs].float() for theirs, ours in GALLERIES.items()}
        state[f"{part}.{FINISHED}"] = tensors[FINISHED].float()
    return state


def companion_files(path: Path) -> list[Path]:
    """Find the file of the other training beside that of one: the same name after `CLS` or `SEG`."""
    part, rest = path.name[:3], path.name[3:]
    other = {CLS.upper(): SEG.upper(), SEG.upper(): CLS.upper()}.get(part)
    beside = path.with_name(f"{other}{rest}")
    return [path, beside] if other and beside.is_file() else [path]


def fixture_options(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Translate the settings of a parity fixture into our options."""
    training = settings.get("training", {})
    return {
        "context": int(settings["n_ctx"]),
        "abnormal_context": int(settings["n_ctx_ab"]),
        "normal_cls": int(settings["n_pro_cls"]),
        "normal_seg": int(settings["n_pro_seg"]),
        "abnormal": int(settings["n_pro_ab"]),
        "memory_blocks": tuple(settings["memory_blocks"]),
        "fusion": str(settings["fusion"]),
        "resolution": int(settings["resolution"]),
        "match_weight": float(training.get("lambda_match", Options.match_weight)),
        "margin": float(training.get("triplet_margin", Options.margin)),
    }


def fixture_variants(settings: Mapping[str, Any]) -> dict[str, Variant]:
    """Find what a parity fixture repeats.

    That is the image score with maps of the input's size, the map of published files at the published size, and what
    would be remembered without the effect of the published code.
    """
    return {
        "at_input_size": Variant({"resolution": 0}, supports="support"),
        "published_": Variant(checkpoint="published_checkpoint_files", size=int(settings["resolution"])),
        "entering_": Variant({"memory_point": "input"}),
    }


# --- cost -----------------------------------------------------------------------------------------

LENGTH = 11  # tokens of the longest sentence, for a class whose name is one token, both ends included


def macs(config: BackboneConfig, options: Options, grid: int) -> Macs:
    """Count the multiply-accumulates per image of grid² patches; the memory of shots is excluded.

    Inside the encoder: all blocks, and in each a second attention and its output layer, on queries, keys and values
    that are there. After it: the projections, and the products with both texts.
    """
    vision, joint, patches = config.vision, config.embed_dim, grid**2
    tokens, width = 1 + patches, vision.width
    tower = image_macs(vision, grid * vision.patch_size)
    if options.values:
        tower += vision.layers * (attention_macs(tokens, tokens, width) + tokens * width**2)
    head = {"projection": tokens * width * joint, "text": 2 * tokens * joint}
    sentences = sum(options.normal(part) * (1 + len(GENERIC) + options.abnormal) for part in PARTS)
    length = LENGTH + options.context + options.abnormal_context - Options.context - Options.abnormal_context
    text = text_macs(config, sentences, length) + sentences * config.text.width * joint
    return Macs(head, head, text, tower)


# --- drawings of the stages -----------------------------------------------------------------------

NOTES = (
    StageNote("memory_raw_*", "what is remembered", "x + A(x) of a block, before its MLP", "", "tokens"),
    StageNote("vv_tokens_l*", "second path", "sum of value-value attention over all blocks", "", "tokens"),
    StageNote("patch_features", "nearer to abnormal", "cos(F, w_a) − cos(F, w_n)", "", "text", -0.3, 0.3, "signed"),
    StageNote("textual_map_grid", "text", "softmax(τ·cos) of abnormal", "", "values", 0.4, 0.6, "heat"),
    StageNote("visual_map_grid", "memory", "mean of (1 − cos)/2 to the nearest patch", "", "values", 0.0, 0.5, "heat"),
    StageNote("map_grid", "map", "1/(1/text + 1/memory)", "", "values", 0.0, 0.3, "heat"),
)

# --- the card -------------------------------------------------------------------------------------


def _build(backbone: Backbone, options: Options) -> TracedPromptAD:
    from zsadbench_methods.promptad.stages import TracedPromptAD

    return TracedPromptAD(backbone, options)


def _taps(options: Options) -> Taps:
    return Taps((), options.activation, preprocessing="rgb_first", own_encoding=True, frozen=True)


def _recipe(stage: str, before: Recipe | None = None) -> Recipe:
    return Recipe(
        epochs={},
        epochs_else=100,
        batch=400,
        lr=2e-3,
        image_size=240,
        loss="cross-entropy+triplet+match",
        optimiser="sgd",
        momentum=0.9,
        weight_decay=5e-4,
        cosine_to=1e-5,
        stage=stage,
        before=before,
        on_supports=True,
    )


PAPER_PROTOCOL = EvaluationProtocol(
    "paper:promptad",
    preprocessing="opencv_bgr",  # red and blue of test images are exchanged, those of supports are not
    supports="opencv_rgb",
    interpolation="opencv-bilinear to 1024, pillow-bicubic",
    mask_values="nonzero",
    mask_resize="opencv-1024-nearest",
    map_side=400,
    checkpoint="last epoch (published: the best on the test set)",
    seeds=(111,),
)

CARD = MethodCard(
    name="promptad",
    version="1",
    paper=Paper(
        title="PromptAD: Learning Prompts with only Normal Samples for Few-Shot Anomaly Detection",
        venue="CVPR",
        year=2024,
        key="li2024promptad",
        url="https://arxiv.org/abs/2404.05231",
        code="https://github.com/FuNz-0/PromptAD",
        authors=(
            *("Xiaofan Li", "Zhizhong Zhang", "Xin Tan", "Chengwei Chen", "Yanyun Qu", "Yuan Xie", "Lizhuang Ma"),
        ),
    ),
    options=Options,
    taps=_taps,
    build=_build,
    smoothing=4.0,
    recipe=_recipe(SEG, before=_recipe(CLS)),
    protocols=(PAPER_PROTOCOL,),
    official=Official(
        read=read_published,
        names=published_names,
        options=fixture_options,
        variants=fixture_variants,
        companions=companion_files,
    ),
    weight_bound=frozenset(
        {
            *("normal_cls", "normal_seg", "abnormal", "context", "abnormal_context", "pairing", "abnormal_place"),
            *("states", "values", "temperature", "activation"),
        }
    ),
    map_range=(0.0, 0.5),
    few_shot=True,
    notes=NOTES,
    macs=macs,
    native_size=True,
)

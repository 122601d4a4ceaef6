"""What the registry knows about AA-CLIP: published checkpoints, finishing step, cost, drawings, card. No torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zsadbench.checkpoints import published_tensors, read_archive, unwrap
from zsadbench.clip.macs import image_macs, text_macs
from zsadbench.errors import WeightsError
from zsadbench.protocol import EvaluationProtocol
from zsadbench.types import Macs, MethodCard, Official, Paper, Recipe, StageNote, Taps, Transductive, Variant
from zsadbench_methods.aaclip.names import DETECTION, IMAGE_STAGE, MAP_MAX, MAP_MIN, TEXT_STAGE
from zsadbench_methods.aaclip.options import Options
from zsadbench_methods.aaclip.prompts import ABNORMAL, NORMAL, TEMPLATES

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from zsadbench.clip import Backbone
    from zsadbench.clip.config import BackboneConfig
    from zsadbench_methods.aaclip.stages import TracedAACLIP

# --- published checkpoints ------------------------------------------------------------------------

TEXT_FILE, IMAGE_FILES = "text_adapter.pth", "image_adapter_*.pth"
TEXT_ENTRY, IMAGE_ENTRY = "text_adapter", "image_adapter"


def published_names(*, relu: bool = False) -> dict[str, str]:
    """Map published tensor names, each after the entry of its file, to ours; `relu` for heads with a leaky ReLU."""
    head, own = (".0", ".0") if relu else ("", "")
    text = {f"{number}.fc.0.weight": f"text.adapters.{number}.0.weight" for number in range(Options.text_adapters)}
    text[f"{Options.text_adapters}.fc.0.weight"] = "text.head.0.weight"
    image = {
        f"layer_adapters.{number}.fc.0.weight": f"image.adapters.{number}.0.weight"
        for number in range(Options.image_adapters)
    }
    for number in range(len(Options.layers)):
        image[f"seg_proj.{number}.fc{head}.weight"] = f"image.patches.{number}{own}.weight"
    image[f"det_proj.fc{head}.weight"] = f"image.image{own}.weight"
    return {f"{TEXT_ENTRY}.{theirs}": ours for theirs, ours in text.items()} | {
        f"{IMAGE_ENTRY}.{theirs}": ours for theirs, ours in image.items()
    }


def read_published(paths: Sequence[Path]) -> dict[str, Tensor]:
    """Read both published files, in any order: `text_adapter.pth`, and `image_adapter_EPOCH.pth`.

    Raises:
        WeightsError: they are not these two, or a tensor is missing.
    """
    if len(paths) != 2:
        raise WeightsError(
            f"AA-CLIP publishes two checkpoint files, {TEXT_FILE} and {IMAGE_FILES}; {len(paths)} given or found"
        )
    contents = {path: read_archive(path) for path in paths}
    either = {*_of_entry(IMAGE_ENTRY, relu=False), *_of_entry(IMAGE_ENTRY, relu=True)}
    found = {path: unwrap(raw, either, str(path)) for path, raw in contents.items()}
    holders = [path for path in paths if found[path]]
    if len(holders) != 1:
        raise WeightsError(f"{paths[0]} and {paths[1]} are no AA-CLIP checkpoint: {len(holders)} hold '{IMAGE_ENTRY}'")
    (other,) = (path for path in paths if path not in holders)
    relu = "det_proj.fc.0.weight" in found[holders[0]]
    state: dict[str, Tensor] = {}
    for path, entry in ((other, TEXT_ENTRY), (holders[0], IMAGE_ENTRY)):
        names = _of_entry(entry, relu=relu and entry == IMAGE_ENTRY)
        tensors = published_tensors(contents[path], names, str(path), "AA-CLIP checkpoint")
        state |= {ours: tensors[theirs].float() for theirs, ours in names.items()}
    return state


def _of_entry(entry: str, *, relu: bool) -> dict[str, str]:
    """Map the names of one file."""
    start = f"{entry}."
    names = published_names(relu=relu)
    return {theirs.removeprefix(start): ours for theirs, ours in names.items() if theirs.startswith(start)}


def companion_files(path: Path) -> list[Path]:
    """Find the other file of a checkpoint beside one of them; of several epochs, the last."""
    if path.name == TEXT_FILE:
        others = sorted(path.parent.glob(IMAGE_FILES), key=_epoch_of)[-1:]
    else:
        others = [other for other in (path.parent / TEXT_FILE,) if other.is_file()]
    return [path, *others]


def _epoch_of(path: Path) -> tuple[int, str]:
    number = path.stem.rpartition("_")[2]
    return (int(number) if number.isdecimal() else -1, path.name)


def fixture_options(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Translate the settings of a parity fixture into our options."""
    training = settings.get("training", {})
    text_stage = training.get("text_stage", {})
    surgery = str(text_stage.get("surgery", Options.surgery)).split(" ")[0]
    return {
        "layers": tuple(settings["layers"]),
        "text_adapters": int(settings["text_adapt_until"]),
        "image_adapters": int(settings["image_adapt_until"]),
        "text_share": float(settings["text_adapt_weight"]),
        "image_share": float(settings["image_adapt_weight"]),
        "relu": bool(settings["relu"]),
        "logit_scale": float(settings["logit_scale"]),
        "surgery": surgery,
        "orthogonality_weight": float(text_stage.get("orthogonality_weight", Options.orthogonality_weight)),
        "focal_gamma": float(training.get("focal_gamma", Options.focal_gamma)),
    }


def fixture_variants(settings: Mapping[str, Any]) -> dict[str, Variant]:
    """Find what a parity fixture repeats: its results in the medical domain."""
    return {"medical_": Variant(options={"domain": "medical"})}


# --- the image score ------------------------------------------------------------------------------


def transductive(options: Options) -> Transductive:
    """Return the finishing step for these options."""
    if options.domain == "medical":
        description = "the map's maximum, scaled to 0..1 over all pixels of the class"
        return Transductive("aaclip:map-scaled", description, (MAP_MIN, MAP_MAX), partial(scale_parts, share=0.0))
    return Transductive(
        name="aaclip:map-and-image-scaled",
        description="the map's maximum and the score of the image, each scaled to 0..1 over the class",
        parts=(MAP_MIN, MAP_MAX, DETECTION),
        finish=partial(scale_parts, share=options.score_share),
    )


def scale_parts(parts: Mapping[str, NDArray[np.float64]], share: float) -> NDArray[np.float64]:
    """Scale maps, by their ends over all pixels of all images, and image scores, and mix them by `share`.

    As published, nothing is scaled where the maximum is exactly 1. Values that are all equal count as 0.
    """
    mixed = (1 - share) * _scaled(parts[MAP_MAX], parts[MAP_MIN])
    return mixed + share * _scaled(parts[DETECTION], parts[DETECTION]) if share else mixed


def _scaled(values: NDArray[np.float64], lows: NDArray[np.float64]) -> NDArray[np.float64]:
    low, high = lows.min(), values.max()
    scaled: NDArray[np.float64] = values if high == 1 else (values - low) / ((high - low) or 1.0)
    return scaled


# --- cost -----------------------------------------------------------------------------------------

LENGTH = 10  # tokens of the longest sentence, for a class whose name is one token, both ends included


def macs(config: BackboneConfig, options: Options, grid: int) -> Macs:
    """Count the multiply-accumulates per image of grid² patches.

    Inside the encoder: all blocks, and the adapters of every token. After it: the heads of patches and image, and the
    products with both texts, of the image with the abnormal one alone. Executed is one product with the difference of
    both texts per patch; and the blur of every map, a row and a column, which no formula counts.
    """
    vision, text, joint, patches = config.vision, config.text, config.embed_dim, grid**2
    adapters = min(options.image_adapters, vision.layers)
    tower = image_macs(vision, grid * vision.patch_size) + adapters * (1 + patches) * vision.width**2
    layers, head = len(options.layers), patches * vision.width * joint
    heads = {"heads": layers * head}
    image = {**heads, "text": 2 * layers * patches * joint, "image": head + joint}
    executed = {**heads, "text": layers * patches * joint, "blur": layers * _blur_macs(grid, options.domain)}
    if options.domain == "industrial":
        executed["image"] = head + joint
    sentences = (len(NORMAL) + len(ABNORMAL)) * len(TEMPLATES)
    prompts = text_macs(config, sentences, LENGTH)
    prompts += min(options.text_adapters, text.layers) * sentences * LENGTH * text.width**2
    return Macs(image, executed, text=prompts + sentences * text.width * joint, tower=tower)


def _blur_macs(grid: int, domain: str) -> int:
    """Count the products of a separable blur of one map; rows first, on the map with its borders."""
    reach = min({"industrial": 7, "medical": 9}[domain] // 2, grid - 1)
    return (2 * reach + 1) * grid * (2 * grid + 2 * reach)


# --- drawings of the stages -----------------------------------------------------------------------

NOTES = (
    StageNote("tap_l*", "patches", "LN(x) after a tapped block", "", "tokens"),
    StageNote("projected_l*", "nearer to abnormal", "cos(S·x, T_a) − cos(S·x, T_n)", "", "text", -0.5, 0.5, "signed"),
    StageNote(
        "map_grid", "half the difference of logits", "50·(cos_a − cos_n) + ½, per layer", "", "values", -9.5, 10.5
    ),
    StageNote("map", "map", "sum over layers, blurred on the patch grid and enlarged", "", "values", -38, 42, "heat"),
)

# --- the card -------------------------------------------------------------------------------------


def _build(backbone: Backbone, options: Options) -> TracedAACLIP:
    from zsadbench_methods.aaclip.stages import TracedAACLIP

    return TracedAACLIP(backbone, options)


def _taps(options: Options) -> Taps:
    blocks = tuple(sorted({*options.layers, 24}))
    return Taps(blocks, options.activation, options.position, "rgb_first", own_encoding=True)


PAPER_PROTOCOL = EvaluationProtocol(
    "paper:aaclip", mask_values="nonzero", mask_resize="nearest", seeds=(111,), across_images="transductive"
)

TEXT_RECIPE = Recipe(
    epochs={},
    epochs_else=5,
    batch=16,
    lr=1e-5,
    betas=(0.5, 0.999),
    image_size=518,
    loss="focal+dice+orthogonality",
    mask="nonzero-nearest",
    stage=TEXT_STAGE,
)

CARD = MethodCard(
    name="aaclip",
    version="1",
    paper=Paper(
        title="AA-CLIP: Enhancing Zero-Shot Anomaly Detection via Anomaly-Aware CLIP",
        venue="CVPR",
        year=2025,
        key="ma2025aaclip",
        url="https://arxiv.org/abs/2503.06661",
        code="https://github.com/Mwxinnn/AA-CLIP",
        authors=(
            *("Wenxin Ma", "Xu Zhang", "Qingsong Yao", "Fenghe Tang", "Chenxu Wu", "Yingtai Li", "Rui Yan"),
            *("Zihang Jiang", "S. Kevin Zhou"),
        ),
    ),
    options=Options,
    taps=_taps,
    build=_build,
    smoothing=0.0,
    recipe=Recipe(
        epochs={"demo-aux": 1},  # 336 generated images; chosen by tools/demo_recipe
        epochs_else=20,
        batch=2,
        lr=5e-4,
        betas=(0.5, 0.999),
        image_size=518,
        loss="cross-entropy+focal+dice",
        mask="nonzero-nearest",
        halve_at=(16000, 32000),
        stage=IMAGE_STAGE,
        before=TEXT_RECIPE,
    ),
    protocols=(PAPER_PROTOCOL,),
    presets={"medical": {"domain": "medical"}, "intended": {"surgery": "vv_tokens", "text_layers": "all"}},
    official=Official(
        read=read_published,
        names=published_names,
        options=fixture_options,
        variants=fixture_variants,
        companions=companion_files,
    ),
    weight_bound=frozenset(
        {
            *("layers", "text_adapters", "image_adapters", "text_share", "image_share", "relu", "logit_scale"),
            *("position", "activation"),
        }
    ),
    map_range=(-38.0, 42.0),
    augments=True,
    notes=NOTES,
    macs=macs,
    transductive=transductive,
)

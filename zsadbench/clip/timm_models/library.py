"""Find an encoder in the library timm by name, and describe it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from zsadbench.clip.timm_models.config import NO_TEXT, TimmVisionConfig, Trunk, VisionOnlyConfig
from zsadbench.errors import UsageError, unknown
from zsadbench.tokens import IMAGENET_PIXELS, PixelNorm

if TYPE_CHECKING:
    from torch import nn

ACTIVATIONS = {"GELU": "gelu", "GELUTanh": "gelu_tanh", "QuickGELU": "quick_gelu", "SiLU": "silu", "ReLU": "relu"}
FILE_KEYS = {"timm", "arguments", "mean", "deviation"}


def is_timm(name: str) -> bool:
    """Whether timm has an architecture of this name, which may be followed by a dot and a tag of weights."""
    from timm import is_model

    return bool(is_model(name.partition(".")[0]))


def timm_names() -> list[str]:
    """List the names of timm's plain vision transformers that have published weights."""
    from timm import list_models

    names: list[str] = list_models(["vit_*", "eva*"], pretrained=False)
    return names


def find_vision_only(name: str) -> VisionOnlyConfig:
    """Find timm's architecture `NAME` or `NAME.TAG`; a tag decides the normalisation and the default weights.

    Raises:
        UsageError: there are no such published weights, or it is no plain vision transformer.
    """
    from timm.models import get_pretrained_cfg, list_pretrained

    model, _, tag = name.partition(".")
    if tag and name not in list_pretrained(model):
        raise unknown(f"weights of '{model}'", tag, [full.partition(".")[2] for full in list_pretrained(model)])
    published = get_pretrained_cfg(name)
    return _describe(model, {}, published_pixels(name), name=model, tag=published.tag or "" if published else "")


def published_pixels(name: str) -> PixelNorm:
    """Return what timm normalises images with for an architecture or one of its weights; by default ImageNet's."""
    from timm.models import get_pretrained_cfg

    published = get_pretrained_cfg(name)
    if published is None:
        return IMAGENET_PIXELS
    return PixelNorm(*(tuple(map(float, values)) for values in (published.mean, published.std)))  # type: ignore[arg-type]


def vision_only_of(raw: Mapping[str, Any], source: str) -> VisionOnlyConfig:
    """Read the architecture of a `backbone.json` with the entry `timm`.

    Its other entries are `arguments`, keyword arguments of timm's constructor, and `mean` and `deviation` of the
    pixels, by default those of ImageNet.

    Raises:
        UsageError: an entry is unknown or invalid.
    """
    model, arguments = raw["timm"], raw.get("arguments", {})
    if other := sorted(raw.keys() - FILE_KEYS):
        raise unknown(f"entry of {source}", other[0], FILE_KEYS)
    if not isinstance(model, str) or not isinstance(arguments, dict) or not is_timm(model):
        raise UsageError(f"{source} is no backbone file: 'timm' is the name of an architecture of timm, not {model!r}")
    try:
        given: dict[str, Any] = {name: tuple(map(float, raw[name])) for name in PixelNorm._fields if name in raw}
        pixels = IMAGENET_PIXELS._replace(**given)
        if any(len(values) != 3 for values in pixels) or min(pixels.deviation) <= 0:
            raise ValueError("'mean' and 'deviation' are three numbers, one per colour")
    except (TypeError, ValueError) as failure:
        raise UsageError(f"{source} is no backbone file: {failure}") from failure
    return _describe(model, arguments, pixels)


def _describe(
    model: str, arguments: Mapping[str, Any], pixels: PixelNorm, *, name: str = "", tag: str = ""
) -> VisionOnlyConfig:
    """Describe an architecture; without a name it gets one from its sizes."""
    trunk = new_trunk(model, arguments)
    vision = vision_sizes(trunk, model)
    kept = tuple(sorted((key, json.loads(json.dumps(value))) for key, value in arguments.items()))
    about = Trunk(model, kept, activation_name(trunk), *pixels, tag)
    name = name or f"{model}-{vision.width}x{vision.layers}-{vision.patch_size}-{vision.image_size}"
    return VisionOnlyConfig(name, 0, quick_gelu=False, vision=vision, text=NO_TEXT, trunk=about)


def new_trunk(model: str, arguments: Mapping[str, Any], *, classes: int = 0, values: bool = False) -> Any:
    """Build an encoder of timm with random initial values, or without values on the device `meta`.

    Raises:
        UsageError: timm refuses the arguments.
    """
    import torch
    from timm import create_model

    try:
        with torch.device("cpu" if values else "meta"):
            return create_model(model, pretrained=False, num_classes=classes, **arguments).eval()
    except Exception as failure:
        raise UsageError(f"timm cannot build '{model}': {type(failure).__name__}: {failure}") from failure


def vision_sizes(trunk: Any, model: str) -> TimmVisionConfig:
    """Read the sizes of an encoder.

    Raises:
        UsageError: it is no plain vision transformer, whose tokens can be read after every block.
    """
    from timm.models.eva import Eva
    from timm.models.vision_transformer import VisionTransformer
    from torch import nn

    if type(trunk) not in {VisionTransformer, Eva} or not _is_plain(trunk):
        raise UsageError(
            f"'{model}' is no plain vision transformer of timm; choose one such as 'vit_small_patch14_dinov2'"
        )
    block = trunk.blocks[0]
    linear = sum(module.weight.numel() for module in block.modules() if isinstance(module, nn.Linear))
    return TimmVisionConfig(
        image_size=trunk.patch_embed.img_size[0],
        patch_size=trunk.patch_embed.patch_size[0],
        width=trunk.embed_dim,
        layers=len(trunk.blocks),
        heads=block.attn.num_heads,
        registers=trunk.num_prefix_tokens - (trunk.cls_token is not None),
        class_token=trunk.cls_token is not None,
        block_weights=linear,
        heads_width=block.attn.proj.in_features,
    )


def _is_plain(trunk: Any) -> bool:
    """Whether an encoder has square patches from one convolution, and square images."""
    from torch import nn

    stem = trunk.patch_embed
    square = [stem.patch_size, stem.img_size]
    return (
        isinstance(getattr(stem, "proj", None), nn.Conv2d)
        and stem.proj.kernel_size == stem.proj.stride == tuple(stem.patch_size)
        and all(sides is not None and sides[0] == sides[1] for sides in square)
    )


def activation_name(trunk: Any) -> str:
    """Name the activation of the MLPs; gated ones are called by their usual name, SwiGLU."""
    mlp: nn.Module = trunk.blocks[0].mlp
    if "Glu" in type(mlp).__name__ or "GLU" in type(mlp).__name__:
        return "swiglu"
    activation: Any = mlp.act
    name = type(activation).__name__
    exact = getattr(activation, "approximate", "none") == "none"
    return ACTIVATIONS.get(name, name.lower()) if exact else "gelu_tanh"

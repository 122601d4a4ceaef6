"""Image–text pairs whose image tower is an encoder of timm: EVA and SigLIP, as open_clip describes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from zsadbench.clip.sizes import TextConfig
from zsadbench.clip.timm_models.config import TimmConfig, Trunk
from zsadbench.clip.timm_models.library import activation_name, new_trunk, published_pixels, vision_sizes
from zsadbench.errors import UsageError

if TYPE_CHECKING:
    from zsadbench.tokens import BackboneKind

VISION_KEYS = {"image_size", "timm_model_name", "timm_model_pretrained", "timm_pool", "timm_proj"}
TEXT_KEYS = {"context_length", "vocab_size", "width", "heads", "layers", "mlp_ratio", "hf_tokenizer_name"}
TEXT_KEYS |= {"tokenizer_kwargs", "no_causal_mask", "proj_bias", "pool_type", "norm_kwargs", "act_kwargs"}


@dataclass(frozen=True)
class TextRules:
    """What a text tower does otherwise than CLIP's, whose values are the defaults.

    Attributes:
        tokenizer: its name on the Hugging Face hub; empty for CLIP's own byte pairs.
        clean: how its tokenizer prepares a sentence.
        causal: whether a token attends only to itself and the tokens before it.
        pool: which token stands for the sentence: the one with the largest number, or the last.
        projection_bias: whether the projection has a bias.
        mlp_ratio: width of the MLP relative to that of a token.
        epsilon: of the layer norms.
        tanh: whether GELU is approximated.
    """

    tokenizer: str = ""
    clean: str = ""
    causal: bool = True
    pool: str = "argmax"
    projection_bias: bool = False
    mlp_ratio: float = 4.0
    epsilon: float = 1e-5
    tanh: bool = False


@dataclass(frozen=True)
class PairConfig(TimmConfig):
    """An image–text pair other than a plain CLIP.

    Attributes:
        pool: how tokens become the image feature: the class token, or an attention pool (`map`).
        pool_hidden: the width of the MLP in the attention pool; 0 without one.
        rules: of the text tower.
        logit_bias: the initial bias of the logits of a pair trained with a sigmoid; None for one with a softmax.
    """

    pool: Literal["token", "map"]
    pool_hidden: int
    rules: TextRules
    logit_bias: float | None

    @property
    def kind(self) -> BackboneKind:
        """What the backbone is."""
        return "image-text"

    @property
    def text_block_products(self) -> int:
        """Multiply-accumulates of a block of the text tower for one token in linear layers."""
        width = self.text.width
        return 4 * width**2 + 2 * width * int(width * self.rules.mlp_ratio)

    def joint_macs(self, patches: int) -> int:
        """Count what maps the tokens of an image into the joint space: the class token or the pool, and every patch."""
        width = self.vision.width
        if self.pool == "token":
            return (1 + patches) * width * self.embed_dim
        fixed = 2 * width**2 + 2 * width * self.pool_hidden  # query, output and MLP, for every pooled vector
        keys = 2 * width**2 + 2 * width  # key and value, and both products of the attention, for every token
        return (1 + patches) * fixed + 2 * patches * keys


def pair_of(name: str, raw: Mapping[str, Any]) -> PairConfig:
    """Read one of open_clip's architectures with a vision transformer of timm and a plain text transformer.

    Raises:
        UsageError: it is none.
    """
    vision, text = raw["vision_cfg"], raw["text_cfg"]
    pool, model = vision.get("timm_pool"), vision["timm_model_name"]
    known = set(vision) <= VISION_KEYS and set(text) <= TEXT_KEYS and pool in {"token", "map"}
    if not known or vision.get("timm_proj") not in {None, "none"}:
        raise UsageError(f"backbone '{name}' is no pair of two transformers; choose one such as 'ViT-L-14-336'")
    trunk = new_trunk(model, {"global_pool": pool}, classes=0 if vision["timm_proj"] == "none" else raw["embed_dim"])
    if pool == "map" and trunk.num_prefix_tokens:
        raise UsageError(f"backbone '{name}' pools other tokens than patches, which is not supported")
    pixels = published_pixels(model)
    return PairConfig(
        name=name,
        embed_dim=raw["embed_dim"],
        quick_gelu=raw.get("quick_gelu", False),
        vision=vision_sizes(trunk, model),
        text=TextConfig(*(text[key] for key in ("context_length", "vocab_size", "width", "heads", "layers"))),
        trunk=Trunk(model, (("global_pool", pool),), activation_name(trunk), *pixels),
        pool=pool,
        pool_hidden=trunk.attn_pool.mlp.fc1.out_features if pool == "map" else 0,
        rules=_text_rules(text),
        logit_bias=raw.get("init_logit_bias"),
    )


def _text_rules(text: Mapping[str, Any]) -> TextRules:
    return TextRules(
        tokenizer=text.get("hf_tokenizer_name", ""),
        clean=text.get("tokenizer_kwargs", {}).get("clean", ""),
        causal=not text.get("no_causal_mask", False),
        pool=text.get("pool_type", "argmax"),
        projection_bias=text.get("proj_bias", False),
        mlp_ratio=text.get("mlp_ratio", 4.0),
        epsilon=text.get("norm_kwargs", {}).get("eps", 1e-5),
        tanh=text.get("act_kwargs", {}).get("approximate") == "tanh",
    )

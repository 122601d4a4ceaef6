"""MFP-CLIP's options: the paper's switches, and one option for every choice that its text leaves open."""

from dataclasses import dataclass, fields
from typing import Literal

from zsadbench.errors import UsageError
from zsadbench.types import Activation, PositionRule

Axis = Literal["channels", "tokens"]


@dataclass(frozen=True)
class Options:
    """Settings of MFP-CLIP.

    Of the paper: `layers` are the last blocks of the stages, in a 24-block tower. `i2tp` gives the texts what a
    ResNet-50 sees (image to text prompting), `sp_stages` is the number of stages with self prompts, 0 for none,
    `prompts` their number K; `neighbourhood` is the side of the aggregated neighbourhood (MPFA), 1 for none; `mp` is
    the second pass (mask prompting). docs/methods/mfpclip.md explains all others, which the paper leaves open.

    Raises:
        UsageError: a value is out of range.
    """

    layers: tuple[int, ...] = (6, 12, 18, 24)
    i2tp: bool = True
    sp_stages: int = 1
    prompts: int = 5
    neighbourhood: int = 3
    mp: bool = True

    resnet: str = ""  # weights: a tag, a path, `random`; empty for the default
    resnet_trained: bool = False
    resnet_layer: Literal["layer3", "layer4"] = "layer4"
    resnet_size: int = 0  # pixels; 0 for the size of the input
    resnet_colours: Literal["imagenet", "clip"] = "imagenet"

    template: str = "A photo of a {state} {object}"
    underscores: bool = False  # left in the name of the object
    i2tp_map: Literal["mlp", "linear"] = "mlp"
    i2tp_axis: Axis = "channels"
    i2tp_positions: Literal["after", "before"] = "after"

    sp_join: Literal["tokens", "sum"] = "tokens"
    sp_dropped: Literal["all", "half"] = "all"
    sp_shared: bool = True
    sp_kept: bool = True
    sp_std: float = 0.02

    adapter_activation: Literal["leaky_relu", "relu", "gelu"] = "leaky_relu"
    adapter_width: int = 0  # 0 for that of the joint space
    adapter_bias: bool = True
    final_norm: bool = False
    border: Literal["inside", "replicate"] = "inside"
    logit_scale: float = 100.0
    corners: bool = True

    mp_pixels: Literal["normalised", "raw"] = "normalised"
    mp_gradient: bool = False
    mp_axis: Axis = "channels"
    mp_class_token: bool = False
    mp_shared: bool = True
    identity_start: bool = True

    supervised: Literal["mean", "layers"] = "mean"
    coarse_weight: float = 1.0
    focal_weight: float = 1.0
    dice_weight: float = 1.0
    image_weight: float = 1.0
    focal_gamma: float = 2.0
    focal_smoothing: float = 1e-5
    position: PositionRule = "bicubic_antialias"
    activation: Activation = "gelu"

    def __post_init__(self) -> None:
        blocks = self.layers
        if not blocks or len(set(blocks)) < len(blocks) or not all(1 <= block <= 24 for block in blocks):
            raise UsageError(f"option 'layers' is {list(blocks)}; it takes distinct blocks of 1..24, at least one")
        object.__setattr__(self, "layers", tuple(sorted(blocks)))
        if not 0 <= self.sp_stages <= len(blocks) or self.prompts < 1:
            raise UsageError(f"option 'sp_stages' must be from 0 to {len(blocks)}, and 'prompts' positive")
        if self.neighbourhood < 1 or self.neighbourhood % 2 == 0:
            raise UsageError(f"option 'neighbourhood' is {self.neighbourhood}; it takes odd numbers from 1")
        if "{state}" not in self.template or "{object}" not in self.template:
            raise UsageError("option 'template' must contain '{state}' and '{object}'")
        if self.logit_scale <= 0 or not 0 <= self.focal_smoothing < 0.5:
            raise UsageError("option 'logit_scale' must be positive, and 'focal_smoothing' from 0 to one half")
        for name in (option.name for option in fields(self) if option.type in {"int", int, "float", float}):
            if getattr(self, name) < 0:
                raise UsageError(f"option '{name}' must not be negative")

    @property
    def prompt_tokens(self) -> int:
        """The number M of prompt tokens that go into a block."""
        return self.prompts * (2 if self.sp_join == "tokens" else 1)

    @property
    def source_width(self) -> int:
        """The width of the feature of the ResNet-50."""
        return {"layer3": 1024, "layer4": 2048}[self.resnet_layer]

    @property
    def with_resnet(self) -> bool:
        """Whether anything depends on the ResNet-50."""
        return self.i2tp or self.sp_stages > 0

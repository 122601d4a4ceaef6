"""The towers of an image–text pair with an encoder of timm, from a file or random, as open_clip builds them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from math import log
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from zsadbench.checkpoints import check_state, check_tensors, load_state, read_archive, unwrap
from zsadbench.errors import WeightsError

if TYPE_CHECKING:
    from pathlib import Path

    from zsadbench.clip.timm_models.pairs import PairConfig

INITIAL_SCALE = log(1 / 0.07)  # the temperature with which training begins
LOGITS = "logit_"  # prefix of the temperature and the bias
ANCHORS = ("visual.trunk.patch_embed.proj.weight", "text.token_embedding.weight")
PARTS = {"vision": "visual.", "text": "text."}  # tower → prefix of its tensors in a file


class PairSource:
    """Builds the two towers of a pair; see `zsadbench.clip.sources.TowerSource`.

    Args:
        config: the architecture.
        path: the file; None for random values.
        seed: of the random values; each tower begins with it, and the global generator is not changed.
    """

    def __init__(self, config: PairConfig, path: Path | None, seed: int) -> None:
        self._config, self._path, self._seed = config, path, seed
        self._unused = {} if path is None else read_pair(config, path)
        logits = self._unused.pop("logits", {})
        self.logit_scale = float(logits.get("logit_scale", INITIAL_SCALE))
        bias = logits.get("logit_bias", config.logit_bias)
        self.logit_bias = None if config.logit_bias is None or bias is None else float(bias)

    def vision(self) -> nn.Module:
        """Build the image tower."""
        return self._build("vision")

    def text(self) -> nn.Module:
        """Build the text tower."""
        return self._build("text")

    def release_text(self) -> None:
        """Free the tensors of a text tower that was not built."""
        self._unused.pop("text", None)

    def _build(self, name: str) -> nn.Module:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self._seed)
            tower = new_pair_tower(self._config, name)
        if self._path is not None:
            state = self._unused.pop(name, None) or read_pair(self._config, self._path)[name]
            load_state(tower, state, _label(self._config, self._path))
        return tower


def read_pair(config: PairConfig, path: Path) -> dict[str, dict[str, Tensor]]:
    """Read and check the tensors of both towers by their names inside the tower, and those of the logits.

    Raises:
        WeightsError: the file is unreadable, is of another architecture, or a tensor is not finite.
    """
    entries = unwrap(read_archive(path), ANCHORS, str(path))
    if not entries:
        raise WeightsError(f"{path} holds no pair like '{config.name}': '{ANCHORS[0]}' is missing")
    state = {name: value for name, value in entries.items() if not name.startswith(LOGITS)}
    check_state(pair_skeleton(config), state, _label(config, path))
    check_tensors(entries, f"weights {path}")
    towers = {
        tower: {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
        for tower, prefix in PARTS.items()
    }
    return {**towers, "logits": {name: entries[name] for name in entries.keys() - state.keys()}}


def _label(config: PairConfig, path: Path) -> str:
    return f"weights {path} for backbone '{config.name}'"


def pair_skeleton(config: PairConfig) -> Mapping[str, Tensor]:
    """List every parameter of both towers by open_clip's names: shapes without values."""
    with torch.device("meta"):
        towers = {prefix: new_pair_tower(config, name) for name, prefix in PARTS.items()}
    return {f"{prefix}{name}": value for prefix, tower in towers.items() for name, value in tower.state_dict().items()}


def new_pair_tower(config: PairConfig, name: str) -> nn.Module:
    """Build the tower `vision` or `text` with random initial values."""
    from open_clip.timm_model import TimmModel
    from open_clip.transformer import LayerNorm, QuickGELU, TextTransformer

    if name == "vision":
        projected = None if config.pool == "token" else "none"
        vision: nn.Module = TimmModel(config.trunk.model, config.embed_dim, pool=config.pool, proj=projected).eval()
        return vision
    text, rules = config.text, config.rules
    gelu: Any = QuickGELU if config.quick_gelu else partial(nn.GELU, approximate="tanh" if rules.tanh else "none")
    tower: nn.Module = TextTransformer(
        *(text.context_length, text.vocab_size, text.width, text.heads, text.layers, rules.mlp_ratio),
        output_dim=config.embed_dim,
        no_causal_mask=not rules.causal,
        pool_type=rules.pool,
        proj_bias=rules.projection_bias,
        act_layer=gelu,
        norm_layer=partial(LayerNorm, eps=rules.epsilon),
    )
    return tower

"""Where the parameters of encoders of timm come from: a file, or a seeded random initialisation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from zsadbench.checkpoints import check_state, check_tensors, load_state, read_archive
from zsadbench.clip.timm_models.library import new_trunk
from zsadbench.clip.timm_models.names import to_timm_names
from zsadbench.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from zsadbench.clip.timm_models.config import TimmConfig


class Visual(nn.Module):
    """timm's model as `trunk`."""

    def __init__(self, trunk: nn.Module) -> None:
        super().__init__()
        self.trunk = trunk


class VisionOnlySource:
    """The image tower of an encoder without text, from a file or random; see `zsadbench.clip.sources.TowerSource`.

    Args:
        config: the architecture.
        path: the file; None for random values.
        seed: of the random values; the global generator is not changed.
    """

    def __init__(self, config: TimmConfig, path: Path | None, seed: int) -> None:
        self._config, self._path, self._seed = config, path, seed
        self._unused = None if path is None else read_vision_only(config, path)

    def vision(self) -> nn.Module:
        """Build the image tower."""
        trunk = random_trunk(self._config, self._seed)
        if self._path is not None:
            state = self._unused or read_vision_only(self._config, self._path)
            self._unused = None
            load_state(trunk, state, _label(self._config, self._path))
        return Visual(trunk)

    def text(self) -> nn.Module:
        """Raise `UsageError`: there is none."""
        raise UsageError(f"'{self._config.name}' is an image encoder alone: it has no text encoder")

    @property
    def logit_scale(self) -> float:
        """Raise `UsageError`: there is no text to compare with."""
        raise UsageError(f"'{self._config.name}' is an image encoder alone: it has no temperature")

    @property
    def logit_bias(self) -> float | None:
        """None: there is no text to compare with."""
        return None

    def release_text(self) -> None:
        """Do nothing: there is no text tower."""


def random_trunk(config: TimmConfig, seed: int, classes: int = 0) -> nn.Module:
    """Build timm's model with timm's random initialisation from one seed.

    It is built with values also where a file replaces them, since buffers that no file stores are computed then.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        trunk: nn.Module = new_trunk(config.trunk.model, dict(config.trunk.arguments), classes=classes, values=True)
    return trunk


def read_vision_only(config: TimmConfig, path: Path) -> dict[str, Tensor]:
    """Read and check the tensors of an encoder under timm's, Meta's or Hugging Face's names.

    Raises:
        WeightsError: the file is unreadable, is of another architecture, or a tensor is not finite.
    """
    wanted = vision_only_skeleton(config)
    state = to_timm_names(read_archive(path), wanted, str(path))
    check_state(wanted, state, _label(config, path))
    check_tensors(state, f"weights {path}")
    return state


def vision_only_skeleton(config: TimmConfig) -> Mapping[str, Tensor]:
    """List every parameter by timm's names: shapes without values."""
    trunk: Any = new_trunk(config.trunk.model, dict(config.trunk.arguments))
    state: Mapping[str, Tensor] = trunk.state_dict()
    return state


def _label(config: TimmConfig, path: Path) -> str:
    return f"weights {path} for backbone '{config.name}'"

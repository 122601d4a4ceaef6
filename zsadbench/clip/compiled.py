"""The blocks of a tower compiled by PyTorch, where that is asked for; where it cannot be done, they run as they are.

One block is compiled and serves them all. `graphs` also records what is launched on a CUDA device (CUDA graphs), so
that a small batch does not wait for its launches; what a recording gives is written over by the next one, so it is
copied.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch

from zsadbench.clip.attention import run_block

if TYPE_CHECKING:
    from torch import Tensor

    from zsadbench.tokens import Compiling

log = logging.getLogger(__name__)

MODES = {"blocks": "default", "graphs": "reduce-overhead"}


class Blocks:
    """`run_block`, compiled or not; `compiled` says whether it still is."""

    def __init__(self, compiling: Compiling = "off") -> None:
        self.compiling = compiling
        mode = MODES.get(compiling)
        self._fast: Callable[..., Any] | None = torch.compile(run_block, mode=mode, dynamic=False) if mode else None

    @property
    def compiled(self) -> bool:
        """Whether blocks run compiled."""
        return self._fast is not None

    def begin(self) -> None:
        """A batch begins: what recordings gave of the one before is not needed any more."""
        if self.compiled and self.compiling == "graphs":
            torch.compiler.cudagraph_mark_step_begin()  # type: ignore[no-untyped-call]

    def keep(self, tokens: Tensor) -> Tensor:
        """Tokens that outlive the batch's run through the tower, as float32."""
        kept = tokens.float()
        return kept.clone() if kept is tokens and self.compiled and self.compiling == "graphs" else kept

    def __call__(self, block: Any, tokens: Tensor, value: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """As `run_block`."""
        if self._fast is not None:
            try:
                found: tuple[Tensor, Tensor | None] = self._fast(block, tokens, value)
                return found
            except (torch.OutOfMemoryError, MemoryError):
                raise
            except Exception as failure:
                reason = (str(failure).strip() or type(failure).__name__).splitlines()[0]
                log.warning("the image tower is not compiled and runs as it is: %s", reason)
                self._fast = None
        return run_block(block, tokens, value)

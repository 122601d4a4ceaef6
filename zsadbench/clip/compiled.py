"""The blocks of the image tower compiled by PyTorch, if requested; where compiling fails, they run uncompiled.

All blocks share one compiled function. `graphs` also records the kernels of a CUDA device (CUDA graphs), so that small
batches do not wait for kernel launches; the next run of a recording overwrites its output, so tokens that are kept are
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
    """`run_block`, compiled or not; after a failed compilation not."""

    def __init__(self, compiling: Compiling = "off") -> None:
        self.compiling = compiling
        mode = MODES.get(compiling)
        self._fast: Callable[..., Any] | None = torch.compile(run_block, mode=mode, dynamic=False) if mode else None

    @property
    def compiled(self) -> bool:
        """Whether blocks run compiled."""
        return self._fast is not None

    def begin_batch(self) -> None:
        """Tell CUDA graphs that a batch begins: the outputs of the previous one may be overwritten."""
        if self.compiled and self.compiling == "graphs":
            torch.compiler.cudagraph_mark_step_begin()  # type: ignore[no-untyped-call]

    def keep(self, tokens: Tensor) -> Tensor:
        """Return tokens as float32 that stay valid after the run of the tower."""
        kept = tokens.float()
        return kept.clone() if kept is tokens and self.compiled and self.compiling == "graphs" else kept

    def __call__(self, block: Any, tokens: Tensor, value: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Run both paths through one block, as `run_block`."""
        if self._fast is not None:
            try:
                outputs: tuple[Tensor, Tensor | None] = self._fast(block, tokens, value)
                return outputs
            except (torch.OutOfMemoryError, MemoryError):
                raise
            except Exception as failure:
                reason = (str(failure).strip() or type(failure).__name__).splitlines()[0]
                log.warning("the image tower is not compiled and runs as it is: %s", reason)
                self._fast = None
        return run_block(block, tokens, value)

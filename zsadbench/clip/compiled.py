"""The blocks of an image tower compiled by PyTorch, if requested; where compiling fails, they run uncompiled.

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
    """A function that runs a block, compiled or not; after a failed compilation not."""

    def __init__(self, compiling: Compiling = "off", run: Callable[..., Any] = run_block) -> None:
        self.compiling, self._run = compiling, run
        mode = MODES.get(compiling)
        self._fast: Callable[..., Any] | None = torch.compile(run, mode=mode, dynamic=False) if mode else None

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

    def __call__(self, block: Any, tokens: Tensor, second: Tensor | None = None) -> Any:
        """Run one block, by default both paths through a block of CLIP, as `run_block`."""
        if self._fast is not None:
            try:
                return self._fast(block, tokens, second)
            except (torch.OutOfMemoryError, MemoryError):
                raise
            except Exception as failure:
                reason = (str(failure).strip() or type(failure).__name__).splitlines()[0]
                log.warning("the image tower is not compiled and runs as it is: %s", reason)
                self._fast = None
        return self._run(block, tokens, second)

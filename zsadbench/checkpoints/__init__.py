"""Read checkpoints of other programs without running code from them; write checkpoints as safetensors."""

from zsadbench.checkpoints.files import (
    FORMAT,
    UNREADABLE,
    check_digest,
    check_state,
    load_state,
    read_archive,
    read_metadata,
    read_modules,
    write_checkpoint,
)
from zsadbench.checkpoints.integrity import check_tensors, first_not_finite

__all__ = [
    "FORMAT",
    "UNREADABLE",
    "check_digest",
    "check_state",
    "check_tensors",
    "first_not_finite",
    "load_state",
    "read_archive",
    "read_metadata",
    "read_modules",
    "write_checkpoint",
]

"""Read checkpoints of other programs without running code from them; write checkpoints as safetensors."""

from zsadbench.checkpoints.files import (
    FORMAT,
    UNREADABLE,
    check_state,
    load_state,
    read_archive,
    read_metadata,
    read_modules,
    write_checkpoint,
)

__all__ = [
    "FORMAT",
    "UNREADABLE",
    "check_state",
    "load_state",
    "read_archive",
    "read_metadata",
    "read_modules",
    "write_checkpoint",
]

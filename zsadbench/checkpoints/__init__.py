"""Checkpoints and weights: files of other programs are read safely, our own are written as safetensors."""

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

"""Read checkpoints of other programs without running code from them; write checkpoints as safetensors."""

from zsadbench.checkpoints.file_kind import check_kind, foreign_kind
from zsadbench.checkpoints.files import (
    FORMAT,
    check_digest,
    check_state,
    load_state,
    read_archive,
    read_metadata,
    read_modules,
    write_checkpoint,
)
from zsadbench.checkpoints.integrity import check_tensors, first_not_finite
from zsadbench.checkpoints.unwrap import entry_names, published_tensors, tensors_of, unwrap

__all__ = [
    "FORMAT",
    "check_digest",
    "check_kind",
    "check_state",
    "check_tensors",
    "entry_names",
    "first_not_finite",
    "foreign_kind",
    "load_state",
    "published_tensors",
    "read_archive",
    "read_metadata",
    "read_modules",
    "tensors_of",
    "unwrap",
    "write_checkpoint",
]

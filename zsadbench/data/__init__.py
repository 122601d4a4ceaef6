"""Card → manifest → batches.

Names are imported when they are first asked for: reading cards needs neither torch nor pandas, reading a
data set needs no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zsadbench.data.card import Card
    from zsadbench.data.catalogue import all_cards, find_card, synthesise
    from zsadbench.data.dataset import Dataset, check_masks, load_dataset
    from zsadbench.data.images import (
        oriented_size,
        prepare,
        prepare_image,
        read_image,
        read_mask,
        resize_mask_nearest,
        soften_mask,
        training_mask,
    )
    from zsadbench.data.loading import LoadedBatch, batches
    from zsadbench.data.locate import find_copy, roots_from_environment
    from zsadbench.data.own import images_of
    from zsadbench.data.room import Room, mapped, stamp
    from zsadbench.data.tensor_cache import TensorCache

_HOMES = {
    "card": ("Card",),
    "catalogue": ("all_cards", "find_card", "synthesise"),
    "dataset": ("Dataset", "check_masks", "load_dataset"),
    "images": (
        "oriented_size",
        "prepare",
        "prepare_image",
        "read_image",
        "read_mask",
        "resize_mask_nearest",
        "soften_mask",
        "training_mask",
    ),
    "loading": ("LoadedBatch", "batches"),
    "locate": ("find_copy", "roots_from_environment"),
    "own": ("images_of",),
    "room": ("Room", "mapped", "stamp"),
    "tensor_cache": ("TensorCache",),
}

__all__ = [
    "Card",
    "Dataset",
    "LoadedBatch",
    "Room",
    "TensorCache",
    "all_cards",
    "batches",
    "check_masks",
    "find_card",
    "find_copy",
    "images_of",
    "load_dataset",
    "mapped",
    "oriented_size",
    "prepare",
    "prepare_image",
    "read_image",
    "read_mask",
    "resize_mask_nearest",
    "roots_from_environment",
    "soften_mask",
    "stamp",
    "synthesise",
    "training_mask",
]


def __getattr__(name: str) -> Any:
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"zsadbench.data.{module}"), name)
    raise AttributeError(f"module 'zsadbench.data' has no attribute '{name}'")

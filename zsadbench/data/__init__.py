"""Data sets: a card describes a benchmark, a copy on disk gives a manifest, and the manifest is loaded in batches.

Each name is imported when it is first used: reading cards imports neither torch nor pandas, reading a manifest
imports no torch.

    cards         what is known about a benchmark, parsed from TOML
    layouts       read the images of a copy by its layout
    images        open, preprocess and hash single images and masks
    user_images   `folder:PATH` and `csv:PATH`
    catalogue     find a card by name
    copies        find, load and check a copy on disk; its fingerprint
    loading       batches for a run, and the cache of resized images
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zsadbench.data.cards.card import Card
    from zsadbench.data.catalogue import all_cards, find_card, synthesise
    from zsadbench.data.copies.dataset import Dataset, check_files, check_masks, load_dataset
    from zsadbench.data.copies.file_hashes import FileHashes, hash_files
    from zsadbench.data.copies.locate import find_copy, roots_from_environment
    from zsadbench.data.copies.manifest import limited
    from zsadbench.data.images.masks import (
        read_mask,
        resize_mask_as_opencv,
        resize_mask_nearest,
        soften_mask,
        training_mask,
    )
    from zsadbench.data.images.preprocess import oriented_size, prepare, prepare_image, read_image
    from zsadbench.data.loading.batches import LoadedBatch, batches
    from zsadbench.data.loading.disk_budget import DiskBudget, file_stamp, mapped
    from zsadbench.data.loading.tensor_cache import TensorCache
    from zsadbench.data.user_images.target import UserImage, images_of, is_listed, listed_images, placed_images

_MODULES = {
    "cards.card": ("Card",),
    "catalogue": ("all_cards", "find_card", "synthesise"),
    "copies.dataset": ("Dataset", "check_files", "check_masks", "load_dataset"),
    "copies.file_hashes": ("FileHashes", "hash_files"),
    "copies.locate": ("find_copy", "roots_from_environment"),
    "copies.manifest": ("limited",),
    "images.masks": ("read_mask", "resize_mask_as_opencv", "resize_mask_nearest", "soften_mask", "training_mask"),
    "images.preprocess": ("oriented_size", "prepare", "prepare_image", "read_image"),
    "loading.batches": ("LoadedBatch", "batches"),
    "loading.disk_budget": ("DiskBudget", "file_stamp", "mapped"),
    "loading.tensor_cache": ("TensorCache",),
    "user_images.target": ("UserImage", "images_of", "is_listed", "listed_images", "placed_images"),
}

__all__ = [
    "Card",
    "Dataset",
    "DiskBudget",
    "FileHashes",
    "LoadedBatch",
    "TensorCache",
    "UserImage",
    "all_cards",
    "batches",
    "check_files",
    "check_masks",
    "file_stamp",
    "find_card",
    "find_copy",
    "hash_files",
    "images_of",
    "is_listed",
    "limited",
    "listed_images",
    "load_dataset",
    "mapped",
    "oriented_size",
    "placed_images",
    "prepare",
    "prepare_image",
    "read_image",
    "read_mask",
    "resize_mask_as_opencv",
    "resize_mask_nearest",
    "roots_from_environment",
    "soften_mask",
    "synthesise",
    "training_mask",
]


def __getattr__(name: str) -> Any:
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(f"zsadbench.data.{module}"), name)
    raise AttributeError(f"module 'zsadbench.data' has no attribute '{name}'")

"""Published weights through open_clip's table of addresses and checksums: from a cache, or downloaded."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from zsadbench.errors import unknown

log = logging.getLogger(__name__)

NO_DOWNLOAD = "nothing is downloaded in a dry run or offline"

HUB_NAMES = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")


def find_published(backbone: str, tag: str, folder: Path, *, offline: bool) -> Path | str:
    """The file of the weights `tag`, downloaded into `folder` if it must be; or why there is none, as text.

    Raises:
        UsageError: open_clip knows no such tag for this backbone.
    """
    source = _entry(backbone, tag)
    cached = _in_cache(source, folder)
    if cached is not None:
        return cached
    if offline:
        return NO_DOWNLOAD
    from open_clip.pretrained import download_pretrained

    log.warning("downloading weights '%s' of %s into %s", tag, backbone, folder)
    try:
        return Path(download_pretrained(source, prefer_hf_hub=not source.get("url"), cache_dir=str(folder)))
    except (OSError, RuntimeError) as failure:
        return f"the download failed ({failure})"


def is_quick_gelu(backbone: str, tag: str) -> bool:
    """Whether the weights `tag` were trained with QuickGELU."""
    return bool(_entry(backbone, tag).get("quick_gelu"))


def _entry(backbone: str, tag: str) -> dict[str, Any]:
    from open_clip.pretrained import get_pretrained_cfg, list_pretrained_tags_by_model

    source: dict[str, Any] = get_pretrained_cfg(backbone, tag)
    if not source:
        raise unknown(f"weights of '{backbone}'", tag, [*list_pretrained_tags_by_model(backbone), "random"])
    return source


def _in_cache(source: dict[str, Any], folder: Path) -> Path | None:
    """A file that an earlier download, ours or another program's, left in a Hugging Face cache."""
    from huggingface_hub import try_to_load_from_cache

    repository, _, name = source.get("hf_hub", "").rpartition("/")
    places: tuple[Path | None, ...] = (folder, None)  # None is the hub's own cache
    for place in places if repository else ():
        for wanted in (name,) if name else HUB_NAMES:
            found = try_to_load_from_cache(repository, wanted, cache_dir=place)
            if isinstance(found, str):
                return Path(found)
    return None

"""Published weights through open_clip's table of addresses and checksums, from a cache or by download."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from zsadbench.errors import unknown

log = logging.getLogger(__name__)

NO_DOWNLOAD = "nothing is downloaded in a dry run or offline"

HUB_NAMES = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")


def find_published(backbone: str, tag: str, folder: Path, *, offline: bool) -> Path | str:
    """Find the file of the weights `tag` in a cache, or download it into `folder`; else return the reason as text.

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
    """Find the file in a Hugging Face cache, ours or the default one."""
    from huggingface_hub import try_to_load_from_cache

    repository, _, name = source.get("hf_hub", "").rpartition("/")
    caches: tuple[Path | None, ...] = (folder, None)  # None is the default cache of the hub
    for cache in caches if repository else ():
        for file_name in (name,) if name else HUB_NAMES:
            path = try_to_load_from_cache(repository, file_name, cache_dir=cache)
            if isinstance(path, str):
                return Path(path)
    return None

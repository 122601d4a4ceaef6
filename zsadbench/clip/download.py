"""Published weights through open_clip's table of addresses and checksums, from a cache or by download."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import Any

from zsadbench.errors import unknown
from zsadbench.files import UNFINISHED, locked

log = logging.getLogger(__name__)

NO_DOWNLOAD = "nothing is downloaded in a dry run or offline"

HUB_NAMES = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")


def find_published(backbone: str, tag: str, folder: Path, *, offline: bool) -> Path | str:
    """Find the file of the weights `tag` in a cache, or download it into `folder`; else return the reason as text.

    Raises:
        UsageError: open_clip knows no such tag for this backbone.
    """
    source = _entry(backbone, tag)
    cached = _in_cache(source, folder) or carried(folder, backbone, tag)
    if cached is not None:
        return cached
    if offline:
        return NO_DOWNLOAD
    log.warning("downloading weights '%s' of %s into %s", tag, backbone, folder)
    try:
        return _download(source, folder)
    except (OSError, RuntimeError) as failure:
        return f"the download failed ({failure})"


def _download(source: dict[str, Any], folder: Path) -> Path:
    """Download a file; one process at a time, and what is not complete never lies under the name of the file.

    Raises:
        OSError, RuntimeError: it cannot be downloaded, or its checksum is not the published one.
    """
    from open_clip.pretrained import download_pretrained

    address: str = source.get("url") or ""
    if not address:  # the hub's own cache does the same
        return Path(download_pretrained(source, cache_dir=str(folder)))
    name = address.rpartition("/")[2]
    unfinished = folder / f"{name}{UNFINISHED}"
    with locked(folder / name, f"another process downloads {name}"):
        if (folder / name).is_file():
            return folder / name
        shutil.rmtree(unfinished, ignore_errors=True)
        try:
            download_pretrained(source, prefer_hf_hub=False, cache_dir=str(unfinished))
            return (unfinished / name).replace(folder / name)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)


SUFFIXES = (".safetensors", ".bin", ".pt")


def carried_name(backbone: str, tag: str, suffix: str) -> str:
    """Return the name of a file of weights that is carried to another machine.

    >>> carried_name("ViT-L-14", "laion2b_s32b_b82k", ".safetensors")
    'ViT-L-14.laion2b_s32b_b82k.safetensors'
    """
    return f"{backbone}.{tag}{suffix}"


def carried(folder: Path, backbone: str, tag: str) -> Path | None:
    """Return the file of weights that somebody put into the cache under its `carried_name`; None without one."""
    paths = (folder / carried_name(backbone, tag, suffix) for suffix in SUFFIXES)
    return next((path for path in paths if path.is_file()), None)


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
    """Find the file that was downloaded from its address, or that of a Hugging Face cache, ours or the default one."""
    from huggingface_hub import try_to_load_from_cache

    downloaded = folder / (source.get("url") or "").rpartition("/")[2]
    if downloaded.is_file():
        return downloaded
    repository, _, name = source.get("hf_hub", "").rpartition("/")
    caches: tuple[Path | None, ...] = (folder, None)  # None is the default cache of the hub
    for cache in caches if repository else ():
        for file_name in (name,) if name else HUB_NAMES:
            path = try_to_load_from_cache(repository, file_name, cache_dir=cache)
            if isinstance(path, str):
                return Path(path)
    return None

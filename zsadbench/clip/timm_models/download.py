"""Published weights of timm's encoders on the Hugging Face hub, from a cache or by download."""

from __future__ import annotations

import logging
from pathlib import Path

from zsadbench.clip.download import carried
from zsadbench.errors import unknown

log = logging.getLogger(__name__)

FILE = "model.safetensors"


def find_timm_weights(model: str, tag: str, folder: Path, *, offline: bool, refusal: str) -> Path | str:
    """Find the file of the weights `tag` in a cache, or download it into `folder`; else return the reason as text.

    Args:
        model: timm's name of the architecture.
        tag: of its weights.
        folder: where downloads are kept.
        offline: never download.
        refusal: the reason where nothing may be downloaded.

    Raises:
        UsageError: timm knows no such tag of this architecture.
    """
    from huggingface_hub import hf_hub_download, try_to_load_from_cache
    from timm.models import get_pretrained_cfg, list_pretrained

    tags = [name.partition(".")[2] for name in list_pretrained(model)]
    if tag not in tags:
        raise unknown(f"weights of '{model}'", tag, [*tags, "random"])
    published = get_pretrained_cfg(f"{model}.{tag}")
    repository = published.hf_hub_id if published else None
    if not repository:
        return "timm gives no address for them"
    for cache in (folder, None):  # None is the default cache of the hub
        path = try_to_load_from_cache(repository, FILE, cache_dir=cache)
        if isinstance(path, str):
            return Path(path)
    if (file := carried(folder, model, tag)) is not None:
        return file
    if offline:
        return refusal
    log.warning("downloading weights '%s' of %s into %s", tag, model, folder)
    try:
        return Path(hf_hub_download(repository, FILE, cache_dir=folder))
    except (OSError, RuntimeError) as failure:
        return f"the download failed ({failure})"

"""Downloads of published weights, through open_clip's table of addresses and checksums."""

from __future__ import annotations

import logging
from pathlib import Path

from zsadbench.errors import unknown

log = logging.getLogger(__name__)


def download(backbone: str, tag: str, folder: Path) -> Path:
    """Download the weights `tag` of `backbone` into `folder` and return their path.

    Raises:
        UsageError: open_clip knows no such tag for this backbone.
        OSError: the network failed.
        RuntimeError: the checksum of the file is wrong.
    """
    from open_clip.pretrained import download_pretrained, get_pretrained_cfg, list_pretrained_tags_by_model

    source = get_pretrained_cfg(backbone, tag)
    if not source:
        raise unknown(f"weights of '{backbone}'", tag, [*list_pretrained_tags_by_model(backbone), "random"])
    log.warning("downloading weights '%s' of %s into %s", tag, backbone, folder)
    return Path(download_pretrained(source, prefer_hf_hub=not source.get("url"), cache_dir=str(folder)))

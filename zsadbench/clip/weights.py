"""Where weights come from: a published tag, a file, or a seeded random initialisation.

Locating a file or random weights imports neither torch nor open_clip, so that a plan is made, and missing weights are
reported, before anything heavy is loaded.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from platformdirs import user_cache_path

from zsadbench.checkpoints import check_kind, foreign_kind
from zsadbench.clip.config import DEMO, DEMO_FOLDER
from zsadbench.clip.download import NO_DOWNLOAD, find_published, is_quick_gelu
from zsadbench.clip.timm_models.config import VisionOnlyConfig
from zsadbench.clip.timm_models.download import find_timm_weights
from zsadbench.errors import WeightsError, not_found, where_looked
from zsadbench.files import file_sha256

if TYPE_CHECKING:
    from zsadbench.clip.config import BackboneConfig

OPENAI_URL = "https://openaipublic.azureedge.net/clip/models"
OPENAI_FILES = {  # sha256 and file name of OpenAI's TorchScript archives
    "ViT-L-14-336": ("3035c92b350959924f9f00213499208652fc7ea050643e8b385c2dac08641f02", "ViT-L-14-336px.pt"),
    "ViT-L-14": ("b8cca3fd41ae0c99ba7e8951adf17d267cdb84cd88be6f7c2e0eca1737a03836", "ViT-L-14.pt"),
    "ViT-B-16": ("5806e77cd80f8b59890b7e101eabd078d9fb84e6937f9e85e4ecb61988df416f", "ViT-B-16.pt"),
    "ViT-B-32": ("40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af", "ViT-B-32.pt"),
}
RANDOM_SEED = 0


@dataclass(frozen=True)
class Weights:
    """Located weights. `path` is None for random ones; `sha256` identifies them in every record.

    `quick_gelu` is True where their tag says that they were trained with QuickGELU.
    """

    kind: Literal["tag", "file", "random", "demo"]
    label: str
    sha256: str
    path: Path | None = None
    quick_gelu: bool = False


def cache_folder() -> Path:
    """Return the folder of downloads and trained checkpoints: `ZSADBENCH_CACHE`, else the platform's cache."""
    return Path(os.environ.get("ZSADBENCH_CACHE") or user_cache_path("zsadbench"))


def locate_weights(weights: str, config: BackboneConfig | None, backbone: str, *, offline: bool) -> Weights:
    """Find the weights called `weights`: `random`, `demo`, a path, or a published tag such as `openai`.

    Args:
        weights: `random`, `demo`, a path, or a tag.
        config: the architecture, needed to identify random weights.
        backbone: its name, needed to find a tag's file.
        offline: never download.

    Raises:
        WeightsError: nothing was found; the message says which places were searched and how to get the weights.
    """
    if weights == "random":
        return Weights("random", "random", _random_identity(config))
    if weights == DEMO:
        file = DEMO_FOLDER / "weights.safetensors"
        return Weights("demo", DEMO, file_sha256(file), file)
    offline = offline or os.environ.get("HF_HUB_OFFLINE", "").lower() in {"1", "true", "yes", "on"}
    path = Path(weights).expanduser()
    if path.is_file():
        return Weights("file", path.name, file_sha256(path), path)
    if path.suffix or "/" in weights or "\\" in weights:
        if path.is_dir():
            check_kind(path)
        remedy = "give --weights a file, 'openai' or 'random'"
        raise WeightsError(not_found(f"weights '{weights}' are not a file", where_looked(path), remedy))
    if isinstance(config, VisionOnlyConfig):
        return _of_timm(weights, config, offline=offline)
    return _by_tag(weights, backbone.removesuffix("-quickgelu"), offline=offline)


def _of_timm(tag: str, config: VisionOnlyConfig, *, offline: bool) -> Weights:
    """Locate published weights of an image encoder of timm."""
    folder = cache_folder() / "weights"
    found = find_timm_weights(config.trunk.model, tag, folder, offline=offline, refusal=NO_DOWNLOAD)
    if isinstance(found, str):
        raise WeightsError(_how_to_get(tag, config.name, found))
    return Weights("tag", tag, file_sha256(found), found)


def _random_identity(config: BackboneConfig | None) -> str:
    text = json.dumps({"random": RANDOM_SEED, "sizes": config.sizes() if config else None}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _openai_paths(backbone: str) -> list[Path]:
    """The paths at which the file that OpenAI published may be."""
    name = OPENAI_FILES[backbone][1]
    return [cache_folder() / "weights" / name, Path.home() / ".cache" / "clip" / name]


def _by_tag(tag: str, backbone: str, *, offline: bool) -> Weights:
    """Locate published weights: OpenAI's at their usual paths, all others through open_clip's table."""
    if tag == "openai" and backbone in OPENAI_FILES:
        path = next((path for path in _openai_paths(backbone) if path.is_file()), None)
        if path is not None:
            return Weights("tag", tag, _verified_sha256(path, OPENAI_FILES[backbone][0]), path, quick_gelu=True)
    if tag == "openai" and offline:
        raise WeightsError(_how_to_get(tag, backbone, NO_DOWNLOAD))
    published = find_published(backbone, tag, cache_folder() / "weights", offline=offline)
    if isinstance(published, str):
        raise WeightsError(_how_to_get(tag, backbone, published))
    return Weights("tag", tag, file_sha256(published), published, quick_gelu=is_quick_gelu(backbone, tag))


def _verified_sha256(path: Path, published: str) -> str:
    """Return the SHA-256 of a file that must be the published one."""
    sha256 = file_sha256(path)
    if sha256 != published:
        if kind := foreign_kind(path):
            raise WeightsError(
                f"{path} is not what OpenAI published but {kind}, or remove it to have it downloaded again"
            )
        raise WeightsError(
            f"{path} is not what OpenAI published: its SHA-256 is {sha256[:12]}…, not {published[:12]}…; "
            "remove it to have it downloaded again, or pass --weights PATH to use it as it is"
        )
    return sha256


def _how_to_get(tag: str, backbone: str, why: str) -> str:
    """Write the message for weights that were not found."""
    what = f"no weights '{tag}' for backbone '{backbone}'"
    if tag == "openai" and backbone in OPENAI_FILES:
        sha256, name = OPENAI_FILES[backbone]
        looked = " and ".join(str(path) for path in _openai_paths(backbone))
        get = f"get {OPENAI_URL}/{sha256}/{name} and put it there"
        return not_found(what, f"{looked}; {why}", f"{get}, or pass --weights PATH (or set ZSADBENCH_WEIGHTS)")
    looked = f"the caches of '{cache_folder() / 'weights'}' and of the Hugging Face hub; {why}"
    return not_found(what, looked, "pass --weights PATH, or --weights random to try things without")

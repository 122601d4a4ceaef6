"""Find the weights of the ResNet-50: a published tag, a file, or a seeded random initialisation. Imports no torch."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from zsadbench.clip import cache_folder
from zsadbench.clip.weights import Weights
from zsadbench.errors import WeightsError, not_found, where_looked
from zsadbench.files import file_sha256

if TYPE_CHECKING:
    from zsadbench.clip import BackboneSpec
    from zsadbench_methods.mfpclip.options import Options

NETWORK = "ResNet-50"
URL = "https://download.pytorch.org/models"
FILES = {"IMAGENET1K_V1": "resnet50-0676ba61.pth", "IMAGENET1K_V2": "resnet50-11ad3fa6.pth"}
RANDOM, SEED = "random", 0


def extra_weights(options: Options, spec: BackboneSpec) -> Mapping[str, Weights]:
    """Find the weights that the options name, if anything depends on them.

    Unnamed weights are `IMAGENET1K_V1` beside a published CLIP, and random beside random, demo or other own towers.

    Raises:
        WeightsError: they are not there; the message says where to get them.
    """
    if not options.with_resnet:
        return {}
    return {NETWORK: locate(options.resnet or ("IMAGENET1K_V1" if spec.published else RANDOM))}


def locate(name: str) -> Weights:
    """Find weights by tag or path, or identify the random ones; nothing is downloaded.

    Raises:
        WeightsError: there are none, or the file of a tag is not the published one.
    """
    if name == RANDOM:
        identity = hashlib.sha256(f"{NETWORK} zero_init_residual seed {SEED}".encode()).hexdigest()
        return Weights("random", RANDOM, identity)
    if name not in FILES:
        path = Path(name).expanduser()
        if path.is_file():
            return Weights("file", path.name, file_sha256(path), path)
        remedy = f"give -O mfpclip.resnet a file, '{RANDOM}', or one of: {', '.join(FILES)}"
        raise WeightsError(not_found(f"ResNet-50 weights '{name}' are not a file", where_looked(path), remedy))
    file = FILES[name]
    hub = Path(os.environ.get("TORCH_HOME") or Path.home() / ".cache" / "torch") / "hub" / "checkpoints"
    places = [cache_folder() / "weights" / file, hub / file]
    path = next((place for place in places if place.is_file()), places[0])
    if not path.is_file():
        remedy = f"get {URL}/{file} and put it there, or pass -O mfpclip.resnet=PATH"
        raise WeightsError(not_found(f"no ResNet-50 weights '{name}'", " and ".join(map(str, places)), remedy))
    sha256 = file_sha256(path)
    if not sha256.startswith(file.removesuffix(".pth").rpartition("-")[2]):
        raise WeightsError(f"{path} is not what was published as '{name}': its SHA-256 begins with {sha256[:8]}")
    return Weights("tag", name, sha256, path)

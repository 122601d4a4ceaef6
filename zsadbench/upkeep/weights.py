"""Published weights on this machine: which there are, where, whether they are whole; and copies for another machine."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from zsadbench import registry
from zsadbench.checkpoints import foreign_kind
from zsadbench.clip.config import find_config
from zsadbench.clip.download import carried_name
from zsadbench.clip.resolve import DEFAULT_BACKBONE, BackboneSpec
from zsadbench.clip.timm_models.config import VisionOnlyConfig
from zsadbench.clip.weights import OPENAI_FILES, Weights, locate_weights
from zsadbench.errors import UsageError, WeightsError, in_one_line
from zsadbench.files import file_sha256, replacing, write_atomically

OPENAI = "openai"
SUMS = "SHA256SUMS"
USED = (  # backbone and tag of what the methods and their papers use; timm's names have no text tower
    *((name, OPENAI) for name in OPENAI_FILES),
    ("ViT-B-16-plus-240", "laion400m_e31"),
    ("ViT-B-16-plus-240", "laion400m_e32"),
    ("vit_small_patch14_dinov2", "lvd142m"),
    ("vit_base_patch14_dinov2", "lvd142m"),
)
Verdict = Literal["published", "not known", "damaged"]


@dataclass(frozen=True)
class FoundWeights:
    """Weights by name, and where they lie on this machine.

    Attributes:
        backbone: the architecture.
        tag: of the published weights.
        methods: the only methods that use them; empty for any.
        weights: where they are; None if they are missing.
        missing: how to get them, where they are missing.
    """

    backbone: str
    tag: str
    methods: tuple[str, ...]
    weights: Weights | None
    missing: str = ""

    @property
    def name(self) -> str:
        """How the weights are named on the command line."""
        return f"{self.backbone}:{self.tag}"


@dataclass(frozen=True)
class Verified:
    """A file of weights, and whether its SHA-256 is what was published; `against` says where that is stated."""

    name: str
    path: Path
    sha256: str
    verdict: Verdict
    against: str


def parse_name(name: str) -> tuple[str, str]:
    """Split `BACKBONE:TAG`; without a tag, OpenAI's or timm's first.

    Raises:
        UsageError: there is no such backbone, or it has no default tag.
    """
    backbone, _, tag = name.partition(":")
    config = find_config(backbone)
    if isinstance(config, VisionOnlyConfig):
        tag = tag or config.trunk.tag
    elif not tag and backbone.removesuffix("-quickgelu") in OPENAI_FILES:
        tag = OPENAI
    if not tag:
        raise UsageError(f"'{name}': which weights? write {backbone}:TAG; zsadbench weights list --all has the tags")
    return backbone, tag


def find(name: str, *, offline: bool = True) -> FoundWeights:
    """Find published weights, or download them into the cache.

    Args:
        name: `BACKBONE` or `BACKBONE:TAG`.
        offline: never download.

    Raises:
        UsageError: there is no such backbone or tag.
        WeightsError: they are not there; the message says how to get them.
    """
    backbone, tag = parse_name(name)
    if tag in {"random", "demo"}:
        raise UsageError(f"'{name}' are no published weights: nothing needs to be fetched")
    return FoundWeights(backbone, tag, (), locate_weights(tag, find_config(backbone), backbone, offline=offline))


def find_used() -> list[FoundWeights]:
    """Return all weights that the methods and their papers use, those of further networks last."""
    rows = [_found_or_missing(backbone, tag) for backbone, tag in USED]
    spec = BackboneSpec(find_config(DEFAULT_BACKBONE), Weights("tag", OPENAI, ""))
    for card in registry.method_cards():
        if card.extra_weights is None:
            continue
        try:
            extra = card.extra_weights(card.options(), spec)
        except WeightsError as failure:
            rows.append(FoundWeights("further network", f"of {card.name}", (card.name,), None, in_one_line(failure)))
        else:
            rows += [FoundWeights(name, weights.label, (card.name,), weights) for name, weights in extra.items()]
    return rows


def _found_or_missing(backbone: str, tag: str) -> FoundWeights:
    try:
        return find(f"{backbone}:{tag}")
    except WeightsError as failure:
        return FoundWeights(backbone, tag, (), None, in_one_line(failure))


def all_names() -> Iterator[str]:
    """Yield every `BACKBONE:TAG` of open_clip and of timm's vision transformers, whether or not it can be used."""
    from open_clip import list_pretrained
    from timm.models import list_pretrained as list_timm

    for backbone, tag in list_pretrained():
        yield f"{backbone}:{tag}"
    for name in list_timm(["vit_*", "eva*"]):
        backbone, _, tag = name.partition(".")
        yield f"{backbone}:{tag}"


def verify(found: FoundWeights) -> Verified:
    """Compare found weights with the SHA-256 that was published: in OpenAI's table, by the hub, or in a name.

    A file that was carried here is compared with `SHA256SUMS` beside it.
    """
    weights = found.weights
    assert weights is not None  # noqa: S101 - the caller has found them
    assert weights.path is not None  # noqa: S101 - published weights are files
    path, sha256 = weights.path, weights.sha256
    listed = _sums(path.parent).get(path.name)
    known = _published_sha256(path) or ((listed, f"{SUMS} beside it") if listed else None)
    if not known:
        return Verified(found.name, path, sha256, "not known", "no published SHA-256")
    verdict: Verdict = "published" if sha256.startswith(known[0]) else "damaged"
    return Verified(found.name, path, sha256, verdict, known[1])


def verify_file(path: Path) -> Verified:
    """Compare a file with the list `SHA256SUMS` beside it, or with what was published under its name.

    Raises:
        WeightsError: there is no such file.
    """
    if not path.is_file():
        raise WeightsError(f"'{path}' is no file, and no backbone has this name")
    sha256 = file_sha256(path)
    listed = _sums(path.parent).get(path.name)
    known = (listed, f"{SUMS} beside it") if listed else _published_sha256(path)
    if not known:
        openai = next((file for digest, file in OPENAI_FILES.values() if digest == sha256), None)
        if openai:
            return Verified(path.name, path, sha256, "published", f"OpenAI's {openai}")
        kind = foreign_kind(path)
        return Verified(path.name, path, sha256, "damaged" if kind else "not known", kind or "no published SHA-256")
    return Verified(path.name, path, sha256, "published" if sha256.startswith(known[0]) else "damaged", known[1])


def _published_sha256(path: Path) -> tuple[str, str] | None:
    """Return the SHA-256 that a file must have, or its first digits, and where this is stated; None if it is not."""
    openai = {name: sha256 for sha256, name in OPENAI_FILES.values()}
    if path.name in openai:
        return openai[path.name], "OpenAI's table"
    blob = path.resolve().name  # the hub's cache names large files by their SHA-256
    if re.fullmatch(r"[0-9a-f]{64}", blob):
        return blob, "the Hugging Face hub"
    in_name = re.search(r"-([0-9a-f]{8})\.pth?$", path.name)
    return (in_name[1], "the name of the release") if in_name else None


def copy_to(folder: Path, found: FoundWeights) -> Path:
    """Copy found weights into a folder, with their line in its `SHA256SUMS`, to carry them to another machine.

    Raises:
        OSError: the folder cannot be written.
    """
    weights = found.weights
    assert weights is not None  # noqa: S101 - the caller has found them
    assert weights.path is not None  # noqa: S101 - published weights are files
    known = not weights.path.is_symlink() and _published_sha256(weights.path)
    name = weights.path.name if known else carried_name(found.backbone, found.tag, weights.path.suffix)
    target = folder / name
    folder.mkdir(parents=True, exist_ok=True)
    if not target.is_file() or file_sha256(target) != weights.sha256:
        with weights.path.open("rb") as source, replacing(target) as stream:
            shutil.copyfileobj(source, stream)
    sums = {**_sums(folder), name: weights.sha256}
    write_atomically(folder / SUMS, "".join(f"{sha256}  {file}\n" for file, sha256 in sorted(sums.items())).encode())
    return target


def _sums(folder: Path) -> dict[str, str]:
    """Read the list of `sha256sum`: file name → SHA-256."""
    try:
        lines: Sequence[str] = (folder / SUMS).read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return {}
    matches = (re.fullmatch(r"([0-9a-f]{64}) [ *](.+)", line) for line in lines)
    return {match[2]: match[1] for match in matches if match}

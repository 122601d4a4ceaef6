"""Whether all that zsadbench needs is on this machine: findings, each with what to do where something is missing."""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

from zsadbench import registry
from zsadbench.clip import cache_folder
from zsadbench.clip.download import is_quick_gelu
from zsadbench.clip.resolve import DEFAULT_BACKBONE
from zsadbench.data import all_cards, find_copy, roots_from_environment
from zsadbench.data.copies.locate import variable_of
from zsadbench.engine.record.provenance import device_name
from zsadbench.errors import LOOKED, DataError, UsageError
from zsadbench.printing import size_text
from zsadbench.upkeep.cache import part_states
from zsadbench.upkeep.weights import OPENAI, find_used, verify

PACKAGES = ("torch", "torchvision", "open_clip_torch", "timm", "numpy", "scipy", "pillow", "numba", "pandas")
OPTIONAL = {  # package → what it adds
    "pydicom": "reads DICOM: pip install 'zsadbench[dicom]'",
    "ray": "--engine ray: pip install 'zsadbench[ray]'",
}
ENOUGH = 5 << 30  # bytes of disk space for weights, tokens and records of a run
State = Literal["ok", "missing", "fault"]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        section: versions, plugins, devices, weights, data, cache or permissions.
        name: what it is.
        state: `fault` where zsadbench cannot work as it is, `missing` where something it can use is not there.
        value: what was found.
        remedy: what to do; empty where nothing is to be done.
    """

    section: str
    name: str
    state: State
    value: str
    remedy: str = ""


def examine() -> Iterator[Finding]:
    """Yield all findings, section by section; nothing is downloaded, and nothing but a temporary file is written."""
    yield from _versions()
    yield from _plugins()
    yield from _devices()
    yield from _weights()
    yield from _data()
    yield from _cache()
    yield from _permissions()


def _versions() -> Iterator[Finding]:
    yield Finding("versions", "zsadbench", "ok", version("zsadbench"))
    yield Finding("versions", "python", "ok", f"{platform.python_version()} on {platform.platform(terse=True)}")
    for name in PACKAGES:
        found = _version(name)
        remedy = "" if found else f"pip install {name}"
        yield Finding("versions", name, "ok" if found else "fault", found or "not installed", remedy)
    for name, what in OPTIONAL.items():
        found = _version(name)
        yield Finding("versions", name, "ok" if found else "missing", found or "not installed", "" if found else what)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _plugins() -> Iterator[Finding]:
    """The methods that are registered; one that cannot be used is a fault of its package."""
    usable = []
    for name in registry.names("methods"):
        try:
            registry.method_card(name)
        except UsageError as failure:
            yield Finding("plugins", name, "fault", str(failure), "repair or remove its package")
        else:
            usable.append(name)
    remedy = "" if usable else "install zsadbench again: its entry points are gone"
    yield Finding("plugins", "methods", "ok" if usable else "fault", f"{len(usable)}: {', '.join(usable)}", remedy)


def _devices() -> Iterator[Finding]:
    import psutil
    import torch

    memory = size_text(psutil.virtual_memory().total)
    cores = f"{len(psutil.Process().cpu_affinity() or [])} cores" if hasattr(psutil.Process, "cpu_affinity") else ""
    threads = f"threads of PyTorch: {torch.get_num_threads()}"
    cpu = ", ".join(filter(None, [device_name(torch.device("cpu")), cores, f"{memory} of memory", threads]))
    yield Finding("devices", "cpu", "ok", cpu)
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    for index in range(count):
        total = torch.cuda.get_device_properties(index).total_memory
        yield Finding("devices", f"cuda:{index}", "ok", f"{torch.cuda.get_device_name(index)}, {size_text(total)}")
    if not count:
        built = f"this PyTorch is built for {f'CUDA {torch.version.cuda}' if torch.version.cuda else 'CPUs alone'}"
        remedy = "none is needed; with a GPU, install its driver and a PyTorch that is built for it"
        yield Finding("devices", "cuda", "missing", f"no CUDA device is visible; {built}", remedy)


def _weights() -> Iterator[Finding]:
    """Weights with their SHA-256, and the activation they are run with: a wrong one costs points without a warning."""
    quick = is_quick_gelu(DEFAULT_BACKBONE, OPENAI)
    said = f"{'on' if quick else 'off'} for {DEFAULT_BACKBONE} with the weights {OPENAI}"
    remedy = "" if quick else f"another open_clip is needed: {OPENAI}'s weights were trained with QuickGELU"
    yield Finding("weights", "QuickGELU", "ok" if quick else "fault", said, remedy)
    for found in find_used():
        if found.weights is None:
            default = "; the default backbone needs them" if found.backbone == DEFAULT_BACKBONE else ""
            by_hand = f"; without a network: docs/weights.md, and put the file into '{cache_folder() / 'weights'}'"
            remedy = (
                found.missing if found.methods else f"zsadbench weights fetch {found.name}{by_hand if default else ''}"
            )
            yield Finding("weights", found.name, "missing", f"not found{default}", remedy)
            continue
        gelu = "QuickGELU" if found.weights.quick_gelu else "GELU"
        checked = verify(found) if found.weights.path else None
        state: State = "fault" if checked and checked.verdict == "damaged" else "ok"
        verdict = f"{checked.verdict} ({checked.against})" if checked else found.weights.kind
        shown = f"SHA-256 {found.weights.sha256[:12]}…, {verdict}, {gelu}, {found.weights.path or '-'}"
        yield Finding("weights", found.name, state, shown, "remove it, and fetch it again" if state == "fault" else "")
    variable = os.environ.get("ZSADBENCH_WEIGHTS", "")
    if variable:
        there = Path(variable).is_file() or "/" not in variable
        remedy = "" if there else "it names no file: change or unset it"
        yield Finding("weights", "ZSADBENCH_WEIGHTS", "ok" if there else "fault", variable, remedy)


def _data() -> Iterator[Finding]:
    """The data roots, and the data sets that lie in them."""
    roots = roots_from_environment()
    own = {name for name in os.environ if name.startswith("ZSADBENCH_DATA_")}
    if not roots and not own:
        remedy = "set ZSADBENCH_DATA to the folder above your data sets, or pass --data-root; 'demo' needs none"
        yield Finding("data", "ZSADBENCH_DATA", "missing", "not set", remedy)
        return
    for root in roots:
        state: State = "ok" if root.is_dir() else "fault"
        remedy = "" if state == "ok" else "make the folder, or change ZSADBENCH_DATA"
        yield Finding("data", str(root), state, "a data root" if state == "ok" else "is no folder", remedy)
    missing = []
    for card in all_cards():
        if card.generated:
            continue
        try:
            copy = find_copy(card, None)
        except DataError as failure:
            if LOOKED in str(failure):
                missing.append(card.name)
            else:  # a variable that points at something else, or two copies, which concern this set alone
                state = "fault" if variable_of(card.name) in os.environ else "missing"
                yield Finding("data", card.name, state, str(failure), "do what it says")
        else:
            yield Finding("data", card.name, "ok", f"{copy.root} ({copy.layout.name})")
    if missing:
        remedy = f"zsadbench datasets show {missing[0]} says how to get it, datasets check whether a copy is whole"
        yield Finding("data", "not there", "missing", ", ".join(missing), remedy)


def _cache() -> Iterator[Finding]:
    states = part_states()
    total = sum(state.size for state in states)
    yield Finding("cache", str(cache_folder()), "ok", size_text(total))
    for state in states:
        if state.files:
            yield Finding("cache", state.part.name, "ok", f"{state.files} files, {size_text(state.size)}")
    folder = next(path for path in (cache_folder().absolute(), *cache_folder().absolute().parents) if path.is_dir())
    free = shutil.disk_usage(folder).free
    remedy = "" if free >= ENOUGH else "set ZSADBENCH_CACHE to a larger disk, or zsadbench cache clear"
    yield Finding("cache", "free space", "ok" if free >= ENOUGH else "missing", size_text(free), remedy)


def _permissions() -> Iterator[Finding]:
    places: dict[str, tuple[Path, str]] = {
        "cache": (cache_folder(), "set ZSADBENCH_CACHE to a folder of yours"),
        "results": (Path("results"), "work in a folder of yours, or pass --out"),
        "temporary files": (Path(tempfile.gettempdir()), "set TMPDIR to a folder of yours"),
    }
    for name, (folder, remedy) in places.items():
        fault = _why_not_writable(folder.absolute())
        yield Finding("permissions", name, "fault" if fault else "ok", fault or str(folder), remedy if fault else "")


def _why_not_writable(folder: Path) -> str:
    """Return why no file can be written into a folder, or into the one that it would be made in; else nothing."""
    existing = next((path for path in (folder, *folder.parents) if os.path.lexists(path)), folder)
    try:
        with tempfile.TemporaryFile(dir=existing):
            return ""
    except OSError as failure:
        return f"'{existing}' takes no new files: {failure.strerror or failure}"


def as_json(finding: Finding) -> dict[str, Any]:
    """Return a finding as one JSON object."""
    return dict(vars(finding))

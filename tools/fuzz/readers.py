"""Every reader of the program with a valid file to damage.

A reader may return or raise an error for users (`ZsadError`); anything else is a fault. Readers of caches and of files
beside a record may not raise at all, as the content is made again or left out.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file

from zsadbench.checkpoints import read_archive, read_metadata, write_checkpoint
from zsadbench.clip.config import find_config
from zsadbench.data import load_dataset, read_image, read_mask
from zsadbench.data.cards.parse_card import read_card
from zsadbench.data.copies.file_hashes import hash_files
from zsadbench.data.copies.mask_facts import mask_facts
from zsadbench.engine.plan.jobs import make_plan
from zsadbench.engine.plan.request import RunRequest
from zsadbench.engine.run import run_plan
from zsadbench.errors import UsageError
from zsadbench.records import read_details, read_images, read_record
from zsadbench.records.sidecars import read_arrays, read_regions
from zsadbench.saved_maps.folder import read_scores
from zsadbench.saved_maps.ground_truth import MapReader


@dataclass(frozen=True)
class Reader:
    """One reader.

    Attributes:
        family: the row of the table.
        file: the file that is damaged.
        read: reads it.
        strict: whether it must not raise anything.
    """

    family: str
    file: Path
    read: Callable[[Path], Any]
    strict: bool = False


@contextmanager
def cache_in(folder: Path) -> Iterator[None]:
    """Use another folder for caches."""
    before = os.environ.get("ZSADBENCH_CACHE")
    os.environ["ZSADBENCH_CACHE"] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ["ZSADBENCH_CACHE"]
        else:
            os.environ["ZSADBENCH_CACHE"] = before


def make_readers(folder: Path) -> list[Reader]:
    """Write one valid file per reader below `folder`."""
    data = folder / "data/caps"
    for kind, number in (("good", 0), ("dent", 1), ("dent", 2)):
        path = data / "test" / kind / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 255, (24, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
        if kind == "dent":
            mask = data / "ground_truth/dent" / f"{number}_mask.png"
            mask.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.pad(np.full((6, 6), 255, np.uint8), ((4, 14), (8, 18)))).save(mask)
    return [
        *_tables(folder, data),
        *_cards(folder),
        *_records(folder, data),
        *_checkpoints(folder),
        *_maps(folder),
        *_images(folder, data),
        *_caches(data),
        _settings(folder),
    ]


def _tables(folder: Path, data: Path) -> list[Reader]:
    table = data / "list.csv"
    table.write_text(
        "path,label,mask,class\ntest/good/0.png,0,,cap\ntest/dent/1.png,1,ground_truth/dent/1_mask.png,cap\n"
    )
    root = folder / "roots/CVC-ColonDB"
    for kind, source in (("img", data / "test/dent"), ("gt", data / "ground_truth/dent")):
        shutil.copytree(source, root / kind)
    row = {"img_path": "img/1.png", "mask_path": "gt/1_mask.png", "anomaly": 1, "specie_name": ""}
    meta = root / "meta.json"
    meta.write_text(json.dumps({"train": {}, "test": {"colon": [row | {"cls_name": "colon"}]}}))
    return [
        Reader("tables (csv:)", table, lambda path: load_dataset(f"csv:{path}")),
        Reader("meta.json", meta, lambda path: load_dataset("colondb", [root.parent], allow_partial=True)),
    ]


def _cards(folder: Path) -> list[Reader]:
    readers = []
    for name in ("mvtec", "visa", "dagm", "realiad"):
        path = folder / f"{name}.toml"
        path.write_text(
            resources.files("zsadbench_datasets").joinpath(f"cards/{name}.toml").read_text(encoding="utf-8")
        )
        readers.append(
            Reader("cards", path, lambda path: read_card(path.read_bytes().decode("utf-8", "replace"), "card"))
        )
    backbone = folder / "backbone.json"
    tower = {"layers": 2, "width": 32, "heads": 2, "patch_size": 14, "image_size": 28}
    text = {"width": 32, "heads": 2, "layers": 2, "context_length": 77, "vocab_size": 49408}
    backbone.write_text(json.dumps({"embed_dim": 16, "vision": tower, "text": text, "quick_gelu": True}))
    return [*readers, Reader("backbone.json", backbone, lambda path: find_config(str(path)))]


def _records(folder: Path, data: Path) -> list[Reader]:
    request = RunRequest(
        ("colour-distance",), (f"folder:{data}",), backbone="demo", workers=0, out=folder / "results", save_maps=True
    )
    with cache_in(folder / "cache"):
        results = run_plan(make_plan(request))
    path, _ = results.records[0]
    strict = {
        ".parquet": lambda file: read_images(path),
        ".regions.pq": lambda file: read_regions(path),
        ".details.json.gz": lambda file: read_details(path),
        ".spread.npz": lambda file: read_arrays(file, path),
    }
    beside = [Reader("files beside a record", path.with_suffix(end), read, strict=True) for end, read in strict.items()]
    scores = path.with_suffix(".maps") / "scores.csv"
    return [Reader("records", path, read_record), *beside, Reader("scores.csv", scores, read_scores)]


def _checkpoints(folder: Path) -> list[Reader]:
    state = {"weight": torch.arange(12.0).reshape(3, 4), "bias": torch.zeros(3)}
    files = [folder / name for name in ("ours.safetensors", "plain.safetensors", "saved.pth", "traced.pt")]
    write_checkpoint(files[0], state, "odd", {"seed": 0})
    save_file(state, files[1])
    torch.save({"state_dict": state, "epoch": 3}, files[2])
    torch.jit.script(torch.nn.Linear(4, 3)).save(str(files[3]))

    def read(path: Path) -> None:
        read_metadata(path)
        read_archive(path)

    return [Reader("checkpoints and weights", file, read) for file in files]


def _maps(folder: Path) -> list[Reader]:
    import tifffile

    values = np.random.default_rng(0).random((6, 9))
    files = [folder / f"map{end}" for end in (".npy", ".npz", ".tif", ".f16.tiff", ".png")]
    np.save(files[0], values)
    np.savez_compressed(files[1], map=values)
    tifffile.imwrite(files[2], values.astype(np.float32))
    tifffile.imwrite(files[3], values.astype(np.float16), compression="zlib")
    Image.fromarray((values * 65535).astype(np.uint16)).save(files[4])
    return [Reader("maps", file, lambda path: MapReader({"a": path}).read("a")) for file in files]


def _images(folder: Path, data: Path) -> list[Reader]:
    readers = []
    picture = Image.open(data / "test/dent/1.png").convert("RGB")
    for end in ("png", "jpg", "bmp", "tif", "gif", "webp", "ppm", "jp2"):
        path = folder / f"image.{end}"
        picture.save(path)
        readers += [Reader("images", path, read_image), Reader("masks", path, read_mask)]
    return readers


def _caches(data: Path) -> list[Reader]:
    cache, masks = data.parents[1] / "cache", [str(path) for path in sorted((data / "ground_truth/dent").iterdir())]
    files = [str(path) for path in sorted((data / "test").rglob("*.png"))]
    with cache_in(cache):
        mask_facts(masks, "> 0")
        hash_files(files, data)

    def facts(_: Path) -> None:
        with cache_in(cache):
            mask_facts(masks, "> 0")

    def hashes(_: Path) -> None:
        with cache_in(cache):
            hash_files(files, data)

    kept = [(path, facts) for path in (cache / "masks").glob("*.json")]
    kept += [(path, hashes) for path in (cache / "files").glob("*.npz")]
    return [Reader("caches", path, read, strict=True) for path, read in kept]


def _settings(folder: Path) -> Reader:
    path = folder / "cwd/zsadbench.toml"
    path.parent.mkdir()
    path.write_text('device = "cpu"\n[run]\nmethod = ["clip"]\nlimit = 3\nepochs = 2\noption = ["clip.x=1"]\n')

    def read(_: Path) -> None:
        command = [sys.executable, "-c", "from zsadbench.cli import main; main()", "protocol", "show", "strict"]
        done = subprocess.run(command, cwd=path.parent, capture_output=True, text=True, errors="replace", check=False)
        if "Traceback" in done.stderr or done.returncode not in {0, 2}:
            raise RuntimeError(done.stderr[-500:] or f"exit code {done.returncode}")
        if done.returncode:
            raise UsageError(done.stderr.strip())

    return Reader("zsadbench.toml", path, read)

"""What tests share: a private cache, the optional outside data, and a very small CLIP.

`ZSADBENCH_FIXTURES` names a folder of parity fixtures and `ZSADBENCH_REAL_DATA` one of real benchmark
samples; tests that need either are skipped, with the reason, where it is unset.
"""

import json
import os
import warnings
from pathlib import Path

import pytest
import torch
from torch import nn

from zsadbench.clip import build, resolve
from zsadbench.data import synthesise
from zsadbench.engine.plan.request import RunRequest

TINY = {
    "embed_dim": 32,
    "quick_gelu": True,
    "vision": {"image_size": 28, "patch_size": 14, "width": 64, "layers": 24, "heads": 1},
    "text": {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 1, "layers": 2},
}
TINY_SIZE = 70  # pixels: a grid of 5 × 5, so that the 2 × 2 positional table is resized


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    torch.set_num_threads(1)  # the tensors are tiny: more threads only wait for each other


@pytest.fixture(autouse=True)
def private_cache(tmp_path, monkeypatch):
    """No test reads or writes the user's cache, nor follows the user's settings."""
    monkeypatch.setenv("ZSADBENCH_CACHE", str(tmp_path / "cache"))
    for name in ("ZSADBENCH_WEIGHTS", "ZSADBENCH_DATA"):
        monkeypatch.delenv(name, raising=False)


def _folder_of(variable):
    if not os.environ.get(variable):
        pytest.skip(f"{variable} is not set: nothing to compare with")
    return Path(os.environ[variable])


@pytest.fixture(autouse=True)
def no_plugin_files(monkeypatch):
    """Plugin files that earlier tests added are not added to the processes of this one."""
    from zsadbench import registry

    monkeypatch.setattr(registry, "_plugin_files", [])


@pytest.fixture(scope="session")
def fixtures_root():
    """The folder of one set of parity fixtures: `backbone.json`, `backbone.safetensors`, a folder a method."""
    return _folder_of("ZSADBENCH_FIXTURES")


@pytest.fixture(scope="session")
def real_data():
    """A folder with a few images of real benchmarks."""
    return _folder_of("ZSADBENCH_REAL_DATA")


@pytest.fixture(scope="session")
def oracle_backbone(fixtures_root):
    """Backbones of the parity fixtures: `oracle_backbone(image_size)`, each built once."""
    spec = resolve(str(fixtures_root / "backbone.json"), str(fixtures_root / "backbone.safetensors"), offline=True)
    built = {}

    def make(image_size):
        if image_size not in built:
            built[image_size] = build(spec, image_size)
        return built[image_size]

    return make


@pytest.fixture(scope="session")
def backbone_file(tmp_path_factory):
    """`backbone_file(**changes)` writes a small `backbone.json`; `vision=` and `text=` change single sizes."""

    def write(**changes):
        sizes = {**TINY, **{key: value for key, value in changes.items() if key not in {"vision", "text"}}}
        for tower in ("vision", "text"):
            sizes[tower] = {**TINY[tower], **changes.get(tower, {})}
        path = tmp_path_factory.mktemp("backbone") / "backbone.json"
        path.write_text(json.dumps(sizes))
        return path

    return write


@pytest.fixture(scope="session")
def tiny_file(backbone_file):
    """The architecture of `tiny_backbone`."""
    return backbone_file()


@pytest.fixture(scope="session")
def tiny_backbone(tiny_file):
    """A CLIP of 24 narrow blocks with random weights, at an input of 5 × 5 patches; nothing may change it."""
    return build(resolve(str(tiny_file), "random"), TINY_SIZE)


@pytest.fixture(scope="session")
def tiny_images():
    """Three images for `tiny_backbone`, (3, 3, size, size)."""
    return torch.randn(3, 3, TINY_SIZE, TINY_SIZE, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="session")
def tiny_state(tiny_backbone):
    """The weights of `tiny_backbone` under the usual names, rounded to half precision."""
    text = tiny_backbone.text
    parts = {"visual": tiny_backbone.vision.visual, "transformer": text.transformer}
    parts |= {"ln_final": text.norm, "token_embedding": text.token_embedding}
    state = {f"{name}.{key}": value for name, part in parts.items() for key, value in part.state_dict().items()}
    state |= {"positional_embedding": text.positional_embedding, "text_projection": text.projection}
    state["logit_scale"] = torch.tensor(4.0)
    return {name: tensor.detach().half().float() for name, tensor in state.items()}


class _Node(nn.Module):
    """A module with nothing but children and tensors."""


def _tree(state):
    root = _Node()
    for name, tensor in state.items():
        *path, leaf = name.split(".")
        node = root
        for part in path:
            if part not in node._modules:
                node.add_module(part, _Node())
            node = node._modules[part]
        node.register_buffer(leaf, tensor)
    return root


def _write_torchscript(state, path):
    sizes = {"input_resolution": 28, "context_length": 77, "vocab_size": 49408}
    tree = _tree(
        {name: tensor.half() for name, tensor in state.items()} | {k: torch.tensor(v) for k, v in sizes.items()}
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch means to retire TorchScript; OpenAI's files are made of it
        torch.jit.script(tree).save(path)


def _write_safetensors(state, path):
    from safetensors.torch import save_file

    save_file({name: tensor.half().contiguous() for name, tensor in state.items()}, path)


def _write_open_clip(state, path):
    torch.save({"epoch": 3, "state_dict": {f"module.{name}": tensor for name, tensor in state.items()}}, path)


WRITERS = {
    "torchscript": (_write_torchscript, "clip.pt"),
    "state_dict": (torch.save, "clip-state.pt"),
    "open_clip": (_write_open_clip, "epoch_3.pt"),
    "safetensors": (_write_safetensors, "clip.safetensors"),
}


@pytest.fixture(scope="session")
def write_weights():
    """`write_weights(state, folder, form)` writes a state dict in one of the four forms and returns the path."""

    def write(state, folder, form):
        writer, name = WRITERS[form]
        writer(state, Path(folder) / name)
        return Path(folder) / name

    return write


@pytest.fixture(scope="session", params=list(WRITERS))
def weights_file(request, tiny_state, write_weights, tmp_path_factory):
    """The weights of `tiny_backbone`, in each of the four forms in turn."""
    return write_weights(tiny_state, tmp_path_factory.mktemp("weights"), request.param)


ORDERS = ([0, 1, 2], [2, 1, 0], [0], [1], [2], [2, 0], [1, 1, 0], [0, 1, 2])


@pytest.fixture(scope="session")
def influence():
    """`influence(make, outputs)`: the largest change of an image's numbers by other images, earlier or in its batch.

    `outputs(detector, rows)` are the tensors that a detector gives for some of three images, batch first. Each image
    is scored alone by a detector of its own, and by one detector in subsets and orders; deviations are relative to
    values above 1.
    """

    def measure(make, outputs):
        with torch.no_grad():
            alone = [outputs(make(), [row]) for row in range(3)]
            worst, detector = 0.0, make()
            for rows in ORDERS:
                for number, tensor in enumerate(outputs(detector, rows)):
                    wanted = torch.cat([alone[row][number] for row in rows])
                    worst = max(worst, float(((tensor - wanted).abs() / wanted.abs().clamp_min(1)).max()))
        return worst

    return measure


METRICS = ("image_auroc", "image_ap", "image_f1max", "pixel_auroc", "pixel_ap", "pixel_f1max", "pixel_aupro")
METRICS_200 = ("pixel_aupro_200", "pixel_aupro_200_max")


@pytest.fixture(scope="session")
def make_record():
    """`make_record(method, target, values)` makes a whole, comparable record without running anything.

    `values` maps classes to one number for all metrics or to a number or None each; other arguments change the cell.
    """
    from zsadbench.records import Record

    def make(method, target, values, *, because=(), signature=None, **changes):
        cell = {"method": method, "options": {}, "recipe": None, "aux": None, "seed": 0, "backbone": "ViT-L-14-336"}
        cell |= {"weights_sha256": "a" * 64, "checkpoint_sha256": None, "image_size": 518, "precision": "fp32"}
        cell |= {"tap_rule": {"rule": "r", "blocks": [], "mapped": [], "activation": "quick_gelu", "position": "p"}}
        cell |= {"target": {"name": target, "fingerprint": "b" * 64}, "shots": 0, "supports": None, "limit": None}
        cell |= {
            "protocol": {"name": "strict", "digest": "197ba7590730"},
            "partial": False,
            "synthetic": False,
        } | changes
        every = (*METRICS, *METRICS_200)
        rows = {
            name: {key: given.get(key, 0.5) if isinstance(given, dict) else given for key in every}
            for name, given in values.items()
        }
        missing = {
            name: {key: "no anomalous image" for key, one in row.items() if one is None} for name, row in rows.items()
        }
        return Record(
            cell=cell,
            expected=list(values),
            classes=rows,
            undefined={name: reasons for name, reasons in missing.items() if reasons},
            counts={name: {"normal": 1, "anomalous": 1, "regions": 1, "skipped": 0} for name in values},
            comparable=not because,
            not_comparable_because=list(because),
            ledger={"aux": None, "grade": "clean"},
            signature=signature or f"{method}|seed:{cell['seed']}|{abs(hash(str(cell))):x}",
        )

    return make


@pytest.fixture(scope="session")
def make_board():
    """`make_board(records)` is a board of these records and all published numbers."""
    import pandas as pd

    from zsadbench.compare import Board, board_of
    from zsadbench.compare.measured import measured

    published = board_of(None)

    def make(records):
        named = [(Path(f"{number}.json"), record) for number, record in enumerate(records)]
        frame = pd.concat([measured(named), published.frame], ignore_index=True) if named else published.frame
        return Board(frame, named, published.datasets)

    return make


@pytest.fixture(scope="session")
def mini(tmp_path_factory):
    """A data root with miniatures of colondb (pixel level), brainmri (image level), mvtec and btad (both)."""
    root = tmp_path_factory.mktemp("data")
    for name, per_class in (("colondb", 2), ("brainmri", 3), ("mvtec", 2), ("btad", 2)):
        synthesise(name, root, per_class)
    return root


@pytest.fixture(scope="session")
def small(backbone_file):
    """The path of an architecture of 12 blocks at 28 px."""
    return backbone_file(vision={"layers": 12})


@pytest.fixture(scope="session")
def archive(small, write_weights, tmp_path_factory):
    """A small CLIP in OpenAI's own TorchScript format."""
    backbone = build(resolve(str(small), "random"))
    text = backbone.text
    parts = {"visual": backbone.vision.visual, "transformer": text.transformer}
    parts |= {"ln_final": text.norm, "token_embedding": text.token_embedding}
    state = {f"{name}.{key}": value for name, part in parts.items() for key, value in part.state_dict().items()}
    state |= {"positional_embedding": text.positional_embedding, "text_projection": text.projection}
    state = {name: tensor.detach() for name, tensor in state.items()}
    return write_weights(state, tmp_path_factory.mktemp("weights"), "torchscript")


@pytest.fixture
def request_for(mini, small, tmp_path):
    """`request_for(**changes)`: FB-CLIP on brainmri, learned from colondb, with random weights."""

    def make(**changes):
        settled = {
            "methods": ("fbclip",),
            "targets": ("brainmri",),
            "aux": "colondb",
            "epochs": 1,
            "backbone": str(small),
            "weights": "random",
            "data_roots": (mini,),
            "out": tmp_path / "results",
            "workers": 0,
        }
        return RunRequest(**{**settled, **changes})

    return make

"""Reading TorchScript archives: tensors are read, no code runs, and no tensor exceeds its storage."""

import pickle
import warnings
import zipfile
from collections import OrderedDict
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import nn

from zsadbench.checkpoints import read_archive, read_modules
from zsadbench.errors import WeightsError


class Global:
    """Pickles as a call of `module.name(*arguments)`."""

    def __init__(self, module, name, *arguments):
        self.module, self.name, self.arguments = module, name, arguments


class Storage:
    """Pickles as a persistent id: (what, type, key, location, count)."""

    def __init__(self, *pid):
        self.pid = pid


class _Name:
    def __init__(self, module, name):
        self.module, self.name = module, name


class _Writer(pickle._Pickler):
    """A pickler that can write names that do not exist here, as in archives of module trees."""

    dispatch: ClassVar = dict(pickle._Pickler.dispatch)

    def persistent_id(self, obj):
        return obj.pid if isinstance(obj, Storage) else None

    def save_name(self, obj):
        self.write(pickle.GLOBAL + f"{obj.module}\n{obj.name}\n".encode())

    def save_global_call(self, obj):
        self.save_name(obj)
        self.save(obj.arguments)
        self.write(pickle.REDUCE)

    dispatch[_Name] = save_name
    dispatch[Global] = save_global_call


def torchscript_like(path, root, storages=()):
    """A zip file as TorchScript writes it, with a pickle of `root` and storages by key."""
    with zipfile.ZipFile(path, "w") as archive:
        with archive.open("clip/data.pkl", "w") as stream:
            _Writer(stream, protocol=2).dump(root)
        archive.writestr("clip/constants.pkl", pickle.dumps(()))
        for key, raw in dict(storages).items():
            archive.writestr(f"clip/data/{key}", raw)
    return path


def float_storage(count, key="0"):
    return Storage("storage", _Name("torch", "FloatStorage"), key, "cpu", count)


def rebuilt(storage, offset, size, stride):
    return Global("torch._utils", "_rebuild_tensor_v2", storage, offset, size, stride, False, OrderedDict())


def module(**attributes):
    """A module in an archive: an instance of a class of the archive, with a state."""

    class Stateful(Global):
        pass

    node = Stateful("__torch__.clip", "Module")
    node.attributes = attributes
    _Writer.dispatch[Stateful] = _save_module
    return node


def _save_module(writer, node):
    writer.save_name(node)
    writer.save(())
    writer.write(pickle.NEWOBJ)
    writer.save(node.attributes)
    writer.write(pickle.BUILD)


FOUR = np.arange(4, dtype=np.float32).tobytes()


@pytest.mark.parametrize(("where", "name"), [("os", "system"), ("posix", "system"), ("builtins", "eval")])
def test_code_in_a_torchscript_archive_is_refused_and_not_run(tmp_path, where, name):
    marker = tmp_path / "ran"
    path = torchscript_like(tmp_path / "evil.pt", module(weight=Global(where, name, f"touch {marker}")))
    with pytest.raises(WeightsError, match=rf"is refused: it names '{where}\.{name}', which no archive of weights"):
        read_archive(path)
    assert not marker.exists()


def test_module_classes_of_an_archive_are_inert(tmp_path):
    marker = tmp_path / "ran"
    evil = Global("__torch__.os", "system", f"touch {marker}")
    good = rebuilt(float_storage(4), 0, (4,), (1,))
    path = torchscript_like(tmp_path / "odd.pt", module(evil=evil, good=good), {"0": FOUR})
    assert read_archive(path).keys() == {"good"}
    assert not marker.exists()


@pytest.mark.parametrize(
    ("offset", "size", "stride"),
    [(0, (5,), (1,)), (2, (3,), (1,)), (0, (2, 2), (4, 1)), (-1, (2,), (1,)), (0, (2,), (-1,)), (0, (1 << 40,), (1,))],
)
def test_a_tensor_outside_its_storage_is_refused(tmp_path, offset, size, stride):
    path = torchscript_like(tmp_path / "x.pt", module(w=rebuilt(float_storage(4), offset, size, stride)), {"0": FOUR})
    with pytest.raises(WeightsError, match="cannot be read as a checkpoint"):
        read_archive(path)


def test_a_storage_shorter_than_it_says_is_refused(tmp_path):
    path = torchscript_like(tmp_path / "x.pt", module(w=rebuilt(float_storage(9), 0, (4,), (1,))), {"0": FOUR})
    with pytest.raises(WeightsError, match=r"x\.pt is truncated: storage '0' has 4 of 9 numbers"):
        read_archive(path)


def test_unknown_and_missing_storages_are_refused(tmp_path):
    odd = Storage("file", _Name("torch", "FloatStorage"), "/etc/passwd", "cpu", 1)
    for storage in (odd, float_storage(4, key="7")):
        path = torchscript_like(tmp_path / "x.pt", module(w=rebuilt(storage, 0, (1,), (1,))), {"0": FOUR})
        with pytest.raises(WeightsError):
            read_archive(path)


def test_a_torchscript_archive_gives_its_tensors_by_dotted_names(tmp_path):
    row = rebuilt(float_storage(4), 1, (2,), (2,))
    square = rebuilt(float_storage(4), 0, (2, 2), (1, 2))
    root = module(block=module(weight=square, training=False), row=row, number=3)
    read = read_archive(torchscript_like(tmp_path / "x.pt", root, {"0": FOUR}))
    assert read.keys() == {"block.weight", "row"}
    assert read["block.weight"].tolist() == [[0.0, 2.0], [1.0, 3.0]]
    assert read["row"].tolist() == [1.0, 3.0]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64, torch.int64, torch.int32, torch.bool])
def test_every_kind_of_number_survives_torchscript(tmp_path, write_weights, dtype):
    holder = nn.Module()
    holder.register_buffer("values", torch.tensor([[0, 1], [2, 3]]).to(dtype))
    holder.register_buffer("empty", torch.zeros(0, 3, dtype=dtype))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(holder).save(tmp_path / "x.pt")
    read = read_archive(tmp_path / "x.pt")
    assert torch.equal(read["values"], holder.values)
    assert read["empty"].shape == (0, 3)


def test_a_damaged_compressed_archive_is_refused(tmp_path):
    path = tmp_path / "x.pt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("clip/data.pkl", bytes(4000))
        archive.writestr("clip/constants.pkl", b"")
    content = path.read_bytes()
    start = content.index(b"data.pkl") + len(b"data.pkl")
    path.write_bytes(content[:start] + b"\xff\xff" + content[start + 2 :])
    with pytest.raises(WeightsError, match="cannot be read as a checkpoint"):
        read_archive(path)


# --- archives that inflate to more than they hold ------------------------------------------------------


@pytest.fixture(scope="module")
def bomb(tmp_path_factory):
    """A small file in TorchScript's form that inflates to 96 MiB."""
    path = tmp_path_factory.mktemp("bombs") / "bomb.pt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("clip/data.pkl", b"")
        archive.writestr("clip/constants.pkl", pickle.dumps(()))
        archive.writestr("clip/data/0", bytes(96 << 20))
    return path


@pytest.fixture
def no_inflating(monkeypatch):
    """No entry may be opened for reading."""
    real = zipfile.ZipFile.open

    def refuse(self, name, mode="r", *rest, **more):
        assert mode == "w", "it is inflated"
        return real(self, name, mode, *rest, **more)

    monkeypatch.setattr(zipfile.ZipFile, "open", refuse)
    monkeypatch.setattr(torch, "load", refuse)


@pytest.mark.parametrize("read", [read_archive, lambda path: read_modules(path, ())], ids=["archive", "modules"])
def test_an_archive_that_inflates_is_refused_before_it_does(bomb, no_inflating, read):
    with pytest.raises(WeightsError, match=r"bomb\.pt is refused: its \d+ bytes would inflate to 100663\d+, "):
        read(bomb)


def test_a_state_dict_that_inflates_is_refused_before_it_does(tmp_path, no_inflating):
    path = tmp_path / "state.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("state/data.pkl", b"")
        archive.writestr("state/data/0", bytes(96 << 20))
    with pytest.raises(WeightsError, match=r"state\.pth is refused: its \d+ bytes would inflate"):
        read_archive(path)


def test_entries_that_share_their_bytes_count_each(tmp_path, no_inflating):
    """A directory that lists one entry many times, as archives do whose entries overlap."""
    path = tmp_path / "shared.pt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("clip/data.pkl", b"")
        archive.writestr("clip/constants.pkl", b"")
        archive.writestr("clip/data/0", bytes(1 << 20))
        archive.filelist += [archive.getinfo("clip/data/0")] * 99
    with pytest.raises(WeightsError, match="would inflate"):
        read_archive(path)


def test_a_storage_longer_than_its_tensors_is_not_inflated(tmp_path):
    root = module(w=rebuilt(float_storage(4), 0, (4,), (1,)))
    path = torchscript_like(tmp_path / "x.pt", root, {"0": bytes(1 << 20)})
    with pytest.raises(WeightsError, match=r"'clip/data/0' has 1048576 bytes where at most 16 are needed"):
        read_archive(path)


def test_a_length_that_lies_reads_no_more_than_it_says(tmp_path):
    """The directory says 16 bytes; a megabyte would come of them."""
    root = module(w=rebuilt(float_storage(4), 0, (4,), (1,)))
    path = tmp_path / "x.pt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("clip/data.pkl", "w") as stream:
            _Writer(stream, protocol=2).dump(root)
        archive.writestr("clip/constants.pkl", pickle.dumps(()))
        archive.writestr("clip/data/0", bytes(1 << 20))
        archive.getinfo("clip/data/0").file_size = 16
    with pytest.raises(WeightsError):  # its checksum is that of the whole
        read_archive(path)


@pytest.mark.parametrize("size", [(1 << 40,), (1 << 20, 1 << 20)])
def test_a_tensor_that_repeats_a_small_storage_is_refused(tmp_path, size):
    root = module(w=rebuilt(float_storage(4), 0, size, (0,) * len(size)))
    path = torchscript_like(tmp_path / "x.pt", root, {"0": FOUR})
    with pytest.raises(WeightsError, match=r"x\.pt is refused: 'w' has the shape \[.*\], and the file stores less"):
        read_archive(path)


def test_too_little_memory_is_a_fault_of_the_file(tmp_path, monkeypatch):
    def short(*_, **__):
        raise MemoryError

    monkeypatch.setattr(torch, "frombuffer", short)
    path = torchscript_like(tmp_path / "x.pt", module(w=rebuilt(float_storage(4), 0, (4,), (1,))), {"0": FOUR})
    with pytest.raises(WeightsError, match="there is not enough memory for it"):
        read_archive(path)

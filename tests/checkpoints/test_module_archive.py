"""Reading pickled modules: tensors are read, no code runs, and other classes are refused."""

import pickle
import sys
import types
import zipfile

import pytest
import torch
from torch import nn

from zsadbench.checkpoints import read_archive, read_modules
from zsadbench.errors import WeightsError

CLASSES = {"foreign.net.Net", "torch.nn.modules.linear.Linear", "torch.nn.modules.container.Sequential"}


class Net(nn.Module):
    """A class of another package."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(3, 2, bias=False)
        self.rest = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
        self.register_buffer("scale", torch.tensor([1.0, 2.0]))
        self.width = 3


class Harmful:
    def __init__(self, call, *arguments):
        self.call, self.arguments = call, arguments

    def __reduce__(self):
        return self.call, self.arguments


@pytest.fixture
def save(tmp_path, monkeypatch):
    """`save(module)` writes a module whose package no longer exists when it is read."""

    def write(module):
        package = types.ModuleType("foreign.net")
        package.Net = Net
        path = tmp_path / "net.pt"
        with monkeypatch.context() as patch:
            patch.setattr(Net, "__module__", "foreign.net")
            patch.setitem(sys.modules, "foreign", types.ModuleType("foreign"))
            patch.setitem(sys.modules, "foreign.net", package)
            torch.save(module, path)
        return path

    return write


def test_every_parameter_and_buffer_comes_out(save):
    module = Net()
    read = read_modules(save(module), CLASSES)
    assert {name: tensor.tolist() for name, tensor in read.items()} == {
        name: tensor.tolist() for name, tensor in module.state_dict().items()
    }
    assert not any(isinstance(tensor, nn.Parameter) or tensor.requires_grad for tensor in read.values())


def test_tensors_that_share_a_storage_come_out_as_they_were(save):
    module, whole = Net(), torch.arange(12.0)
    module.first.weight = nn.Parameter(whole[6:].view(3, 2).T)
    module.rest[0].weight = nn.Parameter(whole[:4].view(2, 2))
    read = read_modules(save(module), CLASSES)
    assert read["first.weight"].tolist() == [[6, 8, 10], [7, 9, 11]]
    assert read["rest.0.weight"].tolist() == [[0, 1], [2, 3]]


def test_the_usual_reader_refuses_it(save):
    with pytest.raises(WeightsError, match="is refused"):
        read_archive(save(Net()))


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_a_class_that_nobody_expects_is_refused(save, name):
    with pytest.raises(WeightsError, match=f"is refused: it names '{name}'"):
        read_modules(save(Net()), CLASSES - {name})


@pytest.mark.parametrize(
    ("call", "arguments"), [(exec, ("raise SystemExit",)), (eval, ("1",)), (getattr, ("", "join")), (print, ("ran",))]
)
def test_nothing_runs(save, capsys, call, arguments):
    module = Net()
    module.extra = Harmful(call, *arguments)
    with pytest.raises(WeightsError, match=f"is refused: it names '.*{call.__name__}'"):
        read_modules(save(module), CLASSES)
    assert capsys.readouterr().out == ""


def test_a_module_of_itself_is_refused(save):
    module = Net()
    module._modules["again"] = module
    with pytest.raises(WeightsError, match="cannot be read as a saved module"):
        read_modules(save(module), CLASSES)


def test_damaged_files_are_refused(save, tmp_path):
    whole = save(Net()).read_bytes()
    kinds = {b"": "is empty", b"no archive": "is a text that begins", whole[: len(whole) // 2]: "is cut off"}
    kinds |= {b"\x80\x02.": "cannot be read as a saved module"}
    for content, kind in kinds.items():
        (tmp_path / "net.pt").write_bytes(content)
        with pytest.raises(WeightsError, match=kind):
            read_modules(tmp_path / "net.pt", CLASSES)
    with pytest.raises(WeightsError, match="is not a file"):
        read_modules(tmp_path / "absent.pt", CLASSES)


def test_a_short_storage_is_refused(save, tmp_path):
    path = save(Net())
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    longest = max((name for name in members if "/data/" in name), key=lambda name: len(members[name]))
    members[longest] = members[longest][:8]
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    with pytest.raises(WeightsError, match=r"is truncated: storage '[0-9]' has 2 of 6 numbers"):
        read_modules(path, CLASSES)


def test_an_archive_of_something_else_holds_no_tensors(tmp_path):
    torch.save({"weight": torch.zeros(2)}, tmp_path / "state.pt")
    assert read_modules(tmp_path / "state.pt", CLASSES) == {}
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("other/data.txt", "")
    with pytest.raises(WeightsError, match="is a zip archive of 1 other files"):
        read_modules(tmp_path / "other.zip", CLASSES)


def test_strange_pickles_do_not_pass(tmp_path):
    for content in (b"", b".", pickle.dumps(Ellipsis), b"cos\nsystem\n."):
        with zipfile.ZipFile(tmp_path / "net.pt", "w") as archive:
            archive.writestr("net/data.pkl", content)
        with pytest.raises(WeightsError):
            read_modules(tmp_path / "net.pt", CLASSES)

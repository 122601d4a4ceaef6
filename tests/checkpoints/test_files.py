"""Reading checkpoints of other programs without running them, and writing checkpoints atomically."""

import os
import pickle
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from zsadbench import files
from zsadbench.checkpoints import load_state, read_archive, read_metadata, write_checkpoint
from zsadbench.errors import WeightsError
from zsadbench.files import file_sha256, write_atomically


class Attack:
    """Creates a file `marker` when it is unpickled."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"touch {self.marker}",)


# --- what is refused -------------------------------------------------------------------------------


def test_code_in_a_torch_file_is_refused_and_not_run(tmp_path):
    marker, path = tmp_path / "ran", tmp_path / "evil.pth"
    torch.save({"state": torch.zeros(2), "evil": Attack(marker)}, path)
    with pytest.raises(WeightsError, match=r"is refused: .*could run foreign code .*system"):
        read_archive(path)
    assert not marker.exists()
    torch.load(path, weights_only=False)  # the attack is a real one
    assert marker.exists()


def test_code_in_an_old_style_pickle_is_refused_and_not_run(tmp_path):
    marker, path = tmp_path / "ran", tmp_path / "evil.pkl"
    path.write_bytes(pickle.dumps(Attack(marker)))
    with pytest.raises(WeightsError, match="is refused"):
        read_archive(path)
    assert not marker.exists()


def test_strangers_in_a_torch_file_are_named(tmp_path):
    path = tmp_path / "object.pt"
    torch.save(nn.Linear(2, 2), path)
    with pytest.raises(WeightsError, match=r"GLOBAL torch.nn.modules.linear.Linear") as failure:
        read_archive(path)
    assert "\n" not in str(failure.value)
    assert failure.value.exit_code == 4


@pytest.mark.parametrize("keep", [0.3, 0.7, 0.98])
@pytest.mark.parametrize("form", ["torchscript", "state_dict", "safetensors"])
def test_a_truncated_file_is_refused(tmp_path, write_weights, form, keep):
    path = write_weights({"layer.weight": torch.randn(40, 40), "layer.bias": torch.randn(40)}, tmp_path, form)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep)])
    with pytest.raises(WeightsError) as failure:
        read_archive(path)
    assert str(path) in str(failure.value)
    assert "\n" not in str(failure.value)


@pytest.mark.parametrize("content", [b"", b"not a checkpoint\n", b"\x89PNG\r\n", b"PK\x03\x04", b"\x80\x02.", b"{}"])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_what_is_no_checkpoint_is_refused(tmp_path, content, suffix):
    path = tmp_path / f"file{suffix}"
    path.write_bytes(content)
    with pytest.raises(WeightsError):
        read_archive(path)


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    with pytest.raises(WeightsError, match=r"is not a file\n  looked for: .*\n  what to do: give the path"):
        read_archive(tmp_path / "nothing.pt")
    with pytest.raises(WeightsError, match="is not a file but a folder; give the path of a checkpoint"):
        read_archive(tmp_path)
    (tmp_path / "model.safetensors").touch()
    with pytest.raises(WeightsError, match=r"is not a file but a folder; give a file in it: model\.safetensors"):
        read_archive(tmp_path)


@given(data=st.data())
@settings(max_examples=80, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@pytest.mark.parametrize("form", ["torchscript", "state_dict", "safetensors"])
def test_damaged_bytes_end_in_one_kind_of_error(form, data, write_weights, tmp_path_factory):
    """A file in which single bytes are overwritten is read or refused, without any other effect."""
    folder = tmp_path_factory.mktemp("damaged")
    path = write_weights({"layer.weight": torch.ones(3, 2)}, folder, form)
    content = bytearray(path.read_bytes())
    spots = st.lists(st.tuples(st.integers(0, len(content) - 1), st.integers(0, 255)), min_size=1, max_size=4)
    for position, value in data.draw(spots):
        content[position] = value
    path.write_bytes(content)
    with suppress(WeightsError):
        read_archive(path)


# --- what is read ----------------------------------------------------------------------------------


@pytest.mark.parametrize("package", ["numpy.core.multiarray", "numpy._core.multiarray"])
@pytest.mark.parametrize("kind", ["f8", "f4", "i8"])
def test_a_numpy_scalar_is_read_under_both_its_names(tmp_path, package, kind):
    path = tmp_path / "scalar.pth"
    torch.save({"loss": np.dtype(kind).type(3), "w": torch.ones(2)}, path, pickle_module=_renaming(package))
    with zipfile.ZipFile(path) as archive:
        assert package.encode() in archive.read(f"{path.stem}/data.pkl")
    read = read_archive(path)
    assert read["loss"] == 3
    assert read["loss"].dtype == kind


def _renaming(package):
    """The pickle module, writing NumPy's scalars under `package`."""

    class Module:
        class Pickler(pickle._Pickler):
            def save_global(self, obj, name=None):
                if getattr(obj, "__name__", "") == "scalar":
                    self.write(pickle.GLOBAL + f"{package}\nscalar\n".encode())
                else:
                    super().save_global(obj, name)

            dispatch: ClassVar = {**pickle._Pickler.dispatch, type(np.dtype): pickle._Pickler.save_type}

    return Module


def test_safetensors_are_known_by_content_as_well(tmp_path):
    path = tmp_path / "weights.bin"
    write_checkpoint(path, {"w": torch.ones(2)}, "fbclip", {})
    assert torch.equal(read_archive(path)["w"], torch.ones(2))


# --- our own ---------------------------------------------------------------------------------------


def test_our_checkpoints_come_back_with_their_settings(tmp_path):
    path = tmp_path / "runs" / "seed=1" / "model.safetensors"
    state = {"w": torch.randn(3, 4).t(), "scale": torch.tensor(0.125, requires_grad=True)}
    about = {"method": "fbclip", "options": {"views": ["id", "sem"]}, "seed": 1}
    write_checkpoint(path, state, "fbclip", about)
    read = read_archive(path)
    assert read.keys() == state.keys()
    assert all(torch.equal(read[name], tensor) for name, tensor in state.items())
    assert read_metadata(path) == ("fbclip", about)
    assert len(file_sha256(path)) == 64
    content = path.read_bytes()
    write_checkpoint(path, state, "fbclip", about)
    assert path.read_bytes() == content, "the same state makes the same bytes"


def test_other_files_have_no_settings(tmp_path, write_weights):
    state = {"w": torch.ones(2)}
    for form in ("safetensors", "state_dict", "torchscript"):
        assert read_metadata(write_weights(state, tmp_path, form)) is None
    assert read_metadata(tmp_path / "nothing") is None
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"\x10\x00\x00\x00\x00\x00\x00\x00{oh no")
    with pytest.raises(WeightsError, match="is cut off: it has 14 bytes, and its header alone takes 24"):
        read_metadata(broken)


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, step):
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"before")

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(*((files.os, "fsync") if step == "fsync" else (Path, "replace")), fail)
    with pytest.raises(OSError, match="disk full"):
        write_atomically(path, b"after")
    assert [file.name for file in tmp_path.iterdir()] == ["model.safetensors"]
    assert path.read_bytes() == b"before"


def test_a_state_of_another_method_is_refused():
    layer = nn.Linear(2, 3)
    for wrong, message in (
        ({}, r"model\.pt: tensors missing: \['bias', 'weight'\], not expected: \[\]; is it another method's"),
        ({**layer.state_dict(), "head": torch.zeros(1)}, r"missing: \[\], not expected: \['head'\]"),
        (
            {"weight": torch.zeros(3, 4), "bias": torch.zeros(3)},
            r"model\.pt: 'weight' has shape \[3, 4\], \[3, 2\] is needed; was it made on another backbone\?",
        ),
    ):
        with pytest.raises(WeightsError, match=message):
            load_state(layer, wrong, "model.pt")


def test_a_fitting_state_is_loaded():
    layer, other = nn.Linear(2, 3), nn.Linear(2, 3)
    load_state(layer, other.state_dict(), "model.pt")
    assert torch.equal(layer.weight, other.weight)

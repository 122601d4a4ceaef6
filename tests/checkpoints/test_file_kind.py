"""A file that is no weights is called what it is, whatever it is called and wherever it is read."""

import gzip
import io
import tarfile
import zipfile

import pytest
import torch
from safetensors.torch import save_file

from zsadbench.checkpoints import read_archive, read_metadata, read_modules
from zsadbench.errors import WeightsError

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + 64 * b"0" + b"\nsize 1000\n"


def _zip(*names):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in names:
            archive.writestr(name, b"content")
    return stream.getvalue()


def _tar():
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("weights.pth"))
    return stream.getvalue()


KINDS = {
    "pointer": (POINTER, "is a Git LFS pointer"),
    "pointer, Windows": (POINTER.replace(b"\n", b"\r\n"), "is a Git LFS pointer"),
    "page": (b"<!DOCTYPE html><html><head><title>Sign in</title></head></html>\n", "is a web page"),
    "page, lower": (b"\n\n  <html lang='en'>", "is a web page"),
    "page, BOM": (b"\xef\xbb\xbf<!doctype html>", "is a web page"),
    "page, comment": (b"<!-- saved from url -->\n<HTML>", "is a web page"),
    "XML": (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "is the XML answer of a server"),
    "JSON": (b'{"error": "Repository not found"}', r"is a text that begins with '\{\"error\": "),
    "text": ("Zugriff verweigert: ä\n".encode(), "is a text that begins with 'Zugriff verweigert: ä'"),
    "empty": (b"", "is empty"),
    "zip": (
        _zip("photos/a.png", "photos/b.png"),
        r"is a zip archive of 2 other files, such as 'photos/a\.png': unpack",
    ),
    "zip of weights": (_zip("release/epoch_15.pth"), r"zip archive of 1 other files, such as 'release/epoch_15\.pth'"),
    "empty zip": (_zip(), "is a zip archive of 0 other files"),
    "gzip": (gzip.compress(b"content"), "is a gzip archive: unpack"),
    "tar": (_tar(), "is a tar archive: unpack"),
    "image": (b"\x89PNG\r\n\x1a\n" + bytes(20), "is a PNG image"),
    "HDF5": (b"\x89HDF\r\n\x1a\n" + bytes(20), "is an HDF5 file"),
}


@pytest.mark.parametrize("name", ["weights.pth", "weights.safetensors", "weights.bin", "weights"])
@pytest.mark.parametrize(("content", "message"), KINDS.values(), ids=KINDS)
def test_it_is_called_what_it_is(tmp_path, content, message, name):
    path = tmp_path / name
    path.write_bytes(content)
    zipped = content.startswith(b"PK")
    if path.suffix != ".safetensors" or zipped:  # a method of another package may publish any format
        assert read_metadata(path) is None
    own = () if path.suffix != ".safetensors" or zipped else (read_metadata,)
    for read in (read_archive, *own, lambda path: read_modules(path, ())):
        with pytest.raises(WeightsError, match=message) as failure:
            read(path)
        assert "\n" not in str(failure.value)


@pytest.mark.parametrize("kept", [0.02, 0.3, 0.9, 0.999])
@pytest.mark.parametrize("form", ["zip", "old", "safetensors"])
def test_a_cut_file_is_called_cut_off(tmp_path, form, kept):
    path = tmp_path / "weights.pth"
    state = {f"layer.{number}.weight": torch.randn(40, 40) for number in range(8)}
    if form == "safetensors":
        save_file(state, path)
    else:
        torch.save({"prompt_learner": state}, path, _use_new_zipfile_serialization=form == "zip")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(WeightsError, match="is cut off"):
        read_archive(path)


@pytest.mark.parametrize("old", [True, False])
def test_a_wrong_ending_does_no_harm(tmp_path, old):
    path = tmp_path / "weights.safetensors"
    torch.save({"w": torch.ones(2)}, path, _use_new_zipfile_serialization=not old)
    assert torch.equal(read_archive(path)["w"], torch.ones(2))
    assert read_metadata(path) is None

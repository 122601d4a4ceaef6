"""Say what a file is that was given as weights or as a checkpoint and is neither, from its first bytes."""

from __future__ import annotations

import re
import struct
import zipfile
from pathlib import Path

from zsadbench.errors import WeightsError, not_found, where_looked
from zsadbench.printing import one_line

HEAD = 1024  # bytes read from the start of a file
SHOWN = 40  # characters of a text that a message quotes
FETCH = "fetch the file itself again"
ZIP = (b"PK\x03\x04", b"PK\x05\x06")
TORCH = ("data.pkl", "constants.pkl")  # what every archive of PyTorch holds, below one folder
ARCHIVE, OTHER, FORMAT = (
    "unpack it and give the file in it",
    "give the file of the weights",
    "give PyTorch's or safetensors",
)

TEXTS = (  # how a text begins, after white space, and what it is
    (rb"version https://git-lfs\.github\.com/spec/", "a Git LFS pointer, not the file itself: run 'git lfs pull', or "),
    (
        rb"<(!doctype\s+html|html|head|body|script|meta)\b|<!--",
        "a web page: the download failed or was no direct link; ",
    ),
    (rb"<(\?xml|[a-z]+[ >])", "the XML answer of a server: the download failed; "),
)
FORMATS = (  # the first bytes of formats that are mistaken for weights, what each is, and what to do
    (b"\x1f\x8b", "a gzip archive", ARCHIVE),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", ARCHIVE),
    (b"Rar!", "a RAR archive", ARCHIVE),
    (b"\xfd7zXZ", "an xz archive", ARCHIVE),
    (b"BZh", "a bzip2 archive", ARCHIVE),
    (b"\x28\xb5\x2f\xfd", "a zstd archive", ARCHIVE),
    (b"\x89PNG", "a PNG image", OTHER),
    (b"\xff\xd8\xff", "a JPEG image", OTHER),
    (b"%PDF", "a PDF document", OTHER),
    (b"\x89HDF\r\n", "an HDF5 file, as Keras writes it", FORMAT),
    (b"GGUF", "a GGUF file", FORMAT),
    (b"\x93NUMPY", "a NumPy array", FORMAT),
)


def check_kind(path: Path) -> None:
    """Check that the file may be weights; only its first bytes, and the directory of a zip archive, are read.

    Raises:
        WeightsError: it is missing, a folder, unreadable, or what `foreign_kind` tells.
    """
    if path.is_dir():
        raise WeightsError(f"{path} is not a file but a folder; {_files_in(path)}")
    if not path.is_file():
        raise WeightsError(not_found(f"{path} is not a file", where_looked(path), "give the path of a checkpoint"))
    try:
        what = foreign_kind(path)
    except OSError as failure:
        raise WeightsError(f"{path} cannot be read: {failure.strerror or failure}") from failure
    if what:
        raise WeightsError(f"{path} is {what}")


def foreign_kind(path: Path) -> str | None:
    """Return what a file is that is no weights, and what to do; None where it may be weights.

    It may be empty, a Git LFS pointer, a web page, a text, an archive of other files, cut off, or of another format.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as stream:
        head = stream.read(HEAD)
    if not head:
        return f"empty: nothing was downloaded; {FETCH}"
    if head.startswith(ZIP):
        return _zip_kind(path)
    if head[257:262] == b"ustar":
        return f"a tar archive: {ARCHIVE}"
    for start, what, remedy in FORMATS:
        if head.startswith(start):
            return f"{what}: {remedy}"
    return _text_kind(head) if _is_text(head) else _cut_safetensors(head, path)


def _text_kind(head: bytes) -> str:
    """Say what a text is, by its beginning."""
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    known = next((what for pattern, what in TEXTS if re.match(pattern, text, re.IGNORECASE)), None)
    beginning = one_line(text.decode(errors="ignore").strip()[:SHOWN])
    return (known or f"a text that begins with '{beginning}': ") + FETCH


def _cut_safetensors(head: bytes, path: Path) -> str | None:
    """Say that a safetensors file ends within its header."""
    if len(head) > 8 and head[8:9] == b"{":
        header, size = 8 + int.from_bytes(head[:8], "little"), path.stat().st_size
        if size < header < 1 << 32:
            return f"cut off: it has {size} bytes, and its header alone takes {header}; {FETCH}"
    return None


def _zip_kind(path: Path) -> str | None:
    """Say that a zip archive is cut off, damaged, or none of PyTorch."""
    try:
        if not zipfile.is_zipfile(path):
            return f"cut off: the end of the archive is missing; {FETCH}"
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, struct.error) as failure:
        return f"damaged: {failure}; {FETCH}"
    if any(name.endswith(TORCH) for name in names):
        return None
    first = f", such as '{one_line(names[0])}'" if names else ""
    return f"a zip archive of {len(names)} other files{first}: unpack it and give the file of the weights"


def _is_text(head: bytes) -> bool:
    """Whether the bytes are printable text; a character that is cut off at the end does no harm."""
    if any(byte < 32 and byte not in b"\t\n\r\f" for byte in head):
        return False
    return len(head.decode(errors="ignore").encode()) > len(head) - 4


def _files_in(folder: Path) -> str:
    """Name the files of weights in a folder."""
    endings = (".safetensors", ".pt", ".pth", ".bin", ".ckpt")
    try:
        files = sorted(path.name for path in folder.iterdir() if path.suffix in endings)
    except OSError:
        files = []
    return f"give a file in it: {', '.join(files[:5])}" if files else "give the path of a checkpoint"

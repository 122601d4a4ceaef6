"""Ten odd inputs per reader: files that people and programs do write. `python -m tools.fuzz.odd` says what happens."""

from __future__ import annotations

import io
import json
import logging
import re
import tempfile
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image

from tools.fuzz.readers import Reader, make_readers
from zsadbench.errors import ZsadError

Change = Callable[[bytes], bytes]


class Outcome(NamedTuple):
    """What happens to one odd input: `read`, `left out`, `made again` or `refused`, and what is said."""

    family: str
    name: str
    what: str
    said: str


def text(change: Callable[[str], str]) -> Change:
    """A change of the text of a file."""
    return lambda content: change(content.decode()).encode()


def value(change: Callable[[dict], object]) -> Change:  # type: ignore[type-arg]
    """A change of the value of a JSON file, in place."""

    def apply(content: bytes) -> bytes:
        content_value = json.loads(content)
        change(content_value)
        return json.dumps(content_value).encode()

    return apply


def picture(**saved: object) -> Change:
    """Another picture of the same size, saved with these settings."""

    def apply(content: bytes) -> bytes:
        settings = dict(saved)
        with Image.open(io.BytesIO(content)) as image:
            made = Image.new(
                str(settings.pop("mode", "RGB")), settings.pop("size", image.size), settings.pop("colour", 0)
            )
        buffer = io.BytesIO()
        made.save(buffer, **settings)
        return buffer.getvalue()

    return apply


def array(values: np.ndarray) -> Change:  # type: ignore[type-arg]
    """An `.npy` file of these values."""

    def apply(_: bytes) -> bytes:
        buffer = io.BytesIO()
        np.save(buffer, values, allow_pickle=True)
        return buffer.getvalue()

    return apply


def saved(content: object) -> Change:
    """A file of `torch.save`."""

    def apply(_: bytes) -> bytes:
        buffer = io.BytesIO()
        torch.save(content, buffer)
        return buffer.getvalue()

    return apply


def archive(**files: bytes) -> Change:
    """A zip archive of these files."""

    def apply(_: bytes) -> bytes:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as made:
            for name, content in files.items():
                made.writestr(name, content)
        return buffer.getvalue()

    return apply


def constant(content: bytes) -> Change:
    """These bytes, whatever the file was."""
    return lambda _: content


EVERYWHERE: dict[str, Change] = {
    "empty": constant(b""),
    "zeros, as after a crash of the file system": lambda content: bytes(len(content)),
    "a Git LFS pointer": constant(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"),
    "a page of a login": constant(b"<!DOCTYPE html><html><title>Sign in</title></html>"),
    "the first half": lambda content: content[: len(content) // 2],
}
TABLE: dict[str, Change] = {
    "saved by a spreadsheet with a mark at the start": lambda content: b"\xef\xbb\xbf" + content,
    "lines of an old Mac": lambda content: content.replace(b"\n", b"\r"),
    "saved as UTF-16": lambda content: content.decode().encode("utf-16"),
    "a line of blanks at the end": lambda content: content + b"   \n",
    "paths of Windows": lambda content: content.replace(b"test/dent", b"test\\dent"),
}
JSON: dict[str, Change] = {
    "a comma after the last entry": text(lambda content: re.sub(r"\}\s*$", ",}", content)),
    "a list": constant(b"[]"),
    "JavaScript with comments": text(lambda content: "// by hand\n" + content),
    "every value null": text(lambda content: re.sub(r":\s*(\d+|\"[^\"]*\"|true|false)", ": null", content)),
    "numbers as texts": text(lambda content: re.sub(r":\s*(\d+)", r': "\1"', content)),
}
TOML: dict[str, Change] = {
    "a repeated table": lambda content: content + b"\n[classes]\nx = 1\n[classes]\ny = 2\n",
    "curly quotes of a word processor": lambda content: content.replace(b'"', "”".encode()),
    "saved as UTF-16": lambda content: content.decode().encode("utf-16"),
    "YAML": constant(b"name: mvtec\nclasses:\n  - bottle\n"),
    "tabs and lines of Windows": lambda content: content.replace(b"\n", b"\r\n").replace(b" = ", b"\t=\t"),
}
PICTURES: dict[str, Change] = {
    "one pixel": picture(size=(1, 1), format="PNG"),
    "of 1 bit": picture(mode="1", format="PNG"),
    "CMYK": picture(mode="CMYK", format="TIFF"),
    "with a palette": picture(mode="P", format="PNG"),
    "two frames": picture(format="GIF", save_all=True, append_images=[Image.new("RGB", (32, 24), "red")]),
}
PARTS: dict[str, Change] = {
    "another sidecar's content": constant(b"PAR1" + bytes(64) + b"PAR1"),
    "a text": constant(b"path,score\na.png,1\n"),
    "an archive of nothing": archive(),
    "one byte more": lambda content: content + b"\0",
    "one byte less": lambda content: content[:-1],
}
BY_FAMILY: dict[str, dict[str, Change]] = {
    "tables (csv:)": TABLE,
    "meta.json": JSON,
    "cards": TOML,
    "backbone.json": JSON,
    "records": {
        "of a later version": value(lambda content: content.update(schema=2)),
        "merged from two by hand": value(
            lambda content: content["classes"].update(other=next(iter(content["classes"].values())))
        ),
        "a value of 97.3 in place of 0.973": value(
            lambda content: next(iter(content["classes"].values())).update(image_auroc=97.3)
        ),
        "another seed": value(lambda content: content["cell"].update(seed=5)),
        "saved with NaN": text(lambda content: re.sub(r"\"image_auroc\": [\d.]+", '"image_auroc": NaN', content)),
    },
    "files beside a record": PARTS,
    "scores.csv": {
        "a score of nan": text(lambda content: re.sub(r",[^,\n]+\n$", ",nan\n", content)),
        "decimal commas": text(lambda content: re.sub(r"(\d)\.(\d)", r"\1,\2", content)),
        "a path twice": lambda content: content + content.splitlines(keepends=True)[-1],
        "columns in another order": constant(b"score,path\n0.5,a.png\n"),
        "no header": lambda content: b"".join(content.splitlines(keepends=True)[1:]),
    },
    "checkpoints and weights": {
        "a whole module": saved(torch.nn.Linear(2, 2)),
        "a list of tensors": saved([torch.zeros(2)]),
        "a training state with an optimiser": saved({"model": {"weight": torch.zeros(2)}, "optimizer": {"lr": 1}}),
        "an archive of pictures": archive(**{"a.png": b"\x89PNG"}),
        "a pickle that calls a program": constant(b"cos\nsystem\n(S'true'\ntR."),
    },
    "maps": {
        "objects": array(np.array([{"a": 1}], dtype=object)),
        "with a channel at the end": array(np.zeros((6, 9, 1))),
        "complex": array(np.zeros((6, 9), dtype=np.complex64)),
        "of no pixel": array(np.zeros((0, 9))),
        "infinite": array(np.full((6, 9), np.inf)),
    },
    "images": PICTURES,
    "masks": PICTURES,
    "caches": PARTS,
    "zsadbench.toml": {
        "an unknown flag": constant(b"[run]\nmethods = ['clip']\n"),
        "code": constant(b"plugin = ['x.py']\n"),
        "a number where a text belongs": constant(b"device = 3\n"),
        "a table where a value belongs": constant(b"[run.limit]\nx = 1\n"),
        "curly quotes of a word processor": TOML["curly quotes of a word processor"],
    },
}


def outcomes(folder: Path) -> Iterator[Outcome]:
    """Give every odd input of a family to its first reader, and say what happens."""
    seen: set[str] = set()
    for reader in make_readers(folder):
        if reader.family in seen:
            continue
        seen.add(reader.family)
        original = reader.file.read_bytes()
        for name, change in {**EVERYWHERE, **BY_FAMILY[reader.family]}.items():
            reader.file.write_bytes(change(original))
            yield _outcome(reader, name, folder)
        reader.file.write_bytes(original)


def _outcome(reader: Reader, name: str, folder: Path) -> Outcome:
    heard: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda entry: heard.append(entry.getMessage())  # type: ignore[method-assign]
    logging.getLogger("zsadbench").addHandler(handler)
    try:
        reader.read(reader.file)
        what = ("made again" if reader.family == "caches" else "left out") if reader.strict else "read"
    except ZsadError as failure:
        what, heard = "refused", [*heard, str(failure)]
    finally:
        logging.getLogger("zsadbench").removeHandler(handler)
    said = "; ".join(dict.fromkeys(" ".join(line.split()) for line in heard)).replace(str(folder), "…")
    return Outcome(reader.family, name, what, said)


def main() -> None:
    """Print a Markdown table."""
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        print("| reader | input | what happens |\n| --- | --- | --- |")
        for one in outcomes(Path(folder)):
            said = re.sub(r"/tmp/[^ '\"]*/", "…/", one.said)[:150].replace("|", "\\|")
            print(f"| {one.family} | {one.name} | {one.what}{': ' + said if said else ''} |")


if __name__ == "__main__":
    main()

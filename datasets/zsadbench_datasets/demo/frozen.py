"""The frozen sets: a hash of the pixels of each, committed before any method was scored on it.

`python -m zsadbench_datasets.demo.frozen` generates the sets and writes their hashes. Other pixels make a new
benchmark: if a hash changes, `GENERATOR` must be increased.
"""

import hashlib
import json
import logging
from collections.abc import Iterable
from importlib import resources
from pathlib import Path
from typing import Any, cast

from zsadbench.errors import DataError
from zsadbench_datasets.demo.defects import DefectImage
from zsadbench_datasets.demo.families import SetName
from zsadbench_datasets.demo.sets import GENERATOR, SETS, ImageSpec, image_specs, render, write

FILE = "FROZEN.json"

log = logging.getLogger(__name__)


def frozen() -> dict[str, Any]:
    """The committed version of the generator and hash of every set."""
    text = (resources.files("zsadbench_datasets.demo") / FILE).read_text(encoding="utf-8")
    return cast("dict[str, Any]", json.loads(text))


def edition(name: str) -> str:
    """A text that identifies the pixels of a set: the version of the generator and the start of the hash.

    Raises:
        DataError: there is no such set.
    """
    return f"{GENERATOR}-{frozen()['sets'][_known(name)][:12]}"


def generate(name: str, folder: Path) -> None:
    """Generate a set below `folder`, and warn if its pixels differ from the frozen ones.

    Raises:
        DataError: there is no such set.
    """
    rendered = ((spec, render(spec)) for spec in image_specs(_known(name)))
    found = _digest(_written(rendered, folder))
    if found != frozen()["sets"][name]:
        log.warning(
            "%s: generated here with other pixels (%s) than the frozen set; its numbers are not comparable", name, found
        )


def digest(set_name: SetName) -> str:
    """Generate a set and hash its paths and pixels: SHA-256, hexadecimal."""
    return _digest((spec, render(spec)) for spec in image_specs(set_name))


def _known(name: str) -> SetName:
    for known in SETS:
        if name == known:
            return known
    raise DataError(f"no set '{name}' can be generated; known: {', '.join(SETS)}")


def _written(
    rendered: Iterable[tuple[ImageSpec, DefectImage]], folder: Path
) -> Iterable[tuple[ImageSpec, DefectImage]]:
    for spec, flawed in rendered:
        write(spec, flawed, folder)
        yield spec, flawed


def _digest(rendered: Iterable[tuple[ImageSpec, DefectImage]]) -> str:
    total = hashlib.sha256()
    for spec, flawed in rendered:
        total.update(f"{spec.image} {spec.mask} {flawed.image.shape}\n".encode())
        total.update(flawed.image.tobytes() + flawed.mask.tobytes())
    return total.hexdigest()


def freeze() -> None:
    """Generate all sets and write their hashes to `FROZEN.json`."""
    content = {"generator": GENERATOR, "sets": {set_name: digest(set_name) for set_name in SETS}}
    Path(__file__).with_name(FILE).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    freeze()

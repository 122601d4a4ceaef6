"""What is drawn is frozen: a hash of every set, committed before any method was scored on it.

`python -m zsadbench_datasets.demo.frozen` draws the sets and writes the hashes anew; a difference means a new
benchmark, so `GENERATOR` goes up with it.
"""

import hashlib
import json
import logging
from collections.abc import Iterable
from importlib import resources
from pathlib import Path
from typing import Any, cast

from zsadbench.errors import DataError
from zsadbench_datasets.demo.defects import Flawed
from zsadbench_datasets.demo.families import User
from zsadbench_datasets.demo.sets import GENERATOR, SETS, Draft, drafts, render, write

FILE = "FROZEN.json"

log = logging.getLogger(__name__)


def frozen() -> dict[str, Any]:
    """The generator's version and the hash of every set, as committed."""
    text = (resources.files("zsadbench_datasets.demo") / FILE).read_text(encoding="utf-8")
    return cast("dict[str, Any]", json.loads(text))


def edition(name: str) -> str:
    """A text that is another for other pixels.

    Raises:
        DataError: there is no such set.
    """
    return f"{GENERATOR}-{frozen()['sets'][_known(name)][:12]}"


def generate(name: str, folder: Path) -> None:
    """Draw a set below `folder`, with a warning when it is not the frozen one.

    Raises:
        DataError: there is no such set.
    """
    drawn = ((draft, render(draft)) for draft in drafts(_known(name)))
    found = _digest(_written(drawn, folder))
    if found != frozen()["sets"][name]:
        log.warning("%s: drawn here with other pixels (%s) than the frozen set; its numbers stand alone", name, found)


def digest(user: User) -> str:
    """The SHA-256 of a set as it is drawn now: of paths and pixels, not of files."""
    return _digest((draft, render(draft)) for draft in drafts(user))


def _known(name: str) -> User:
    for known in SETS:
        if name == known:
            return known
    raise DataError(f"no set '{name}' can be drawn; known: {', '.join(SETS)}")


def _written(drawn: Iterable[tuple[Draft, Flawed]], folder: Path) -> Iterable[tuple[Draft, Flawed]]:
    for draft, flawed in drawn:
        write(draft, flawed, folder)
        yield draft, flawed


def _digest(drawn: Iterable[tuple[Draft, Flawed]]) -> str:
    total = hashlib.sha256()
    for draft, flawed in drawn:
        total.update(f"{draft.image} {draft.mask} {flawed.image.shape}\n".encode())
        total.update(flawed.image.tobytes() + flawed.mask.tobytes())
    return total.hexdigest()


def freeze() -> None:
    """Write the hashes of what is drawn now."""
    content = {"generator": GENERATOR, "sets": {user: digest(user) for user in SETS}}
    Path(__file__).with_name(FILE).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    freeze()

"""Generated data sets: written to the cache on first use, completely or not at all, one folder per edition."""

import shutil
import tempfile
from pathlib import Path

from zsadbench.clip import cache_folder
from zsadbench.data.cards.card import Card
from zsadbench.data.catalogue import package_attribute
from zsadbench.errors import DataError
from zsadbench.files import locked

DRAWING = ".drawing-"  # how temporary folders begin


def generated_copy(card: Card) -> Path:
    """The folder of a generated data set; generates the set if it is not in the cache.

    The package that contains the card generates it with its function `generate(name, folder)`; its function
    `edition(name)` returns a text that changes whenever the images change. The set is written to a temporary folder
    and renamed, so an interruption or a second process never leaves an incomplete set; of several processes, one
    generates it.

    Raises:
        DataError: the package does not generate the set, or the cache cannot be written to.
    """
    generate, edition = package_attribute(card, "generate"), package_attribute(card, "edition")
    if generate is None or edition is None:
        raise DataError(f"{card.name}: its card says that it is generated, but its package has no generate and edition")
    folder = cache_folder() / "demo" / f"{card.name}-{edition(card.name)}"
    if folder.is_dir():
        return folder
    try:
        with locked(folder.parent / "drawing", f"{card.name}: another process generates a set; waiting for it"):
            if folder.is_dir():
                return folder
            for leftover in folder.parent.glob(f"{DRAWING}*"):  # of processes that were killed: this one has the lock
                shutil.rmtree(leftover, ignore_errors=True)
            with tempfile.TemporaryDirectory(prefix=DRAWING, dir=folder.parent) as temporary:
                new = Path(temporary) / "set"
                new.mkdir()
                generate(card.name, new)
                new.rename(folder)
    except OSError as failure:
        raise DataError(
            f"{card.name}: cannot be generated into '{folder}': {failure}; set ZSADBENCH_CACHE to a folder of yours"
        ) from failure
    return folder

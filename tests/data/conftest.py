import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zsadbench.data import synthesise


@pytest.fixture(autouse=True)
def no_data_roots(monkeypatch):
    for name in [name for name in os.environ if name.startswith("ZSADBENCH_DATA")]:
        monkeypatch.delenv(name)


@pytest.fixture
def write_image():
    """Write a small image: `write_image(path, size=(16, 12), mode="RGB", fill=90)`; parents are made."""

    def write(path, size=(16, 12), mode="RGB", fill=90):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        grey = Image.fromarray(np.full((size[1], size[0]), fill, dtype=np.uint8))
        (grey if mode == "L" else grey.convert(mode)).save(path)
        return Path(path)

    return write


@pytest.fixture
def miniature(tmp_path):
    """`miniature(name, per_class=1)` → the root of a fresh miniature below `tmp_path / "data"`."""
    return lambda name, per_class=1: synthesise(name, tmp_path / "data", per_class)


def _folder(variable):
    path = os.environ.get(variable)
    if not path:
        pytest.skip(f"{variable} is not set")
    return Path(path)


@pytest.fixture
def real_data():
    return _folder("ZSADBENCH_REAL_DATA")


@pytest.fixture
def fixtures():
    return _folder("ZSADBENCH_FIXTURES")

"""Large images of the user are read within a limit that the user can raise; Pillow says nothing on the terminal."""

import subprocess
import sys

import pytest
from PIL import Image

from zsadbench.data.images.pixel_limit import DEFAULT, allow_pixels, max_pixels
from zsadbench.data.images.preprocess import oriented_size, read_image
from zsadbench.errors import DataError


@pytest.fixture(autouse=True)
def restored():
    yield
    allow_pixels(None)


@pytest.fixture
def scan(tmp_path):
    Image.new("L", (20, 10)).save(tmp_path / "scan.png")
    return tmp_path / "scan.png"


@pytest.mark.parametrize("read", [read_image, oriented_size])
def test_an_image_beyond_the_limit_is_refused_with_the_flag(scan, read):
    allow_pixels(198)
    with pytest.raises(
        DataError, match=r"scan.png' is not read: it has 200 pixels, more than 198; .* --max-pixels 200$"
    ):
        read(scan)
    allow_pixels(200)
    assert read(scan)


def test_below_the_limit_nothing_is_said(scan):
    """Pillow warns from half of the limit."""
    code = (
        "import sys; from zsadbench.data.images.pixel_limit import allow_pixels; allow_pixels(200); "
        "from zsadbench.data import read_image; print(read_image(sys.argv[1]).size)"
    )
    told = subprocess.run([sys.executable, "-c", code, str(scan)], capture_output=True, text=True, check=True)
    assert (told.stdout, told.stderr) == ("(20, 10)\n", "")


def test_the_default_is_that_of_pillow():
    allow_pixels(7)
    allow_pixels(None)
    assert max_pixels() == DEFAULT == 178_956_970

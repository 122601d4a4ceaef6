"""What is no file, and links of a table that leave its folder, are refused before anything is opened."""

import os
import signal
import socket

import pytest

from zsadbench.data import images_of, load_dataset, synthesise
from zsadbench.data.copies.check import check_copy
from zsadbench.data.images.file_contents import file_content
from zsadbench.data.images.formats import open_image
from zsadbench.errors import DataError


@pytest.fixture(autouse=True)
def at_most_a_minute():
    """A test that waits for a pipe fails instead of waiting."""

    def give_up(*_):
        raise AssertionError("waited for a pipe")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def own(tmp_path, write_image):
    """A folder of the user with four images."""
    for label in ("good", "bad"):
        for number in range(2):
            write_image(tmp_path / "set" / "test" / label / f"{number}.png")
    return tmp_path / "set"


def _socket(path):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(path))


KINDS = {"a pipe": os.mkfifo, "a socket": _socket}


@pytest.mark.parametrize(("kind", "make"), KINDS.items())
def test_a_pipe_among_the_images_is_named(own, kind, make):
    path = own / "test" / "bad" / "9.png"
    make(path)
    with pytest.raises(DataError, match=rf"'{path}' is {kind}, not a file; remove it"):
        load_dataset(f"folder:{own}")
    (fault,) = check_copy(f"folder:{own}").faults
    assert f"is {kind}, not a file" in fault


@pytest.mark.parametrize("where", ["ground_truth", "test"])
def test_a_pipe_in_a_known_set_is_named(tmp_path, where):
    root = synthesise("mvtec", tmp_path, 1)
    path = next(file for file in sorted((root / "bottle" / where).rglob("*.png")) if "good" not in file.parts)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(DataError, match=f"'{path}' is a pipe"):
        load_dataset("mvtec", [tmp_path])


def test_a_pipe_beside_the_images_does_no_harm(own):
    os.mkfifo(own / "pipe")
    os.mkfifo(own / "test" / "bad" / "pipe")
    dataset = load_dataset(f"folder:{own}")
    assert len(dataset.manifest) == 4
    assert dataset.fingerprint


def test_a_pipe_that_is_opened_as_an_image_is_refused(tmp_path):
    for name in ("pipe.png", "pipe.dcm", "pipe"):
        os.mkfifo(tmp_path / name)
        assert file_content(tmp_path / name).name == "a pipe, a socket or a device, not a file"
        with pytest.raises(DataError, match="it is a pipe, a socket or a device"), open_image(tmp_path / name):
            pass


def test_a_row_through_a_link_that_leaves_the_folder_is_refused(own, tmp_path, write_image):
    write_image(tmp_path / "elsewhere" / "s.png")
    (own / "link").symlink_to(tmp_path / "elsewhere")
    (own / "t.csv").write_text("path,label\ntest/good/0.png,0\nlink/s.png,1\n")
    with pytest.raises(DataError, match=r"'link/s\.png' \(t\.csv line 3\) leads out of '.*set' through a link, to '"):
        load_dataset(f"csv:{own / 't.csv'}")


def test_links_within_the_folder_and_a_linked_folder_are_followed(own, tmp_path):
    (own / "inner").symlink_to(own / "test" / "good")
    (own / "t.csv").write_text("path,label\ninner/0.png,0\ntest/bad/0.png,1\n")
    (tmp_path / "linked").symlink_to(own)
    for folder in (own, tmp_path / "linked"):
        assert len(load_dataset(f"csv:{folder / 't.csv'}").manifest) == 2
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "test").symlink_to(own / "test")
    assert len(load_dataset(f"folder:{tmp_path / 'images'}").manifest) == 4


def test_predict_leaves_the_folder_of_a_table_by_no_link(own, tmp_path, write_image):
    write_image(tmp_path / "elsewhere.png")
    (own / "link.png").symlink_to(tmp_path / "elsewhere.png")
    (own / "list.csv").write_text("path\nlink.png\n")
    with pytest.raises(DataError, match=r"'link.png' .* leads out of '.*' through a link"):
        images_of([f"csv:{own}/list.csv"])

"""Resized images on disk: asked for by flag, environment or settings file; off unless asked for."""

import json

import pytest

RUN = ("-t", "brainmri", "--json")


@pytest.fixture
def kept(tmp_path):
    """The entries of the image cache."""
    return lambda: [path for path in (tmp_path / "cache" / "images").glob("*/*") if path.is_file()]


def classes(told):
    assert told.code == 0, told.err
    return json.loads(told.out.splitlines()[0])["classes"]


def test_it_is_off_by_default(cli, quick, kept):
    classes(cli("run", *quick, *RUN))
    assert not kept()


def test_a_flag_switches_it_on_and_changes_no_number(cli, quick, kept, monkeypatch):
    plain = classes(cli("run", *quick, *RUN))
    again = ("--image-cache", "1GiB", "--overwrite", "always")
    assert classes(cli("run", *quick, *RUN, *again)) == plain
    assert len(kept()) == 2
    monkeypatch.setattr("zsadbench.data.loading.batches.read_image", None)
    assert classes(cli("run", *quick, *RUN, *again)) == plain


def test_so_do_the_environment_and_the_settings_file(cli, quick, kept, monkeypatch, tmp_path):
    (tmp_path / "zsadbench.toml").write_text('image_cache = "1 GB"\n')
    classes(cli("run", *quick, *RUN))
    assert len(kept()) == 2
    monkeypatch.setenv("ZSADBENCH_IMAGE_CACHE", "0")
    for entry in kept():
        entry.unlink()
    classes(cli("run", *quick, *RUN, "--overwrite", "always"))
    assert not kept()


def test_training_uses_it_too(cli, small, mini, kept):
    flags = ("--backbone", small, "--weights", "random", "--data-root", mini, "--epochs", 1)
    told = cli("train", "-m", "fbclip", "--aux", "colondb", *flags, "--image-cache", "64M")
    assert told.code == 0, told.err
    assert len(kept()) == 1


@pytest.mark.parametrize("size", ["much", "-1", "3 parsecs", ""])
def test_what_is_no_size_is_refused(cli, quick, size):
    told = cli("run", *quick, *RUN, "--image-cache", size)
    assert told.code == 2
    assert told.error == f"error: --image-cache is '{size}'; it takes a size such as 20GiB or 500MiB"

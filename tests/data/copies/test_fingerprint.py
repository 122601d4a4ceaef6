"""Fingerprints: what they see (every byte, label, split) and what not (place, time, order; names, for pixels)."""

import os
import shutil

import numpy as np
import pytest
from PIL import Image

from zsadbench.data import load_dataset
from zsadbench.data.copies.fingerprint import fingerprint, pixel_fingerprint

FORMATS = {"bmp": {}, "tif": {}, "png": {"compress_level": 0}, "tiff": {"compression": None}}


def picture(seed, mode="RGB"):
    """A noisy picture of 24 × 20 pixels."""
    pixels = np.random.default_rng(seed).integers(0, 256, (20, 24, 3), dtype=np.uint8)
    return Image.fromarray(pixels).convert(mode)


def write_set(root, suffix="bmp", defect="dent", **options):
    """Write a `folder:` set of two good and two bad images, with the masks of the latter; returns the root."""
    for seed, path in enumerate(
        [f"good/{n}.{suffix}" for n in range(2)] + [f"{defect}/{n}.{suffix}" for n in range(2)]
    ):
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        picture(seed).save(file, **options)
        if not path.startswith("good"):
            mask = np.zeros((20, 24), np.uint8)
            mask[seed : seed + 6, 3:9] = 255
            (root / "ground_truth" / defect).mkdir(parents=True, exist_ok=True)
            Image.fromarray(mask).save(root / "ground_truth" / path, **options)
    return root


def load(root):
    return load_dataset(f"folder:{root}")


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("path", ["good/1", "dent/0", "ground_truth/dent/1"])
@pytest.mark.parametrize("same_time", [True, False])
def test_other_pixels_in_as_many_bytes_are_another_set(tmp_path, suffix, path, same_time):
    root = write_set(tmp_path / "set", suffix, **FORMATS[suffix])
    before, file = load(root).fingerprint, root / f"{path}.{suffix}"
    status = file.stat()
    with Image.open(file) as image:
        turned = image.transpose(Image.Transpose.ROTATE_180)
    turned.save(file, **FORMATS[suffix])
    if same_time:
        os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert file.stat().st_size == status.st_size
    assert load(root).fingerprint != before


def test_neither_place_nor_times_nor_order_matter(tmp_path):
    root = write_set(tmp_path / "here/set")
    found = load(root)
    shutil.copytree(root, tmp_path / "there/deeper/set")
    for path in (tmp_path / "there").rglob("*.bmp"):
        os.utime(path, ns=(10**18, 10**18))
    moved = load((tmp_path / "there").rename(tmp_path / "moved") / "deeper/set")
    assert moved.fingerprint == found.fingerprint
    assert fingerprint(found.manifest.iloc[::-1], found.card.positive) == found.fingerprint


@pytest.mark.parametrize(
    ("column", "value"),
    [("label", 1), ("class", "other"), ("split", "train"), ("mask", ""), ("relative", "good/9.bmp")],
)
def test_it_sees_every_field_of_a_sample(tmp_path, column, value):
    found = load(write_set(tmp_path / "set"))
    row = found.manifest.index[found.manifest["defect"] == ("dent" if column == "mask" else "good")][0]
    changed = found.manifest.copy()
    changed.loc[row, column] = value
    assert fingerprint(changed, found.card.positive) != found.fingerprint


def test_two_files_that_change_places_are_another_set(tmp_path):
    root = write_set(tmp_path / "set")
    before = load(root).fingerprint
    one, two = root / "good/0.bmp", root / "good/1.bmp"
    one.rename(root / "kept")
    two.rename(one)
    (root / "kept").rename(two)
    assert load(root).fingerprint != before


def test_the_files_are_hashed_before_their_pixels_are_read(tmp_path):
    found = load(write_set(tmp_path / "set"))
    files = found.files
    assert set(files.rows) == {*found.manifest["path"], *found.manifest["mask"]} - {""}
    assert found.files is files


# ---- pixels alone


def pixels_of(root):
    return pixel_fingerprint(load(root).manifest)


def test_names_folders_and_lossless_formats_do_not_matter_for_pixels(tmp_path):
    found = pixels_of(write_set(tmp_path / "caps"))
    for suffix, options in FORMATS.items():
        root = write_set(tmp_path / suffix / "other", suffix, defect="scratch", **options)
        for number, path in enumerate(sorted(root.glob("good/*"), reverse=True)):
            path.rename(path.with_stem(f"IMG_{number}"))
        assert pixels_of(root) == found
        assert load(root).fingerprint != load(tmp_path / "caps").fingerprint


def as_palette(image):
    return image.quantize(256, dither=Image.Dither.NONE)


@pytest.mark.parametrize("mode", ["RGBA", "opaque LA", "1", "P", "16"])
def test_the_mode_in_the_file_does_not_matter_for_pixels(tmp_path, mode):
    """The same grey picture in RGB and in another mode."""
    grey = Image.fromarray(np.arange(480, dtype=np.uint8).reshape(20, 24) // 128 % 2 * np.uint8(255))
    other = {
        "RGBA": lambda: grey.convert("RGBA"),
        "opaque LA": lambda: grey.convert("LA"),
        "1": lambda: grey.convert("1"),
        "P": lambda: as_palette(grey.convert("RGB")),
        "16": lambda: Image.fromarray(np.asarray(grey).astype(np.uint16) * 257),
    }[mode]()
    hashes = set()
    for name, image in (("one", grey.convert("RGB")), ("two", other)):
        root = write_set(tmp_path / name, "png")
        image.save(root / "good/0.png")
        hashes.add(pixels_of(root))
    assert len(hashes) == 1


def test_transparency_a_pixel_a_label_a_mask_and_the_classes_matter_for_pixels(tmp_path):
    root = write_set(tmp_path / "set", "png")
    manifest = load(root).manifest
    found = {pixel_fingerprint(manifest)}
    first = manifest.index[manifest["defect"] == "good"][0]
    changed = manifest.copy()
    changed.loc[first, "label"] = 1
    found.add(pixel_fingerprint(changed))
    changed = manifest.copy()
    changed.loc[first, "class"] = "another"  # two classes in place of one
    found.add(pixel_fingerprint(changed))
    changed = manifest.copy()
    masked = changed.index[changed["mask"] != ""]
    changed.loc[masked, "mask"] = changed.loc[masked, "mask"].tolist()[::-1]
    found.add(pixel_fingerprint(changed))
    image = picture(0)
    image.putpixel((0, 0), tuple(value ^ 1 for value in image.getpixel((0, 0))))
    image.save(root / "good/0.png")
    found.add(pixel_fingerprint(manifest))
    clear = picture(0).convert("RGBA")
    clear.putpixel((0, 0), (*clear.getpixel((0, 0))[:3], 0))
    clear.save(root / "good/0.png")
    found.add(pixel_fingerprint(manifest))
    assert len(found) == 6


def test_classes_may_be_renamed_for_pixels(tmp_path):
    manifest = load(write_set(tmp_path / "set")).manifest
    named = manifest.assign(**{"class": ["b", "a", "a", "b"]})
    renamed = manifest.assign(**{"class": ["x", "y", "y", "x"]})
    regrouped = manifest.assign(**{"class": ["b", "b", "a", "a"]})
    assert pixel_fingerprint(named) == pixel_fingerprint(renamed)
    assert pixel_fingerprint(named) != pixel_fingerprint(regrouped)

"""Near-duplicates: copies of images are found, similar images are not."""

import io

import numpy as np
import pytest
from PIL import Image

from zsadbench.data import load_dataset
from zsadbench.data.copies.image_hashes import hash_images
from zsadbench.data.images.perceptual_hash import BITS, CLOSE, DETAIL, near_duplicates, perceptual_hash

HALVES = Image.Resampling.BICUBIC


def blobs(seed, size=(320, 240)):
    """A smooth image, another one for every seed."""
    small = np.random.default_rng(seed).integers(0, 256, (12, 12, 3), dtype=np.uint8)
    return Image.fromarray(small).resize(size, Image.Resampling.BICUBIC)


def jpeg(image, quality=75):
    buffer = io.BytesIO()
    image.convert("RGB").save(buffer, "JPEG", quality=quality)
    return Image.open(buffer)


def apart(one, other):
    bits = [np.unpackbits(perceptual_hash(image).bits) for image in (one, other)]
    return int((bits[0] != bits[1]).sum())


def stacked(images):
    return np.stack([perceptual_hash(image).bits for image in images])


COPIES = {
    "jpeg": jpeg,
    "half": lambda image: image.resize((image.width // 2, image.height // 2), HALVES),
    "half jpeg": lambda image: jpeg(image.resize((image.width // 2, image.height // 2), HALVES)),
    "square": lambda image: image.resize((224, 224), HALVES),
    "grey": lambda image: image.convert("L"),
    "brighter": lambda image: image.point(lambda value: min(255, int(value * 1.1))),
}


@pytest.mark.parametrize("copy", COPIES)
def test_a_copy_is_close(copy):
    for seed in range(8):
        assert apart(blobs(seed), COPIES[copy](blobs(seed))) <= CLOSE


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "YCbCr"])
def test_what_counts_is_what_is_seen(mode):
    image = blobs(1).convert(mode)
    assert apart(image, image.convert("RGB")) == 0


def test_other_pictures_are_far():
    hashes = stacked([blobs(seed) for seed in range(30)])
    pairs = near_duplicates(hashes, hashes)
    assert pairs[:, 0].tolist() == pairs[:, 1].tolist() == list(range(30))
    assert not pairs[:, 2].any()


def test_the_transform_by_its_definition():
    """The definition of the hash: 16 × 16 coefficients as sums over pixels, compared with their median."""
    image = blobs(3, (64, 64)).convert("L")
    grey = np.asarray(image, dtype=np.float64)
    place = (np.arange(64) + 0.5) * np.pi / 64
    waves = np.cos(np.arange(1, 17)[:, None] * place)
    expected = waves @ grey @ waves.T
    found = np.unpackbits(perceptual_hash(image).bits).reshape(16, 16).astype(bool)
    assert (found == (expected > np.median(expected))).all()


def test_flat_pictures_show_no_detail():
    rng = np.random.default_rng(0)
    for grey in (0, 128, 255):
        noisy = np.clip(grey + rng.normal(0, 3, (300, 300)), 0, 255).astype(np.uint8)
        assert perceptual_hash(Image.new("RGB", (50, 40), (grey,) * 3)).detail == 0
        assert perceptual_hash(Image.fromarray(noisy)).detail < DETAIL
    ramp = np.tile(np.linspace(100, 140, 400).astype(np.uint8), (400, 1))
    assert perceptual_hash(Image.fromarray(ramp)).detail < DETAIL
    assert perceptual_hash(blobs(0)).detail > DETAIL


def test_pairs_are_those_that_a_loop_finds(monkeypatch):
    rng = np.random.default_rng(1)
    left = rng.integers(0, 256, (17, BITS // 8), dtype=np.uint8)
    right = np.concatenate([left[::2], rng.integers(0, 256, (5, BITS // 8), dtype=np.uint8)])
    for row, flips in zip(right, (0, CLOSE, CLOSE + 1, 3, 90), strict=False):
        bits = np.unpackbits(row)
        bits[rng.permutation(BITS)[:flips]] ^= 1
        row[:] = np.packbits(bits)
    slow = [
        (i, j, d)
        for i, one in enumerate(left)
        for j, other in enumerate(right)
        if (d := int(np.unpackbits(one ^ other).sum())) <= CLOSE
    ]
    assert slow
    for block in (1, 2, 2048):
        monkeypatch.setattr("zsadbench.data.images.perceptual_hash.BLOCK", block)
        assert [tuple(row) for row in near_duplicates(left, right)] == slow


def test_nothing_has_no_pairs():
    none = np.empty((0, BITS // 8), dtype=np.uint8)
    some = stacked([blobs(0)])
    for left, right in ((none, none), (none, some), (some, none)):
        assert near_duplicates(left, right).shape == (0, 3)


@pytest.fixture
def own(tmp_path):
    """`own(name, *images)` saves images as a labelled folder and loads it as `folder:PATH`."""

    def make(name, *images):
        for place, image in enumerate(images):
            path = tmp_path / name / ("good" if place % 2 else "odd") / f"{place}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            image.save(path)
        return load_dataset(f"folder:{tmp_path / name}")

    return make


def hash_file(cache):
    (path,) = (cache / "hashes").iterdir()
    return path


def test_flat_and_unreadable_images_are_counted_and_not_compared(own, tmp_path):
    grey = Image.new("RGB", (64, 64), (120, 120, 120))
    own("set", blobs(0), blobs(1), grey, blobs(2))
    (tmp_path / "set" / "good" / "1.png").write_bytes(b"")
    found = hash_images(load_dataset(f"folder:{tmp_path / 'set'}"))
    assert found.paths == ("good/3.png", "odd/0.png")
    assert (found.flat, found.unreadable) == (1, 1)
    assert (found.hashes == stacked([blobs(2), blobs(0)])).all()


def test_a_second_look_reads_no_image(own, tmp_path, monkeypatch):
    dataset = own("set", *map(blobs, range(4)))
    first = hash_images(dataset)
    monkeypatch.setattr("zsadbench.data.copies.image_hashes.read_image", None)
    again = hash_images(dataset)
    assert again.paths == first.paths
    assert (again.hashes == first.hashes).all()
    rows = dataset.manifest.iloc[[3, 0]]
    part = hash_images(dataset, rows)
    assert set(part.paths) == set(rows["relative"])
    assert (part.hashes == first.hashes[[first.paths.index(path) for path in part.paths]]).all()


@pytest.mark.parametrize("damage", [b"", b"no archive", "half", "flip", "other"])
def test_a_damaged_cache_is_made_anew(own, tmp_path, damage):
    dataset = own("set", *map(blobs, range(4)))
    first = hash_images(dataset)
    path = hash_file(tmp_path / "cache")
    whole = path.read_bytes()
    if damage == "other":
        np.savez(path, hashes=first.hashes[:2], details=np.zeros(2, np.int16), stamp=np.array("x"))
    else:
        middle = len(whole) // 2
        flipped = whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1 :]
        path.write_bytes({"half": whole[:middle], "flip": flipped}.get(damage, damage))
    assert (hash_images(dataset).hashes == first.hashes).all()
    assert hash_file(tmp_path / "cache").read_bytes() == whole
    assert len(list((tmp_path / "cache" / "hashes").iterdir())) == 1


def test_an_image_that_changed_is_looked_at_anew(own, tmp_path):
    dataset = own("set", *map(blobs, range(4)))
    before = hash_images(dataset)
    path = tmp_path / "set" / "odd" / "0.png"
    length = path.stat().st_size
    blobs(9).save(path)
    path.write_bytes(path.read_bytes()[:length].ljust(length, b"\0"))  # PNG readers pass over what follows the end
    after = hash_images(load_dataset(f"folder:{tmp_path / 'set'}"))
    assert before.paths == after.paths
    assert (before.hashes != after.hashes).any(axis=1).tolist() == [path == "odd/0.png" for path in after.paths]


def test_a_cache_that_cannot_be_written_to_costs_nothing_but_time(own, tmp_path):
    dataset = own("set", *map(blobs, range(2)))
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "hashes").write_text("a file where the folder should be")
    assert len(hash_images(dataset).paths) == 2


def test_a_part_of_a_set_is_not_taken_for_the_whole(own, tmp_path):
    dataset = own("set", *map(blobs, range(4)))
    assert len(hash_images(dataset, dataset.manifest.iloc[:2]).paths) == 2
    assert not (tmp_path / "cache" / "hashes").exists()
    assert len(hash_images(dataset).paths) == 4


def saved_again(source, target, shrink):
    with Image.open(source) as image:
        rgb = image.convert("RGB")
    if shrink:
        rgb = rgb.resize((rgb.width // 2, rgb.height // 2), HALVES)
    target.parent.mkdir(parents=True, exist_ok=True)
    rgb.save(target, quality=75)


def real(real_data, name):
    root = {"mvtec": real_data / "mvtec_sample"}.get(name, real_data)
    return load_dataset(name, [root], allow_partial=True)


def test_real_sets_share_no_image(real_data):
    sets = [hash_images(real(real_data, name)) for name in ("mvtec", "brainmri", "colondb")]
    assert [len(one.paths) for one in sets] == [49, 253, 120]
    sets += [hash_images(load_dataset(name)) for name in ("demo", "demo-aux")]
    for place, one in enumerate(sets):
        for other in sets[place + 1 :]:
            assert len(near_duplicates(one.hashes, other.hashes)) == 0


@pytest.mark.parametrize("shrink", [False, True])
@pytest.mark.parametrize("name", ["mvtec", "brainmri", "colondb"])
def test_real_images_saved_anew_are_found(real_data, tmp_path, name, shrink):
    dataset = real(real_data, name)
    some = dataset.manifest.iloc[::7]
    for place, path in enumerate(some["path"]):
        saved_again(path, tmp_path / "again" / ("good" if place % 2 else "odd") / f"{place}.jpg", shrink)
    again = hash_images(load_dataset(f"folder:{tmp_path / 'again'}"))
    pairs = near_duplicates(hash_images(dataset).hashes, again.hashes)
    assert {again.paths[place] for place in pairs[:, 1]} == set(again.paths)
    assert len(again.paths) == len(some)

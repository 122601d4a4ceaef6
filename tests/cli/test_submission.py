"""`zsadbench submission`: the maps of images without labels, at their size, in one archive."""

import io
import json
import shutil
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from zsadbench.data import find_card, synthesise
from zsadbench.data.layouts.hidden import hidden_images
from zsadbench.errors import CellError, DataError
from zsadbench.predict import submission

PARTS = ("test_private", "test_private_mixed")


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    root = tmp_path_factory.mktemp("shelf")
    synthesise("mvtec2", root, 1)
    return root


@pytest.fixture
def root(shelf, tmp_path):
    """A copy of the miniature that has two of its classes."""
    for name in ("can", "vial"):
        shutil.copytree(shelf / "mvtec_ad_2" / name, tmp_path / "data/mvtec_ad_2" / name)
    return tmp_path / "data/mvtec_ad_2"


@pytest.fixture
def write(cli, small, root, tmp_path):
    """`write(*more)` runs the verb on the copy and writes `maps.tar.gz`."""
    flags = ("-m", "clip", "--backbone", small, "--weights", "random", "-t", "mvtec2", "--data-root", root.parent)
    return lambda *more: cli("submission", *flags, "--allow-partial", "--out", tmp_path / "maps.tar.gz", *more)


def content_of(path):
    with tarfile.open(path) as archive:
        return {entry.name: archive.extractfile(entry).read() for entry in archive}


def test_every_image_without_a_label_has_both_maps_at_its_size(write, root, tmp_path):
    told = write("--json")
    assert told.code == 0, told.err
    *classes, done = map(json.loads, told.out.splitlines())
    assert done == {"event": "done", "path": str(tmp_path / "maps.tar.gz"), "images": 8}
    assert [(event["class"], event["images"]) for event in classes] == [("can", 4), ("vial", 4)]
    cuts = {event["class"]: event["threshold"] for event in classes}
    images = [path for part in PARTS for path in root.glob(f"*/{part}/*.png")]
    found = content_of(tmp_path / "maps.tar.gz")
    assert len(found) == 2 * len(images) == 16
    for path in images:
        place = path.relative_to(root).with_suffix("").as_posix()
        anomaly_map = tifffile.imread(io.BytesIO(found[f"anomaly_images/{place}.tiff"]))
        with Image.open(path) as image, Image.open(io.BytesIO(found[f"anomaly_images_thresholded/{place}.png"])) as png:
            assert anomaly_map.shape == (image.height, image.width)
            assert png.size == image.size
            flagged = np.asarray(png)
        assert anomaly_map.dtype == np.float16
        assert flagged.dtype == np.uint8
        assert set(np.unique(flagged)) <= {0, 255}
        apart = np.abs(anomaly_map.astype(np.float64) - cuts[path.parts[-3]]) > 2e-3  # beyond the rounding of float16
        assert ((flagged == 255) == (anomaly_map >= cuts[path.parts[-3]]))[apart].all()


def test_the_maps_and_the_threshold_are_those_of_a_run(cli, write, small, root, tmp_path):
    shutil.copytree(root / "can/test_public/bad", root / "can/test_private", dirs_exist_ok=True)
    told = write("--json")
    cuts = {event["class"]: event["threshold"] for event in map(json.loads, told.out.splitlines()[:-1])}
    flags = ("-m", "clip", "--backbone", small, "--weights", "random", "--aux", "none", "--data-root", root.parent)
    ran = cli("run", *flags, "-t", "mvtec2", "--allow-partial", "--save-maps", "--json")
    record = json.loads(ran.out.splitlines()[0])
    content = json.loads(Path(record["path"]).read_text())
    assert content["provenance"]["thresholds"]["by_class"] == pytest.approx(cuts, rel=1e-6)
    (saved,) = tmp_path.rglob("can/test_public/bad/*.npy")
    stem = saved.name.partition(".")[0]
    name = f"anomaly_images/can/test_private/{stem}.tiff"
    written = tifffile.imread(io.BytesIO(content_of(tmp_path / "maps.tar.gz")[name]))
    evaluated = np.load(saved)
    assert written.min() >= evaluated.min() - 1e-3
    assert written.max() <= evaluated.max() + 1e-3
    assert written.mean() == pytest.approx(evaluated.mean(), abs=5e-3)


def test_the_same_again_gives_the_same_bytes(write, tmp_path):
    assert write().code == 0
    first = (tmp_path / "maps.tar.gz").read_bytes()
    assert write("-q").code == 0
    assert (tmp_path / "maps.tar.gz").read_bytes() == first


def test_what_cannot_be_submitted_is_said_in_one_line(cli, write, root, tmp_path):
    none = cli("submission", "-m", "clip", "-t", "mvtec2", "--data-root", tmp_path / "nowhere")
    assert (none.code, none.error.partition(":")[2].partition(":")[0]) == (3, " mvtec2")
    learns = cli("submission", "-m", "fbclip", "-t", "mvtec2", "--aux", "mvtec_ad_2", "--data-root", root.parent)
    assert learns.error == "error: the method would learn from 'mvtec2' itself; choose another --aux"
    shutil.rmtree(root / "vial/validation")
    assert write().error == "error: mvtec2: vial: no normal validation image, which gives the threshold"
    shutil.rmtree(root / "vial/test_private")
    shutil.rmtree(root / "vial/test_private_mixed")
    assert write().code == 0
    (root / "can/test_private/000_regular.png").write_bytes(b"torn")
    (tmp_path / "maps.tar.gz").unlink()
    torn = write()
    assert (torn.code, "000_regular.png' cannot be read" in torn.error) == (3, True)
    assert not list(tmp_path.glob("*.tar.gz*"))


def test_a_class_or_a_part_that_is_missing_is_named(shelf, root):
    found = submission.find_submission_images("mvtec2", [shelf])
    assert found.classes == tuple(find_card("mvtec2").classes)
    shutil.rmtree(root)
    shutil.copytree(shelf / "mvtec_ad_2", root)
    shutil.rmtree(root / "rice/test_private_mixed")
    with pytest.raises(DataError, match="mvtec2: incomplete: no image of rice/test_private_mixed; in"):
        submission.find_submission_images("mvtec2", [root.parent])
    assert submission.find_submission_images("mvtec2", [root.parent], allow_partial=True).images
    for folder in [*root.glob("*/test_private"), *root.glob("*/test_private_mixed")]:
        shutil.rmtree(folder)
    with pytest.raises(DataError, match="mvtec2: incomplete: no image of can/test_private, "):
        submission.find_submission_images("mvtec2", [root.parent], allow_partial=True)


def test_sets_with_all_labels_and_names_that_collide_are_refused(shelf, root):
    card = find_card("mvtec2")
    with pytest.raises(DataError, match="visa: no test part without labels is known"):
        hidden_images(find_card("visa"), root)
    images = hidden_images(card, shelf / "mvtec_ad_2")
    assert [image.stem for image in images[:3]] == ["000_regular", "001_regular", "000_mixed"]
    assert not hidden_images(replace(card, hidden={"x": "{class}/elsewhere/{stem}.{ext}"}), root)
    shutil.copy(root / "can/test_private/000_regular.png", root / "can/test_private/000_regular.jpg")
    with pytest.raises(DataError, match="would get maps of one name"):
        hidden_images(card, root)
    (root / "can/test_private/000_regular.jpg").unlink()
    (root / "can").rename(root / "tin")
    with pytest.raises(DataError, match="unknown class 'tin'"):
        hidden_images(card, root)


def test_a_map_beyond_float16_is_refused(shelf):
    (image, *_) = hidden_images(find_card("mvtec2"), shelf / "mvtec_ad_2")
    with pytest.raises(CellError, match="values beyond float16"):
        submission._as_tiff(np.full((2, 2), 1e5, np.float32), image)

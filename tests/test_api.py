"""What `import zsadbench` offers."""

import numpy as np
import pytest
from PIL import Image

import zsadbench
from zsadbench.data import synthesise
from zsadbench.errors import DataError, UsageError, WeightsError


@pytest.fixture(scope="module")
def mini(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    synthesise("brainmri", root, 2)
    return root


@pytest.fixture
def small(backbone_file):
    return str(backbone_file(vision={"layers": 12}))


def test_run_and_read_back(mini, small, tmp_path):
    results = zsadbench.run(
        "clip", ["brainmri"], backbone=small, weights="random", data_roots=[mini], out=tmp_path / "results"
    )
    assert results.finished == 1
    frame = results.frame()
    again = zsadbench.read_results(tmp_path / "results")
    assert frame.drop(columns="path").equals(again.drop(columns="path"))
    assert set(again.columns) >= {"method", "target", "class", "seed", "metric", "value"}


def test_run_refuses_arguments_it_does_not_have():
    with pytest.raises(UsageError, match="run\\(\\) takes no argument 'tragets'"):
        zsadbench.run(["clip"], ["visa"], tragets=1)


def test_a_loaded_method_scores_ones_own_images(small, tmp_path):
    method = zsadbench.load_method("fbclip", backbone=small, weights="random", device="cpu", seed=3)
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8))
    picture.save(tmp_path / "one.png")
    scores = method.predict([picture, tmp_path / "one.png", np.asarray(picture)], class_name="bottle cap")
    assert scores.image.shape == (3,)
    assert scores.pixel.shape == (3, 28, 28)
    assert scores.image[0] == scores.image[1] == scores.image[2]
    assert (scores.pixel[0] == scores.pixel[1]).all()


def test_another_seed_is_another_untrained_method(small):
    picture = Image.new("RGB", (28, 28), "green")
    scores = [
        zsadbench.load_method("fbclip", backbone=small, weights="random", device="cpu", seed=seed).predict([picture])
        for seed in (0, 0, 1)
    ]
    assert scores[0].image == scores[1].image
    assert scores[0].image != scores[2].image


def test_a_checkpoint_must_be_there(small):
    with pytest.raises(WeightsError, match="is not a file"):
        zsadbench.load_method("fbclip", backbone=small, weights="random", checkpoint="nowhere.pth")


def test_load_dataset(mini):
    found = zsadbench.load_dataset("brainmri", root=mini)
    assert {"path", "mask", "label", "class", "defect", "split"} <= set(found.manifest.columns)
    assert sorted(found.manifest["label"].unique()) == [0, 1]


def test_metrics_are_there():
    assert zsadbench.metrics.image_auroc([0.1, 0.9], [0, 1]) == 1.0


def test_flags_of_the_command_line_serve_as_arguments(mini, small, tmp_path):
    settled = {"backbone": small, "weights": "random", "out": tmp_path / "results", "data_root": str(mini)}
    results = zsadbench.run("clip", "brainmri", **settled, metric="pixel_aupro@0.05", class_="brain", seed=0)
    assert results.finished == 1
    with pytest.raises(UsageError, match="was given 'data_roots' twice"):
        zsadbench.run("clip", "brainmri", **settled, data_roots=[mini])


def test_one_image_needs_no_list_and_what_is_none_is_refused(small, tmp_path):
    method = zsadbench.load_method("clip", backbone=small, weights="random", device="cpu")
    picture = Image.new("RGB", (28, 28), "green")
    picture.save(tmp_path / "one.png")
    pixels = np.asarray(picture)
    for single in (picture, tmp_path / "one.png", str(tmp_path / "one.png"), pixels, pixels[None]):
        assert method.predict(single).image.shape == (1,)
    empty, many, one, stack = (
        np.zeros(shape, dtype=np.uint8) for shape in ((0, 5, 3), (5, 5, 7), (5, 5, 1), (2, 5, 5))
    )
    for foreign in (pixels / 255, np.zeros(3, dtype=np.uint8), empty, many, one, stack):
        with pytest.raises(DataError, match=r"is no image; give uint8 \(height, width, 3\)"):
            method.predict([foreign])

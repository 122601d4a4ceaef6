"""PromptAD's files, and parity with what the published code computes."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from zsadbench.checkpoints import load_state
from zsadbench.clip import build, resolve
from zsadbench.data import prepare_image, read_mask, resize_mask_as_opencv
from zsadbench.errors import WeightsError
from zsadbench.parity.check import check
from zsadbench.parity.fixture import find_fixtures
from zsadbench.registry import method_card

CARD = method_card("promptad")
WIDTH, JOINT, TEXT_WIDTH = 64, 32, 64  # of the tiny backbone


@pytest.fixture(scope="module")
def fixture(fixtures_root):
    return find_fixtures([fixtures_root / "promptad"])[0]


# --- files -----------------------------------------------------------------------------------------


@pytest.fixture
def files(tmp_path):
    """`files(cls, seg)` writes the files of both trainings and returns their paths."""

    def write(cls, seg):
        paths = []
        for part, content in (("CLS", cls), ("SEG", seg)):
            paths.append(tmp_path / f"{part}-Seed_111-bottle-check_point.pt")
            torch.save(content, paths[-1])
        return paths

    return write


def finished(seed=0):
    generator = torch.Generator().manual_seed(seed)
    rows = {"feature_gallery1": 50, "feature_gallery2": 50}
    state = {name: torch.randn(n, WIDTH, generator=generator).half() for name, n in rows.items()}
    return state | {"text_features": torch.randn(2, JOINT, generator=generator).half()}


def learned(normal):
    contexts = torch.ones(normal, 4, TEXT_WIDTH), torch.ones(4, 1, TEXT_WIDTH)
    return {f"prompt_learner.{side}_ctx": tensor for side, tensor in zip(("normal", "abnormal"), contexts, strict=True)}


def test_both_files_are_read_in_any_order_and_fit_a_detector(files, tiny_backbone, tiny_images):
    paths = files(finished(1), finished(1))
    for given in (paths, paths[::-1]):
        state = CARD.official.read(given)
        assert all(tensor.dtype == torch.float32 for tensor in state.values())
        detector = CARD.build(tiny_backbone, CARD.options())
        load_state(detector.network, state, "the files")
        with torch.no_grad():
            scores = detector.score(detector.encode(tiny_images, ["bottle"] * 3), ["bottle"] * 3)
        assert scores.pixel.isfinite().all()
        assert detector.banks().keys() == {"bank_1", "bank_2"}


def test_learned_vectors_and_finished_text_may_be_mixed(files, tiny_backbone):
    state = CARD.official.read(files(learned(3), finished()))
    assert state.keys() == {"cls.normal", "cls.abnormal", "seg.text_features", "bank_1", "bank_2"}
    load_state(CARD.build(tiny_backbone, CARD.options()).network, state, "the files")


def test_the_vectors_that_a_test_run_adds_are_initial_ones_and_not_read(files):
    state = CARD.official.read(files(finished() | learned(3), finished() | learned(1)))
    assert state.keys() == {"cls.text_features", "seg.text_features", "bank_1", "bank_2"}


def test_one_file_finds_the_other(files):
    paths = files(learned(3), learned(1))
    for path in paths:
        assert sorted(CARD.official.companions(path)) == sorted(paths)
    paths[1].unlink()
    assert CARD.official.companions(paths[0]) == [paths[0]]


def test_other_files_are_refused(files, tmp_path, fixtures_root, tiny_backbone):
    paths = files(learned(3), {"text_features": torch.zeros(2, JOINT)})
    with pytest.raises(WeightsError, match="two checkpoint files per class"):
        CARD.official.read(paths[:1])
    with pytest.raises(WeightsError, match="feature_gallery1 is missing"):
        CARD.official.read(paths)
    paths = files({"prompt_learner.normal_ctx": torch.zeros(3, 4, 8)}, learned(1))
    with pytest.raises(WeightsError, match=r"prompt_learner\.abnormal_ctx is missing"):
        CARD.official.read(paths)
    with pytest.raises(WeightsError, match="two checkpoint files per class"):
        CARD.official.read([fixtures_root / "fbclip" / "checkpoint.pth"])
    state = CARD.official.read(files(learned(2), learned(1)))
    with pytest.raises(WeightsError, match=r"'cls\.normal' has shape \[2, 4, 64\]"):
        load_state(CARD.build(tiny_backbone, CARD.options()).network, state, "the files")


def test_published_files_without_vectors_give_score_and_map(fixture):
    about = fixture.about
    spec = resolve(str(fixture.path("../backbone.json")), str(fixture.path("../backbone.safetensors")), offline=True)
    detector = CARD.build(build(spec, about["image_size"]), CARD.options())
    paths = [fixture.path(name) for name in about["published_checkpoint_files"]]
    load_state(detector.network, CARD.official.read(paths), "the files")
    inputs, expected = (load_file(fixture.folder / f"{name}.safetensors") for name in ("inputs", "expected"))
    with torch.no_grad():
        scores = detector.score(detector.encode(inputs["images"], ["metal_nut"] * 3), ["metal_nut"] * 3)
    assert (scores.image - expected["score"]).abs().max() <= 1e-5
    assert (scores.pixel - expected["map_grid"]).abs().max() <= 1e-5


# --- parity ----------------------------------------------------------------------------------------


def test_every_tensor_is_far_within_its_tolerance(fixture):
    report = check(fixture)
    assert {stage.name for stage in report.stages} == load_file(fixture.folder / "expected.safetensors").keys()
    assert report.passed
    for stage in report.stages:
        bound = 1e-5 if stage.name.startswith(("loss", "score", "map", "published")) else 3e-5
        assert stage.deviation <= bound, stage.name


def failing(fixture, *options):
    return {stage.name for stage in check(fixture, options).stages if not stage.passed}


@pytest.mark.slow  # tests/parity/test_every_option.py changes every option
@pytest.mark.parametrize(
    "option",
    [
        *("pairing=all", "abnormal_place=after", "states=generic", "memory_blocks=5,9", "memory_point=input"),
        *("values=false", "temperature=exp", "fusion=mean", "resolution=112", "activation=gelu"),
    ],
)
def test_any_other_setting_fails(fixture, option):
    assert failing(fixture, option)


@pytest.mark.slow  # tests/parity/test_every_option.py changes every option
@pytest.mark.parametrize("option", ["match_weight=0.1", "margin=0.5", "triplet=patches"])
def test_any_other_training_fails_in_the_losses_alone(fixture, option):
    found = failing(fixture, option)
    assert found
    assert all(name.startswith(("loss_", "gradnorm_")) for name in found)


@pytest.mark.parametrize("option", ["normal_cls=2", "normal_seg=2", "abnormal=3", "context=5", "abnormal_context=2"])
def test_the_files_have_their_own_numbers_of_vectors(fixture, option):
    with pytest.raises(WeightsError):
        check(fixture, (option,))


@pytest.mark.parametrize(
    ("key", "value", "begins"),
    [
        ("lr", 0.02, ("loss_curve", "loss_after")),
        ("momentum", 0.0, ("loss_curve", "loss_after")),
        ("lambda_match", 1.0, ("loss_", "gradnorm")),
    ],
)
def test_the_training_of_the_fixture_is_obeyed(fixture, key, value, begins):
    about = json.loads((fixture.folder / "fixture.json").read_text())
    about["training"][key] = value
    found = {stage.name for stage in check(type(fixture)(fixture.folder, about)).stages if not stage.passed}
    assert found
    assert all(name.startswith(begins) for name in found)


# --- images and recipe -----------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "preprocessing"), [("support_image", "opencv_rgb"), ("test_image", "opencv_bgr")])
def test_images_are_read_as_published(fixture, name, preprocessing):
    expected = load_file(fixture.folder / "preprocess.safetensors")[name].numpy()
    read = prepare_image(fixture.folder / "photo.png", expected.shape[-1], preprocessing)
    assert np.abs(read - expected).max() <= 0.016, "OpenCV rounds its weights"
    other = prepare_image(fixture.folder / "photo.png", expected.shape[-1], "rgb_first")
    assert np.abs(other - expected).max() > 0.02


def test_masks_are_resized_as_published(fixture):
    expected = load_file(fixture.folder / "preprocess.safetensors")["mask_400"].numpy()
    assert (resize_mask_as_opencv(read_mask(fixture.folder / "photo_mask.png", "!= 0"), 400) == expected).all()


def test_the_recipe_is_the_published_one():
    seg, cls = CARD.recipe, CARD.recipe.before
    assert (cls.stage, seg.stage, cls.before) == ("cls", "seg", None)
    for recipe in (cls, seg):
        assert (recipe.optimiser, recipe.lr, recipe.momentum, recipe.weight_decay) == ("sgd", 0.002, 0.9, 5e-4)
        assert (recipe.epochs_else, recipe.batch, recipe.cosine_to, recipe.on_supports) == (100, 400, 1e-5, True)
    (protocol,) = CARD.protocols
    assert (protocol.map_side, protocol.seeds, protocol.across_images) == (400, (111,), "none")
    assert "last epoch" in protocol.checkpoint

"""AA-CLIP's published files, and parity with what the published code computes."""

import json

import pytest
import torch
from safetensors.torch import load_file

from zsadbench.checkpoints import load_state
from zsadbench.errors import WeightsError
from zsadbench.parity.check import check
from zsadbench.parity.fixture import find_fixtures
from zsadbench.registry import method_card
from zsadbench_methods.aaclip.about import published_names

CARD = method_card("aaclip")


@pytest.fixture(scope="module")
def fixture(fixtures_root):
    return find_fixtures([fixtures_root / "aaclip"])[0]


@pytest.fixture
def published(widened, tmp_path):
    """`published(leave_out=None, relu=False)` writes both files as the published training does."""

    def write(leave_out=None, *, relu=False, epoch=20):
        state = widened("aaclip", relu=relu).network.state_dict()
        names = {theirs: ours for theirs, ours in published_names(relu=relu).items() if theirs != leave_out}
        paths = []
        for entry, name in (("text_adapter", "text_adapter.pth"), ("image_adapter", f"image_adapter_{epoch}.pth")):
            start, path = f"{entry}.", tmp_path / name
            tensors = {t.removeprefix(start): state[o].clone() for t, o in names.items() if t.startswith(start)}
            torch.save({"epoch": 5, entry: tensors, entry.replace("adapter", "optimizer"): {"state": {}}}, path)
            paths.append(path)
        return paths, state

    return write


@pytest.mark.parametrize("relu", [False, True])
def test_both_published_files_are_read_in_any_order(published, widened, relu):
    paths, state = published(relu=relu)
    for given in (paths, paths[::-1]):
        read = CARD.official.read(given)
        assert read.keys() == state.keys()
        assert all(torch.equal(read[name], tensor) for name, tensor in state.items())
        load_state(widened("aaclip", relu=relu).network, read, "the files")


@pytest.mark.parametrize("name", sorted(CARD.official.names()))
def test_a_missing_tensor_is_named(published, name):
    paths, _ = published(leave_out=name)
    entry, _, rest = name.partition(".")
    with pytest.raises(WeightsError, match=rf"{entry}.*no complete AA-CLIP checkpoint: {rest} is missing"):
        CARD.official.read(paths)


def test_other_files_are_refused(published, fixtures_root):
    (text, image), _ = published()
    for given in ([text], [text, image, image]):
        with pytest.raises(WeightsError, match="publishes two checkpoint files"):
            CARD.official.read(given)
    for given in ([text, text], [image, image], [text, fixtures_root / "fbclip" / "checkpoint.pth"]):
        with pytest.raises(WeightsError, match="no AA-CLIP checkpoint"):
            CARD.official.read(given)


def test_the_other_file_is_found_beside_one_of_them(published):
    paths, _ = published()
    text, image = paths
    assert list(CARD.official.companions(image)) == [image, text]
    later = published(epoch=3)[0][1].rename(image.with_name("image_adapter_100.pth"))
    assert list(CARD.official.companions(text)) == [text, later], "the last epoch, by number"
    text.unlink()
    assert list(CARD.official.companions(image)) == [image]


# --- parity ----------------------------------------------------------------------------------------

BOUNDS = {"map_grid": 2e-4, "map_smooth": 2e-4, "map_max": 2e-4, "medical_map_smooth": 2e-4, "medical_map_max": 2e-4}


def test_every_tensor_is_far_within_its_tolerance(fixture):
    report = check(fixture)
    assert {stage.name for stage in report.stages} == load_file(fixture.folder / "expected.safetensors").keys()
    assert report.passed
    for stage in report.stages:
        bound = stage.allowed / 20 if stage.name.startswith("gradnorm") else BOUNDS.get(stage.name, 4e-5)
        assert stage.deviation <= bound, stage.name


def differing(fixture, options=(), *, trained=False, **settings):
    """The tensors that come out differently under other options or settings of the fixture."""
    about = json.loads((fixture.folder / "fixture.json").read_text())
    about["options"] |= settings
    if not trained:
        del about["training"]
    report = check(type(fixture)(fixture.folder, about), options)
    return {stage.name for stage in report.stages if stage.deviation is not None and not stage.passed}


@pytest.mark.slow  # tests/parity/test_every_option.py changes every option
@pytest.mark.parametrize(
    "option",
    [
        *("text_share=0.2", "image_share=0.2", "logit_scale=90", "corners=false", "position=bicubic"),
        *("position=bilinear", "activation=native", "score_share=0.3"),
    ],
)
def test_any_other_setting_fails(fixture, option):
    assert differing(fixture, (option,))


@pytest.mark.slow  # tests/parity/test_every_option.py changes every option
@pytest.mark.parametrize(
    ("option", "begins"),
    [
        ("surgery=vv_tokens", ("surgery", "loss_text", "gradnorm/text")),
        ("surgery=none", ("surgery", "loss_text", "gradnorm/text")),
        ("surgery_from=7", ("surgery", "loss_text", "gradnorm/text")),
        ("text_layers=all", ("loss_text", "gradnorm/text")),
        ("orthogonality_weight=1", ("loss_text", "gradnorm/text")),
        ("image_scale=10", ("loss_image", "gradnorm/image")),
        ("focal_gamma=3", ("loss_", "gradnorm/")),
    ],
)
def test_any_other_training_fails_where_it_should(fixture, option, begins):
    found = differing(fixture, (option,), trained=True)
    assert found
    assert all(name.startswith(begins) for name in found)


@pytest.mark.parametrize("option", ["layers=6,12,18", "text_adapters=2", "image_adapters=5", "relu=true"])
def test_the_checkpoint_has_its_own_parts(fixture, option):
    with pytest.raises(WeightsError):
        check(fixture, (option,))


def test_the_words_of_the_fixture_are_obeyed(fixture):
    words = {"metal_nut": "nut", "wood": "wood surface"}
    assert "text_features" in differing(fixture, descriptive_names=words)


# --- recipe ----------------------------------------------------------------------------------------


def test_the_recipe_is_the_published_one():
    image, text = CARD.recipe, CARD.recipe.before
    assert (text.stage, text.lr, text.batch, text.epochs_else, text.halve_at) == ("text", 1e-5, 16, 5, ())
    assert (image.stage, image.lr, image.batch, image.epochs_else) == ("image", 5e-4, 2, 20)
    assert image.halve_at == (16000, 32000)
    for recipe in (image, text):
        assert (recipe.optimiser, recipe.betas, recipe.image_size) == ("adam", (0.5, 0.999), 518)
        assert recipe.mask == "nonzero-nearest"
    assert CARD.augments

"""What verbs without a target learn from: one default for all of them."""

import pytest
from PIL import Image

from zsadbench.errors import UsageError

DEFAULTS = [
    ((), "mvtec"),
    (("--backbone", "demo"), "demo-aux"),
    (("--weights", "demo"), "demo-aux"),
    (("--backbone", "demo", "--aux", "visa"), "visa"),
]


@pytest.fixture
def photo(tmp_path):
    """One's own image."""
    Image.new("RGB", (60, 40), "red").save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


@pytest.fixture
def request_of(cli, monkeypatch, photo):
    """`request_of("predict", *flags)` → the request that the verb comes to, where it then stops."""

    def come(verb, *flags):
        asked = []

        def stop(request, *more, **options):
            asked.append(request)
            raise UsageError("stopped")

        for place in ("predict.detector.make_detector", "engine.train.train_all"):
            monkeypatch.setattr(f"zsadbench.{place}", stop)
        images = () if verb == "train" else (photo,)
        assert cli(verb, "-m", "fbclip", *flags, *images).error == "error: stopped"
        return asked[0]

    return come


@pytest.mark.parametrize("verb", ["predict", "explain", "train"])
@pytest.mark.parametrize(("flags", "name"), DEFAULTS, ids=["nothing", "backbone", "weights", "named"])
def test_the_demo_backbone_learns_from_its_own_set_and_others_from_mvtec(request_of, verb, flags, name):
    request = request_of(verb, *flags)
    assert (request.aux, request.targets) == (name, (name,))


@pytest.mark.parametrize("verb", ["predict", "explain", "train"])
def test_the_environment_stands_above_the_default(request_of, monkeypatch, verb):
    monkeypatch.setenv("ZSADBENCH_AUX", "visa")
    assert request_of(verb, "--backbone", "demo").aux == "visa"


@pytest.mark.parametrize("verb", ["predict", "explain"])
def test_a_checkpoint_has_learned_already(request_of, verb):
    assert request_of(verb, "--checkpoint", "mine.safetensors", "--aux", "none").aux is None


@pytest.mark.parametrize("verb", ["predict", "explain"])
def test_nothing_to_learn_from_is_no_name_of_a_data_set(cli, photo, verb):
    told = cli(verb, "-m", "fbclip", "--aux", "none", "--offline", photo)
    assert told.code == 4, told.err
    assert "openai" in told.error

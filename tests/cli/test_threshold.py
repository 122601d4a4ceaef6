"""`zsadbench threshold fit` and `threshold check` on generated images, and their bad inputs."""

import json

import numpy as np
import pytest
from PIL import Image

from zsadbench.thresholds import read_threshold

CLIP = ("-m", "clip", "--backbone", "demo")


def write_images(folder, seeds, shade=128):
    folder.mkdir(parents=True, exist_ok=True)
    for seed in seeds:
        pixels = np.random.default_rng(seed).integers(shade - 40, shade + 40, (24, 24, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{seed:03}.png")
    return folder


@pytest.fixture
def good(tmp_path):
    return write_images(tmp_path / "good", range(20))


@pytest.fixture
def fitted(cli, good):
    told = cli("threshold", "fit", *CLIP, "--normal", good, "-o", "t.json")
    assert told.code == 0, told.err
    return told


def test_a_threshold_is_fitted_on_normal_images(cli, fitted, good, tmp_path):
    assert "with a probability of at most 5 %, on average over 20 normal images" in fitted.out
    assert "warning: the demo backbone" in fitted.err
    threshold = read_threshold(tmp_path / "t.json")
    assert threshold.detector["method"] == "clip"
    assert threshold.class_name == "object"
    assert threshold.fitted_on["normal"]["images"] == 20
    events = [json.loads(line) for line in cli("predict", *CLIP, good, "--json").out.splitlines()]
    for level, key in (("image", "score"), ("pixel", "highest")):
        values = sorted(event[key] for event in events)
        assert getattr(threshold, level).threshold == pytest.approx(values[-1], rel=1e-6)
    assert threshold.image.recall is None


def test_recall_is_stated_with_defective_images(cli, good, tmp_path):
    bad = write_images(tmp_path / "bad", range(100, 108), shade=200)
    flags = ("--normal", good, "--defective", bad, "--alpha", "0.1", "-o", "t.json", "--json")
    told = cli("threshold", "fit", *CLIP, *flags)
    assert told.code == 0, told.err
    said = json.loads(told.out)
    assert said["event"] == "threshold"
    for level in ("image", "pixel"):
        assert said[level]["fit"]["alpha"] == 0.1
        assert said[level]["recall"]["defective"] == 8
        assert 0 <= said[level]["recall"]["low"] <= said[level]["recall"]["value"] <= said[level]["recall"]["high"] <= 1


def test_new_images_are_checked_with_the_detector_of_the_file(cli, fitted, good, tmp_path):
    new = write_images(tmp_path / "new", range(200, 212))
    told = cli("threshold", "check", "t.json", new, "--json")
    assert told.code == 0, told.err
    found = json.loads(told.out)["image"]
    assert (found["images"], found["verdict"]) == (12, "fits")
    assert found["low"] <= found["rate"] <= found["high"]
    write_images(new, range(3))  # three of the fit among them
    told = cli("threshold", "check", "t.json", new)
    assert "3 images of the fit are left out" in told.err
    assert "of 12 normal images are above the threshold" in told.out


def test_images_that_changed_do_not_fit(cli, fitted, tmp_path):
    threshold = json.loads((tmp_path / "t.json").read_text())
    threshold["image"]["fit"]["threshold"] = -1.0  # as if every new image scored higher
    (tmp_path / "t.json").write_text(json.dumps(threshold))
    told = cli("threshold", "check", "t.json", write_images(tmp_path / "new", range(200, 212)))
    assert told.code == 1
    assert "12 of 12 normal images are above the threshold: 100 %" in told.out
    assert "something has changed" in told.out


def test_reference_images_and_tiles_are_part_of_the_threshold(cli, good, tmp_path):
    winclip = ("-m", "winclip", "--backbone", "demo")
    shots = write_images(tmp_path / "shots", range(2))  # two of the normal images
    few_shot = ("--reference", shots, "--tile", "16")
    told = cli("threshold", "fit", *winclip, *few_shot, "--normal", good, "-o", "t.json")
    assert told.code == 3, "two of twenty do not count"
    assert "18 normal images are too few" in told.error
    assert cli("threshold", "fit", *winclip, *few_shot, "--normal", good, "--alpha", "0.1", "-o", "t.json").code == 0
    threshold = read_threshold(tmp_path / "t.json")
    assert threshold.detector["tiles"] == [16, 4]
    new = write_images(tmp_path / "new", range(200, 203))
    told = cli("threshold", "check", "t.json", new, "--reference", shots)
    assert told.code == 0, told.err
    told = cli("threshold", "check", "t.json", new)
    assert (told.code, "another set of reference images" in told.error) == (2, True)
    used = ("--threshold", "t.json", "--out", "out")
    assert cli("predict", *winclip, *few_shot, *used, new).code == 0
    told = cli("predict", *winclip, *few_shot[:2], *used, new)
    assert (told.code, "another size of tiles" in told.error) == (2, True)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("-m", "winclip"), "another method: 'clip', not 'winclip'"),
        (("--image-size", "60"), "another input size: 120, not 60"),
        (("-O", "temperature=0.5"), "another options of the method"),
    ],
)
def test_a_check_with_another_detector_is_refused(cli, fitted, tmp_path, flags, said):
    told = cli("threshold", "check", "t.json", write_images(tmp_path / "new", [300]), *flags)
    assert told.code == 2
    assert said in told.error


def test_another_checkpoint_and_its_export_under_another_name(cli, good, mini, small, monkeypatch, tmp_path):
    """The parameters decide, not the file that they come from."""
    monkeypatch.setenv("ZSADBENCH_DATA", str(mini))
    fbclip = ("-m", "fbclip", "--backbone", small, "--weights", "random")
    for seed in (0, 1):
        told = cli("train", *fbclip, "--aux", "colondb", "--epochs", "1", "--seed", seed, "--out", f"seed{seed}")
        assert told.code == 0, told.err
    name = "fbclip-colondb-seed{0}.safetensors"
    first = ("--checkpoint", tmp_path / "seed0" / name.format(0))
    assert cli("threshold", "fit", *fbclip, *first, "--normal", good, "-o", "t.json").code == 0
    new = write_images(tmp_path / "new", range(200, 203))
    assert cli("checkpoints", "export", first[1], "-o", "exported.safetensors").code == 0
    told = cli("threshold", "check", "t.json", new, "--checkpoint", "exported.safetensors")
    assert told.code == 0, told.err
    told = cli("threshold", "check", "t.json", new, "--checkpoint", tmp_path / "seed1" / name.format(1))
    assert told.code == 2
    assert "another checkpoint" in told.error


@pytest.mark.parametrize(
    ("flags", "code", "said"),
    [
        (("--normal", "few"), 3, "5 normal images are too few for a false-alarm rate of 5 %: at least 19 are needed"),
        (("--normal", "few", "--alpha", "0.01"), 3, "at least 99 are needed"),
        (("--normal", "copies"), 3, "5 normal images are too few"),
        (("--normal", "good", "--alpha", "0"), 2, "between 0 and 1"),
        (("--normal", "good", "--alpha", "5"), 2, "between 0 and 1"),
        (("--normal", "good", "--alpha", "x"), 2, "--alpha"),
        (("--normal", "nowhere"), 3, "nowhere"),
        (("--normal", "empty"), 3, "no image"),
        (("--normal", "both"), 3, "normal and defective images in separate folders"),
        (("--normal", "folder:good"), 2, "--class-name sets the word"),
        (("--normal", "good", "--defective", "good"), 3, "is a defective image and"),
        (("--normal", "good", "--defective", "nowhere"), 3, "nowhere"),
        (("--normal", "broken"), 3, "no threshold without these images"),
        (("--normal", "good", "--overlap", "4"), 2, "pass --tile too"),
        (("--normal", "good", "--reference", "nowhere"), 3, "--reference 'nowhere' is no folder"),
        (("--normal", "good", "-m", "musc"), 2, "scores images of a class together"),
        (("--normal", "good", "-m", "nope"), 2, "no method named 'nope'"),
        (("--normal", "good", "--weights", "nowhere.pt"), 4, "nowhere.pt"),
        (("--normal", "good", "-o", "good"), 2, "it is a folder"),
        ((), 2, "--normal"),
    ],
)
def test_bad_input_of_fit(cli, good, tmp_path, flags, code, said):
    write_images(tmp_path / "few", range(5))
    write_images(tmp_path / "both" / "good", range(20))
    write_images(tmp_path / "both" / "dent", range(20, 22))
    write_images(tmp_path / "broken", range(30))
    (tmp_path / "broken" / "no.png").write_bytes(b"no image")
    (tmp_path / "empty").mkdir()
    (tmp_path / "copies").mkdir()
    for number in range(40):
        (tmp_path / "copies" / f"{number}.png").write_bytes((tmp_path / "few" / f"{number % 5:03}.png").read_bytes())
    out = () if "-o" in flags else ("-o", "t.json")
    model = CLIP[2:] if "-m" in flags else CLIP
    told = cli("threshold", "fit", *model, *flags, *out)
    assert told.code == code, told.err
    assert said in told.err
    assert told.error
    assert not (tmp_path / "t.json").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("nowhere.json", "new"), 2, "is no file"),
        (("new/200.png", "new"), 2, "is no threshold file"),
        (("t.json", "nowhere"), 3, "nowhere"),
        (("t.json", "good"), 3, "give new ones"),
        (("t.json",), 2, "Missing argument"),
    ],
)
def test_bad_input_of_check(cli, fitted, tmp_path, arguments, code, said):
    write_images(tmp_path / "new", [200])
    told = cli("threshold", "check", *arguments)
    assert told.code == code, told.err
    assert said in told.error

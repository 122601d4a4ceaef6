"""Support images of a few-shot run that are test images are a leak, whatever their file is called or packed as."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from zsadbench.data import load_dataset
from zsadbench.engine.plan.jobs import make_plan
from zsadbench.engine.plan.supports import choose_supports
from zsadbench.engine.record.leakage import check, leak_of
from zsadbench.engine.record.support_images import compare_supports
from zsadbench.engine.run import run_plan
from zsadbench.records import validate


def picture(seed, flat=False):
    """A photograph-like image: smooth random patches; or a flat one with a single bright pixel."""
    draw = np.random.default_rng(seed)
    if flat:
        pixels = np.full((96, 96, 3), 120, np.uint8)
        pixels[tuple(draw.integers(0, 96, 2))] = 255
        return Image.fromarray(pixels)
    tiny = Image.fromarray(draw.integers(0, 256, (12, 12, 3), dtype=np.uint8))
    return tiny.resize((192, 160), Image.Resampling.BICUBIC)


def save(image, path, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)


@pytest.fixture
def caps(tmp_path):
    """`caps(flat)`: a labelled folder of three test images per label, still without training images."""

    def make(flat=False):
        root = tmp_path / "caps"
        for number in range(3):
            save(picture(number, flat), root / "test" / "good" / f"{number}.png")
            save(picture(10 + number, flat), root / "test" / "dent" / f"{number}.png")
            mask = Image.fromarray(np.pad(np.full((8, 8), 255, np.uint8), 8))
            save(mask.resize(picture(0, flat).size), root / "ground_truth" / "dent" / f"{number}_mask.png")
        return root

    return make


def same_file(root, source):
    (root / "train" / "good").mkdir(parents=True)
    shutil.copy(source, root / "train" / "good" / "t0.png")


def packed_otherwise(root, source):
    save(Image.open(source), root / "train" / "good" / "other.png", compress_level=1)


def as_bitmap(root, source):
    save(Image.open(source), root / "train" / "good" / "other.bmp")


def as_jpeg(root, source):
    save(Image.open(source), root / "train" / "good" / "other.jpg", quality=85)


def smaller(root, source):
    save(Image.open(source).resize((96, 80)), root / "train" / "good" / "other.png")


def compared(root, limit=None):
    name = f"folder:{root}"
    training, target = load_dataset(name, splits=("train",)), load_dataset(name)
    supports = choose_supports(training, target.classes, len(training.manifest), 0)
    rows = target.manifest if limit is None else target.manifest.head(limit)
    return compare_supports(supports, target, rows, 1, 10)


@pytest.mark.parametrize("copy", [same_file, packed_otherwise, as_bitmap, as_jpeg, smaller])
@pytest.mark.parametrize("label", ["good", "dent"])
def test_a_support_that_is_a_test_image_is_found_and_named(caps, copy, label):
    root = caps()
    copy(root, root / "test" / label / "1.png")
    found = compared(root)
    assert (found["pairs"], found["support_images"], found["target_images"]) == (1, 1, 1)
    (example,) = found["examples"]
    assert example["target"] == f"test/{label}/1.png"
    assert example["support"].startswith("train/good/")
    assert found["compared"] == {"supports": 1, "target": 6}


@pytest.mark.parametrize("copy", [same_file, packed_otherwise, as_bitmap])
def test_images_without_detail_are_compared_by_their_pixels(caps, copy):
    root = caps(flat=True)
    copy(root, root / "test" / "good" / "2.png")
    assert [each["target"] for each in compared(root)["examples"]] == ["test/good/2.png"]


@pytest.mark.parametrize("flat", [False, True])
def test_other_images_are_no_leak(caps, flat):
    root = caps(flat)
    save(picture(77, flat), root / "train" / "good" / "0.png")
    assert (compared(root)["pairs"], compared(root)["examples"]) == (0, [])


def test_pairs_are_counted_and_a_few_are_named(caps):
    root = caps()
    for number in range(3):
        save(picture(number), root / "train" / "good" / f"{number}.png")
    name = f"folder:{root}"
    training, target = load_dataset(name, splits=("train",)), load_dataset(name)
    found = compare_supports(choose_supports(training, target.classes, 3, 0), target, target.manifest, 1, 2)
    assert (found["pairs"], len(found["examples"])) == (3, 2)


@pytest.fixture
def few_shot(request_for):
    """`few_shot(root, shots)`: the request of a run of AF-CLIP+ that learned nothing, on the demo backbone."""

    def make(root, shots=1):
        settled = {"methods": ("afclip",), "aux": "none", "shots": (shots,), "data_roots": ()}
        return request_for(**settled, targets=(f"folder:{root}",), epochs=None, backbone="demo", weights=None)

    return make


def ledger_of(request):
    (job,) = make_plan(request).jobs
    return check(job, request)


def test_the_ledger_calls_it_a_leak(few_shot, caps):
    root = caps()
    same_file(root, root / "test" / "good" / "0.png")
    ledger = ledger_of(few_shot(root))
    assert (ledger["grade"], ledger["leak"], ledger["images"]) == ("same-images", True, None)
    assert leak_of(ledger) == (
        "1 of its images is among the support images, such as 'test/good/0.png' ('train/good/t0.png')"
    )


def test_the_ledger_of_other_supports_is_clean(few_shot, caps):
    root = caps()
    save(picture(77), root / "train" / "good" / "0.png")
    ledger = ledger_of(few_shot(root))
    assert (ledger["grade"], ledger["leak"], leak_of(ledger)) == ("clean", False, "")
    assert ledger["supports"]["compared"] == {"supports": 1, "target": 6}


def test_a_run_without_supports_compares_none(few_shot, caps):
    assert "supports" not in ledger_of(few_shot(caps(), shots=0))


def test_the_record_of_such_a_run_is_not_comparable(few_shot, caps):
    root = caps()
    same_file(root, root / "test" / "good" / "0.png")
    plan = make_plan(few_shot(root))
    ((path, record),) = run_plan(plan).records
    assert (record.comparable, record.ledger["leak"]) == (False, True)
    assert any("among the support images" in reason for reason in record.not_comparable_because)
    content = json.loads(path.read_text())
    validate(content)

"""Leakage, what a detector may have seen of its target, is graded and counted in the record."""

import json
from dataclasses import replace

import jsonschema
import numpy as np
import pytest
from PIL import Image

from zsadbench.cli.shared.progress import Progress
from zsadbench.data import load_dataset, synthesise
from zsadbench.engine.plan.jobs import make_plan
from zsadbench.engine.record import leakage
from zsadbench.engine.record.leakage import check
from zsadbench.engine.run import run_plan
from zsadbench.errors import UsageError
from zsadbench.records import SCHEMA, validate


@pytest.fixture(scope="session")
def polyps(tmp_path_factory):
    """A data root with miniatures of the four polyp sets and of isic."""
    root = tmp_path_factory.mktemp("polyps")
    for name in ("clinicdb", "colondb", "kvasir", "endo", "isic"):
        synthesise(name, root, 3)
    return root


@pytest.fixture
def ledger_of(request_for, polyps):
    """`ledger_of(aux, target, **changes)` plans FB-CLIP and returns its ledger, valid under the schema."""

    def make(aux, target, **changes):
        request = request_for(**{"aux": aux, "targets": (target,), "data_roots": (polyps,), **changes})
        (job,) = make_plan(request).jobs
        return valid(check(job, request))

    return make


def valid(ledger):
    """Return the ledger after a check against the schema of records."""
    from importlib.resources import files

    schema = json.loads(files("zsadbench").joinpath("record.schema.json").read_text())
    assert schema["properties"]["schema"]["const"] == SCHEMA
    jsonschema.validate(ledger, {"$defs": schema["$defs"], **schema["properties"]["ledger"]})
    json.dumps(ledger, allow_nan=False)
    return ledger


def copies(source, folder, count=1, others=2):
    """Write a labelled folder: half-size JPEGs of the first `count` images of a set, and `others` random images."""
    rng = np.random.default_rng(7)
    paths = [folder / ("good" if k % 2 else "odd") / f"{k}.jpg" for k in range(count + others)]
    for k, path in enumerate(paths):
        path.parent.mkdir(parents=True, exist_ok=True)
        if k < count:
            with Image.open(source.manifest["path"][k]) as image:
                picture = image.convert("RGB").resize((image.width // 2, image.height // 2), Image.Resampling.BICUBIC)
        else:
            tiny = Image.fromarray(rng.integers(0, 256, (12, 12, 3), dtype=np.uint8))
            picture = tiny.resize((200, 160), Image.Resampling.BICUBIC)
        picture.save(path, quality=90)
    return f"folder:{folder}"


@pytest.fixture
def copied(polyps, tmp_path):
    """A folder of three images, one of them from colondb."""
    return copies(load_dataset("colondb", [polyps]), tmp_path / "own")


@pytest.mark.parametrize(
    ("aux", "target", "grade"),
    [
        ("isic", "colondb", "clean"),
        ("colondb", "kvasir", "category-seen"),
        ("kvasir", "colondb", "category-seen"),
        ("kvasir", "endo", "same-source"),
        ("clinicdb", "colondb", "same-source"),
    ],
)
def test_grades_that_are_no_leak(ledger_of, aux, target, grade):
    ledger = ledger_of(aux, target)
    assert (ledger["aux"], ledger["grade"], ledger["leak"]) == (aux, grade, False)
    assert ledger["images"]["pairs"] == 0
    assert ledger["images"]["compared"] == {"aux": 3, "target": 3}
    assert bool(ledger["categories"]) == (grade != "clean")
    assert bool(ledger["sources"]) == (grade == "same-source")
    assert ledger["epoch_choice"] == "fixed"
    assert ledger["not_audited"] == "the images that CLIP itself was trained on"


def test_the_same_set_is_a_leak(ledger_of):
    ledger = ledger_of("colondb", "colondb", allow_leak=True)
    assert (ledger["grade"], ledger["leak"], ledger["images"]) == ("same-set", True, None)
    assert ledger["images_not_compared_because"] == "it is one set"


def test_the_same_set_under_another_name_is_a_leak(ledger_of, mini):
    (root,) = [path for path in mini.iterdir() if path.name.lower().startswith("mvtec")]
    ledger = ledger_of("mvtec", f"folder:{root}", data_roots=(mini,), options=("recipe.batch=16",))
    assert (ledger["aux"], ledger["grade"]) == ("mvtec", "same-set")


def test_two_folders_of_one_name_are_two_sets(ledger_of, polyps, tmp_path):
    first, second = tmp_path / "first" / "own", tmp_path / "second" / "own"
    isic = load_dataset("isic", [polyps])
    for folder, source in ((first, isic), (second, load_dataset("colondb", [polyps]))):
        copies(source, folder, count=3, others=0)
        for path in (folder / "odd").iterdir():
            mask = folder / "ground_truth" / "odd" / f"{path.stem}_mask.png"
            mask.parent.mkdir(parents=True, exist_ok=True)
            with Image.open(path) as image:
                Image.new("L", image.size, 255).save(mask)
    ledger = ledger_of(f"folder:{first}", f"folder:{second}")
    assert (ledger["grade"], ledger["images"]["pairs"]) == ("category-seen", 0)


def test_one_shared_image_is_a_leak_and_is_named(ledger_of, copied):
    ledger = ledger_of("colondb", copied)
    assert (ledger["grade"], ledger["leak"]) == ("same-images", True)
    images = ledger["images"]
    assert (images["pairs"], images["aux_images"], images["target_images"]) == (1, 1, 1)
    (example,) = images["examples"]
    assert example["target"] == "odd/0.jpg"
    assert example["aux"].startswith("images/")
    assert example["bits"] <= 16


def test_pairs_are_counted_and_a_few_are_named(ledger_of, polyps, tmp_path, monkeypatch):
    monkeypatch.setattr(leakage, "MAX_EXAMPLES", 2)
    ledger = ledger_of("colondb", copies(load_dataset("colondb", [polyps]), tmp_path / "own", count=3))
    assert ledger["images"]["pairs"] == 3
    assert len(ledger["images"]["examples"]) == 2


def test_a_limit_limits_what_is_compared(ledger_of, copied):
    ledger = ledger_of("colondb", copied, limit=1)
    assert ledger["images"]["compared"] == {"aux": 3, "target": 2}


@pytest.mark.parametrize(
    ("aux_classes", "target_classes", "shared"),
    [
        ({"metal_nut": "metal nut"}, {"Metal-Nut": "nut"}, ["metal nut"]),
        ({"a": "metal nut"}, {"b": "metal  nut"}, ["metal nut"]),
        ({"capsule": "capsule"}, {"capsules": "capsules"}, []),
    ],
)
def test_a_category_is_recognised_in_any_spelling(ledger_of, request_for, polyps, aux_classes, target_classes, shared):
    request = request_for(aux="isic", targets=("colondb",), data_roots=(polyps,))
    (job,) = make_plan(request).jobs
    aux = replace(job.aux, card=replace(job.aux.card, classes=aux_classes))
    named = job.target.manifest.assign(**{"class": next(iter(target_classes))})
    target = replace(job.target, card=replace(job.target.card, classes=target_classes), manifest=named)
    ledger = check(replace(job, aux=aux, target=target), request)
    assert ledger["categories"] == shared
    assert ledger["grade"] == ("category-seen" if shared else "clean")


@pytest.mark.parametrize("changes", [{"methods": ("clip",), "epochs": None}, {"aux": "none", "epochs": None}])
def test_a_detector_without_training_has_no_leakage(ledger_of, changes):
    ledger = ledger_of(**{"aux": None, "target": "colondb", **changes})
    assert (ledger["aux"], ledger["grade"], ledger["epoch_choice"], ledger["images"]) == (None, "clean", None, None)
    assert ledger["images_not_compared_because"] == "nothing was learned"


@pytest.fixture
def trained(run, polyps, copied):
    """A checkpoint that a run wrote after training on colondb."""
    results = run(aux="colondb", targets=(copied,), data_roots=(polyps,))
    assert not results.failures
    return checkpoint_of(results)


def checkpoint_of(results):
    """Return the only cached checkpoint of FB-CLIP, which the record of the run names."""
    from zsadbench.clip import cache_folder

    (path,) = (cache_folder() / "checkpoints" / "fbclip").glob("*.safetensors")
    assert results.records[0][1].provenance["checkpoint"] == path.name
    return path


GIVEN = {"epochs": None, "aux": None}


def test_a_checkpoint_of_zsadbench_names_its_training_set(ledger_of, trained, copied):
    ledger = ledger_of(target=copied, checkpoint=trained, **GIVEN)
    assert (ledger["aux"], ledger["grade"], ledger["epoch_choice"]) == ("colondb", "same-images", "fixed")
    assert ledger_of(target="colondb", checkpoint=trained, **GIVEN)["grade"] == "same-set"


def test_a_checkpoint_whose_training_set_is_missing_is_graded_by_its_card(ledger_of, trained, polyps, tmp_path):
    synthesise("kvasir", tmp_path / "alone", 2)
    ledger = ledger_of(target="kvasir", checkpoint=trained, data_roots=(tmp_path / "alone",), **GIVEN)
    assert (ledger["aux"], ledger["grade"], ledger["images"]) == ("colondb", "category-seen", None)
    assert ledger["images_not_compared_because"] == "'colondb' is not here"


def test_the_training_set_in_a_checkpoint_has_precedence_over_the_users(ledger_of, trained, caplog):
    ledger = ledger_of(target="kvasir", checkpoint=trained, epochs=None, aux="isic")
    assert ledger["aux"] == "colondb"
    assert any("--aux isic is passed over" in message for message in caplog.messages)


def test_a_checkpoint_that_learned_from_the_target_needs_allow_leak(ledger_of, trained):
    request = {"target": "colondb", "checkpoint": trained, "epochs": None, "aux": "colondb"}
    with pytest.raises(UsageError, match=r"^'colondb' is both --aux and --target: .* pass --allow-leak"):
        ledger_of(**request)
    assert ledger_of(**request, allow_leak=True)["grade"] == "same-set"


@pytest.mark.parametrize(
    ("aux", "recorded", "grade"),
    [(None, "unknown", "unknown"), ("kvasir", "kvasir", "category-seen"), ("colondb", "colondb", "same-set")],
)
def test_the_user_names_the_training_set_of_a_published_checkpoint(request_for, polyps, tmp_path, aux, recorded, grade):
    foreign = tmp_path / "epoch_15.pth"
    foreign.write_bytes(b"someone else's")
    request = request_for(aux=aux or "isic", targets=("colondb",), data_roots=(polyps,), allow_leak=True)
    (job,) = make_plan(request).jobs
    job = replace(job, aux=None, setup=replace(job.setup, checkpoint=foreign))
    ledger = valid(check(job, replace(request, aux=aux)))
    assert (ledger["aux"], ledger["grade"], ledger["epoch_choice"]) == (recorded, grade, "unknown")


def test_a_leak_makes_a_record_not_comparable_and_is_reported_once(request_for, polyps, copied, capsys):
    request = request_for(aux="colondb", targets=(copied,), data_roots=(polyps,))
    with Progress(json=True, quiet=True) as progress:
        ((path, record),) = run_plan(make_plan(request), progress).records
    content = json.loads(path.read_text())
    validate(content)
    assert content["ledger"]["grade"] == "same-images"
    assert "1 of its images is also in 'colondb', which was learned from" in content["not_comparable_because"]
    assert not record.comparable
    (event,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert event["leak"] == "same-images"


def test_other_grades_do_not_make_a_record_not_comparable(request_for, polyps, tmp_path, capsys):
    target = copies(load_dataset("isic", [polyps]), tmp_path / "own")
    request = request_for(aux="colondb", targets=(target,), data_roots=(polyps,))
    with Progress(json=True, quiet=True) as progress:
        ((_, record),) = run_plan(make_plan(request), progress).records
    assert record.ledger["grade"] == "clean"
    assert not any("learned" in reason for reason in record.not_comparable_because)
    assert "leak" not in json.loads(capsys.readouterr().out)


def test_images_are_hashed_only_when_a_record_is_first_written(request_for, tmp_path, polyps, copied, monkeypatch):
    request = request_for(aux="colondb", targets=(copied,), data_roots=(polyps,))
    hashes = tmp_path / "cache" / "hashes"
    plan = make_plan(request)
    assert not hashes.exists()
    assert not run_plan(plan).failures
    assert len(list(hashes.iterdir())) == 2
    monkeypatch.setattr("zsadbench.engine.record.leakage.check", None)
    assert run_plan(make_plan(request)).skipped == 1


def test_an_unreadable_image_is_counted(ledger_of, copied, tmp_path):
    (tmp_path / "own" / "good" / "1.jpg").write_bytes(b"\xff\xd8 no more")
    ledger = ledger_of("colondb", copied)
    assert ledger["images"]["unreadable"] == {"aux": 0, "target": 1}
    assert ledger["images"]["compared"]["target"] == 2


def test_the_demo_shares_nothing_with_its_auxiliary_set(ledger_of):
    ledger = ledger_of("demo-aux", "demo")
    assert ledger["grade"] == "clean"
    compared = {"aux": len(load_dataset("demo-aux").manifest), "target": len(load_dataset("demo").manifest)}
    assert ledger["images"]["compared"] == compared

"""What a detector may have seen of its target: graded, counted, and said in the record."""

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
def audited(request_for, polyps):
    """`audited(aux, target, **changes)` plans FB-CLIP and returns its ledger, valid under the schema."""

    def make(aux, target, **changes):
        request = request_for(**{"aux": aux, "targets": (target,), "data_roots": (polyps,), **changes})
        (job,) = make_plan(request).jobs
        return valid(check(job, request))

    return make


def valid(found):
    from importlib.resources import files

    schema = json.loads(files("zsadbench").joinpath("record.schema.json").read_text())
    assert schema["properties"]["schema"]["const"] == SCHEMA
    jsonschema.validate(found, {"$defs": schema["$defs"], **schema["properties"]["ledger"]})
    json.dumps(found, allow_nan=False)
    return found


def copies(source, folder, count=1, others=2):
    """One's own labelled folder: half-size JPEGs of the first images of a set, and pictures of its own."""
    rng = np.random.default_rng(7)
    paths = [folder / ("good" if place % 2 else "odd") / f"{place}.jpg" for place in range(count + others)]
    for place, path in enumerate(paths):
        path.parent.mkdir(parents=True, exist_ok=True)
        if place < count:
            with Image.open(source.manifest["path"][place]) as image:
                made = image.convert("RGB").resize((image.width // 2, image.height // 2), Image.Resampling.BICUBIC)
        else:
            tiny = Image.fromarray(rng.integers(0, 256, (12, 12, 3), dtype=np.uint8))
            made = tiny.resize((200, 160), Image.Resampling.BICUBIC)
        made.save(path, quality=90)
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
def test_grades_that_are_no_leak(audited, aux, target, grade):
    found = audited(aux, target)
    assert (found["aux"], found["grade"], found["leak"]) == (aux, grade, False)
    assert found["images"]["pairs"] == 0
    assert found["images"]["compared"] == {"aux": 3, "target": 3}
    assert bool(found["categories"]) == (grade != "clean")
    assert bool(found["sources"]) == (grade == "same-source")
    assert found["epoch_choice"] == "fixed"
    assert found["not_audited"] == "the images that CLIP itself was trained on"


def test_the_same_set_is_a_leak(audited):
    found = audited("colondb", "colondb", allow_leak=True)
    assert (found["grade"], found["leak"], found["images"]) == ("same-set", True, None)
    assert found["images_not_compared_because"] == "it is one set"


def test_the_same_set_under_another_name_is_a_leak(audited, mini):
    (root,) = [path for path in mini.iterdir() if path.name.lower().startswith("mvtec")]
    found = audited("mvtec", f"folder:{root}", data_roots=(mini,), options=("recipe.batch=16",))
    assert (found["aux"], found["grade"]) == ("mvtec", "same-set")


def test_two_folders_of_one_name_are_two_sets(audited, polyps, tmp_path):
    one, other = tmp_path / "one" / "own", tmp_path / "other" / "own"
    isic = load_dataset("isic", [polyps])
    for folder, source in ((one, isic), (other, load_dataset("colondb", [polyps]))):
        copies(source, folder, count=3, others=0)
        for path in (folder / "odd").iterdir():
            mask = folder / "ground_truth" / "odd" / f"{path.stem}_mask.png"
            mask.parent.mkdir(parents=True, exist_ok=True)
            with Image.open(path) as image:
                Image.new("L", image.size, 255).save(mask)
    found = audited(f"folder:{one}", f"folder:{other}")
    assert (found["grade"], found["images"]["pairs"]) == ("category-seen", 0)


def test_one_shared_image_is_a_leak_and_is_named(audited, copied):
    found = audited("colondb", copied)
    assert (found["grade"], found["leak"]) == ("same-images", True)
    images = found["images"]
    assert (images["pairs"], images["aux_images"], images["target_images"]) == (1, 1, 1)
    (example,) = images["examples"]
    assert example["target"] == "odd/0.jpg"
    assert example["aux"].startswith("images/")
    assert example["bits"] <= 16


def test_pairs_are_counted_and_a_few_are_named(audited, polyps, tmp_path, monkeypatch):
    monkeypatch.setattr(leakage, "SHOWN", 2)
    found = audited("colondb", copies(load_dataset("colondb", [polyps]), tmp_path / "own", count=3))
    assert found["images"]["pairs"] == 3
    assert len(found["images"]["examples"]) == 2


def test_a_limit_limits_what_is_compared(audited, copied):
    found = audited("colondb", copied, limit=1)
    assert found["images"]["compared"] == {"aux": 3, "target": 2}


@pytest.mark.parametrize(
    ("one", "other", "seen"),
    [
        ({"metal_nut": "metal nut"}, {"Metal-Nut": "nut"}, ["metal nut"]),
        ({"a": "metal nut"}, {"b": "metal  nut"}, ["metal nut"]),
        ({"capsule": "capsule"}, {"capsules": "capsules"}, []),
    ],
)
def test_a_category_is_known_by_any_spelling(audited, request_for, polyps, monkeypatch, one, other, seen):
    request = request_for(aux="isic", targets=("colondb",), data_roots=(polyps,))
    (job,) = make_plan(request).jobs
    aux = replace(job.aux, card=replace(job.aux.card, classes=one))
    named = job.target.manifest.assign(**{"class": next(iter(other))})
    target = replace(job.target, card=replace(job.target.card, classes=other), manifest=named)
    found = check(replace(job, aux=aux, target=target), request)
    assert found["categories"] == seen
    assert found["grade"] == ("category-seen" if seen else "clean")


@pytest.mark.parametrize("changes", [{"methods": ("clip",), "epochs": None}, {"aux": "none", "epochs": None}])
def test_who_learned_nothing_has_seen_nothing(audited, changes):
    found = audited(**{"aux": None, "target": "colondb", **changes})
    assert (found["aux"], found["grade"], found["epoch_choice"], found["images"]) == (None, "clean", None, None)
    assert found["images_not_compared_because"] == "nothing was learned"


@pytest.fixture
def trained(run, polyps, copied):
    """A checkpoint of ours, learned from colondb."""
    results = run(aux="colondb", targets=(copied,), data_roots=(polyps,))
    assert not results.failures
    return checkpoint_of(results)


def checkpoint_of(results):
    from zsadbench.clip import cache_folder

    (path,) = (cache_folder() / "checkpoints" / "fbclip").glob("*.safetensors")
    assert results.records[0][1].provenance["checkpoint"] == path.name
    return path


GIVEN = {"epochs": None, "aux": None}


def test_our_checkpoints_say_what_they_learned_from(audited, trained, copied):
    found = audited(target=copied, checkpoint=trained, **GIVEN)
    assert (found["aux"], found["grade"], found["epoch_choice"]) == ("colondb", "same-images", "fixed")
    assert audited(target="colondb", checkpoint=trained, **GIVEN)["grade"] == "same-set"


def test_a_checkpoint_whose_set_is_not_here_is_graded_by_its_card(audited, trained, polyps, tmp_path):
    synthesise("kvasir", tmp_path / "alone", 2)
    found = audited(target="kvasir", checkpoint=trained, data_roots=(tmp_path / "alone",), **GIVEN)
    assert (found["aux"], found["grade"], found["images"]) == ("colondb", "category-seen", None)
    assert found["images_not_compared_because"] == "'colondb' is not here"


def test_what_a_checkpoint_says_stands_above_what_is_said_of_it(audited, trained, caplog):
    found = audited(target="kvasir", checkpoint=trained, epochs=None, aux="isic")
    assert found["aux"] == "colondb"
    assert any("--aux isic is passed over" in message for message in caplog.messages)


def test_who_says_that_a_checkpoint_learned_from_the_target_must_allow_the_leak(audited, trained):
    said = {"target": "colondb", "checkpoint": trained, "epochs": None, "aux": "colondb"}
    with pytest.raises(UsageError, match=r"^'colondb' is both --aux and --target: .* pass --allow-leak"):
        audited(**said)
    assert audited(**said, allow_leak=True)["grade"] == "same-set"


@pytest.mark.parametrize(
    ("aux", "told", "grade"),
    [(None, "unknown", "unknown"), ("kvasir", "kvasir", "category-seen"), ("colondb", "colondb", "same-set")],
)
def test_published_checkpoints_learned_from_what_the_user_says(request_for, polyps, tmp_path, aux, told, grade):
    foreign = tmp_path / "epoch_15.pth"
    foreign.write_bytes(b"someone else's")
    request = request_for(aux=aux or "isic", targets=("colondb",), data_roots=(polyps,), allow_leak=True)
    (job,) = make_plan(request).jobs
    job = replace(job, aux=None, setup=replace(job.setup, checkpoint=foreign))
    found = valid(check(job, replace(request, aux=aux)))
    assert (found["aux"], found["grade"], found["epoch_choice"]) == (told, grade, "unknown")


def test_a_leak_makes_a_record_incomparable_and_is_said_once(request_for, polyps, copied, capsys):
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


def test_other_grades_are_no_reason(request_for, polyps, tmp_path, capsys):
    target = copies(load_dataset("isic", [polyps]), tmp_path / "own")
    request = request_for(aux="colondb", targets=(target,), data_roots=(polyps,))
    with Progress(json=True, quiet=True) as progress:
        ((_, record),) = run_plan(make_plan(request), progress).records
    assert record.ledger["grade"] == "clean"
    assert not any("learned" in reason for reason in record.not_comparable_because)
    assert "leak" not in json.loads(capsys.readouterr().out)


def test_images_are_hashed_when_a_record_is_made_and_only_then(request_for, tmp_path, polyps, copied, monkeypatch):
    request = request_for(aux="colondb", targets=(copied,), data_roots=(polyps,))
    hashes = tmp_path / "cache" / "hashes"
    plan = make_plan(request)
    assert not hashes.exists()
    assert not run_plan(plan).failures
    assert len(list(hashes.iterdir())) == 2
    monkeypatch.setattr("zsadbench.engine.record.leakage.check", None)
    assert run_plan(make_plan(request)).skipped == 1


def test_an_unreadable_image_is_counted(audited, copied, tmp_path):
    (tmp_path / "own" / "good" / "1.jpg").write_bytes(b"\xff\xd8 no more")
    found = audited("colondb", copied)
    assert found["images"]["unreadable"] == {"aux": 0, "target": 1}
    assert found["images"]["compared"]["target"] == 2


def test_the_demo_shares_nothing_with_what_it_learns_from(audited):
    found = audited("demo-aux", "demo")
    assert found["grade"] == "clean"
    assert found["images"]["compared"] == {"aux": 192, "target": 192}

"""The generated benchmark: the same pixels everywhere, exact masks, and families that no two sets share."""

import hashlib
import os
import random
import subprocess
import sys
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from zsadbench import registry
from zsadbench.data import check_masks, find_card, load_dataset, read_image, read_mask, synthesise
from zsadbench.data.copies import generated
from zsadbench.engine.plan.checks import aux_for
from zsadbench.engine.plan.jobs import make_plan
from zsadbench.engine.plan.request import RunRequest, read_targets
from zsadbench.errors import DataError, UsageError
from zsadbench_datasets.demo import exact, families, frozen, kinds, marks, sets
from zsadbench_datasets.demo.defects import DEFECTS, MIN_CHANGE
from zsadbench_datasets.demo.scenes import make_scene
from zsadbench_datasets.demo.shapes import SHAPES
from zsadbench_datasets.demo.textures import TEXTURES

SEEN = {"scratch", "stain", "hole", "crack", "dent", "flake"}
UNSEEN = {"missing", "misplaced", "smear", "thread", "tint", "scuff"}


@pytest.fixture(scope="session")
def generated_cache(tmp_path_factory):
    """A cache that contains both generated sets."""
    cache = tmp_path_factory.mktemp("generated")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZSADBENCH_CACHE", str(cache))
        for name in sets.SETS:
            load_dataset(name)
    return cache


@pytest.fixture
def cached(generated_cache, monkeypatch):
    """`load_dataset`, which finds the sets in that cache."""
    monkeypatch.setenv("ZSADBENCH_CACHE", str(generated_cache))
    return load_dataset


@pytest.fixture(scope="session")
def flawed():
    """The anomalous images of `demo`, (draft, image with its clean rendering and its mask)."""
    return [(spec, sets.render(spec)) for spec in sets.image_specs("demo") if spec.kind]


@pytest.fixture
def few(monkeypatch):
    """Generate only three images of a set, which is enough for tests about files."""
    every = sets.image_specs
    monkeypatch.setattr(frozen, "image_specs", lambda set_name: list(every(set_name))[5::70])


def seen_in(folder):
    """The names in a folder, except the hidden file of the lock."""
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".lock")


def generate(name, folder):
    folder.mkdir()
    registry.load("datasets", "cards").generate(name, folder)
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.png")}


# ---- the images


@pytest.mark.parametrize("name", sets.SETS)
def test_the_generated_pixels_are_the_frozen_ones(name):
    assert frozen.frozen()["generator"] == sets.GENERATOR
    assert frozen.digest(name) == frozen.frozen()["sets"][name], "python -m zsadbench_datasets.demo.frozen"


@pytest.mark.parametrize("threads", ["1", "2"])
def test_the_hashes_hold_on_any_number_of_threads(threads):
    variables = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
    code = "from zsadbench_datasets.demo import frozen; print(*(frozen.digest(name) for name in frozen.SETS))"
    environment = {**os.environ, **dict.fromkeys(variables, threads)}
    told = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert told.stdout.split() == [frozen.frozen()["sets"][name] for name in sets.SETS]


def test_a_set_does_not_depend_on_random_numbers_used_before(tmp_path, few):
    first = generate("demo", tmp_path / "a")
    random.seed(1)
    np.random.seed(1)
    np.random.random(5)
    generate("demo-aux", tmp_path / "other")
    assert generate("demo", tmp_path / "b") == first
    assert len(first) > 3


@pytest.mark.parametrize("name", sets.SETS)
def test_every_class_has_its_images(cached, name):
    found = cached(name, splits=("train", "test"))
    check_masks(found)
    assert (found.synthetic, found.partial, found.missing, found.notes) == (False, False, (), ())
    assert found.classes == tuple(found.card.classes) == tuple(family.name for family in families.families_of(name))
    counts = found.manifest.groupby(["class", "split", "label"]).size()
    for family in found.classes:
        train, test = sets.COUNTS[name]
        by_label = {("test", 0): test, ("test", 1): test, ("train", 0): train}
        assert counts[family].to_dict() == {key: number for key, number in by_label.items() if number}
    assert {read_image(path).size for path in found.manifest["path"][::20]} == {(128, 128)}
    assert {read_image(path).mode for path in found.manifest["path"][::20]} == {"RGB"}


def test_the_files_hold_the_rendered_images(cached, flawed):
    rows = cached("demo").manifest.set_index("relative")
    for spec, image in flawed[::7]:
        row = rows.loc[spec.image]
        assert np.array_equal(np.asarray(read_image(row["path"])), image.image)
        assert np.array_equal(read_mask(row["mask"]), image.mask)
        assert (row["defect"], row["class"]) == (spec.kind.name, spec.family.name)


def test_masks_are_exact(flawed):
    for _, image in flawed:
        change = abs(image.image.astype(int) - image.clean).max(axis=2)
        assert np.array_equal(change > 0, image.mask == 1)
        assert change[image.mask == 1].min() >= MIN_CHANGE


def test_a_flawed_image_is_a_good_one_of_the_same_distribution_before_the_defect(flawed):
    for spec, image in flawed[::9]:
        scene = make_scene(spec.family, exact.generator(spec.key), sets.SIDE)
        assert np.array_equal(scene.render(), image.clean)
    good = [sets.render(replace(spec, kind=None)).clean.mean(axis=(0, 1)) for spec, _ in flawed]
    clean = [image.clean.mean(axis=(0, 1)) for _, image in flawed]
    spread = np.std(clean, axis=0)
    assert (abs(np.mean(good, axis=0) - np.mean(clean, axis=0)) < spread / 3).all()


def test_regions_are_small_and_large_several_and_of_every_contrast(flawed):
    sizes, several, contrasts = [], 0, []
    for _, image in flawed:
        regions, number = ndimage.label(image.mask, np.ones((3, 3)))
        sizes += list(np.bincount(regions.ravel())[1:])
        several += number > 1
        change = abs(image.image.astype(int) - image.clean).max(axis=2)
        contrasts.append(change[image.mask == 1].mean())
        assert 4 <= image.mask.sum() <= 0.2 * image.mask.size
    assert min(sizes) <= 20
    assert np.mean(np.array(sizes) <= 40) > 0.05
    assert max(sizes) >= 0.15 * 128 * 128
    assert several >= 30
    assert 20 < np.percentile(contrasts, 10) < 35  # faint ones, but none that cannot be seen
    assert np.percentile(contrasts, 90) > 70


@pytest.mark.parametrize("side", [48, 224])
def test_any_family_can_be_rendered_at_any_size(side):
    for family in families.FAMILIES:
        scene = make_scene(family, np.random.Generator(np.random.PCG64(3)), side)
        image = scene.render()
        assert (image.shape, image.dtype) == ((side, side, 3), np.uint8)
        assert image.std() > 4
        assert scene.tones in family.tones


# ---- the table of families and kinds of defect


def test_the_families_and_shapes_of_the_target_occur_nowhere_else():
    by_set = {name: {family.name for family in families.families_of(name)} for name in families.SET_NAMES}
    assert not by_set["demo"] & (by_set["demo-aux"] | by_set["pretraining"])
    assert by_set["pretraining"] < by_set["demo-aux"]
    assert len(by_set["demo-aux"]) >= 16
    assert len(by_set["demo"] | by_set["demo-aux"]) == len(families.FAMILIES)
    for name in families.SET_NAMES:
        shares = Counter(family.material for family in families.families_of(name))
        assert shares["texture"] == shares["object"]


def test_the_words_of_the_target_occur_nowhere_else():
    for family in families.families_of("demo"):
        assert not {family.words} & {other.words for other in families.FAMILIES if other is not family}


def test_every_family_has_its_own_function():
    functions = TEXTURES | SHAPES
    assert set(functions) == {family.name for family in families.FAMILIES}
    assert len({function.__code__ for function in functions.values()}) == len(families.FAMILIES)
    assert {family.name for family in families.FAMILIES if family.material == "texture"} == set(TEXTURES)


def test_names_and_words_of_classes_occur_once():
    names = [name for set_name in sets.SETS for name in find_card(set_name).classes]
    words = [word for set_name in sets.SETS for word in find_card(set_name).classes.values()]
    assert words == [family.words[0] for set_name in sets.SETS for family in families.families_of(set_name)]
    assert len(set(names)) == len(names) == len(set(words))


def test_no_caption_names_what_only_the_target_has():
    captions = {word for family in families.families_of("pretraining") for word in family.words}
    assert not captions & {word for family in families.families_of("demo") for word in family.words}
    assert all(kinds.KIND[name].words for name in kinds.SEEN_KINDS)
    assert not any(kinds.KIND[name].words for name in kinds.UNSEEN_KINDS)


def test_half_of_the_kinds_of_defect_are_in_the_auxiliary_set_with_other_parameters():
    assert (set(kinds.SEEN_KINDS), set(kinds.UNSEEN_KINDS)) == (SEEN, UNSEEN)
    assert len(SEEN) == len(UNSEEN)
    assert set(DEFECTS) == set(kinds.KIND)
    for name in kinds.SEEN_KINDS:
        by_set = kinds.KIND[name].by_set
        demo, aux, before = (by_set[set_name] for set_name in ("demo", "demo-aux", "pretraining"))
        assert len({demo, aux, before}) == 3
    assert all(list(kinds.KIND[name].by_set) == ["demo"] for name in kinds.UNSEEN_KINDS)


def test_half_of_the_anomalous_images_of_every_class_are_of_seen_kinds():
    each = sets.COUNTS["demo"][1]
    for family in families.families_of("demo"):
        found = [spec.kind.name for spec in sets.image_specs("demo") if spec.family is family and spec.kind]
        assert len(found) == each
        assert sum(kind in SEEN for kind in found) == each // 2
    assert {spec.kind.name for spec in sets.image_specs("demo") if spec.kind} == SEEN | UNSEEN
    assert {spec.kind.name for spec in sets.image_specs("demo-aux") if spec.kind} == SEEN


@pytest.mark.parametrize("name", sets.SETS)
def test_normal_and_anomalous_images_carry_marks_alike(name):
    scenes = {False: [], True: []}
    for spec in sets.image_specs(name):
        scenes[spec.kind is not None].append(make_scene(spec.family, exact.generator(spec.key), 32))
    for found in scenes.values():
        named = Counter(scene.mark for scene in found)
        assert set(named) == {None, *marks.MARKS}
        assert abs(1 - named[None] / len(found) - marks.SHARE) < 0.1
        assert min(named.values()) >= 0.1 * len(found)


def test_a_mark_is_no_defect_and_changes_what_it_covers():
    family = families.families_of("demo-aux")[0]
    albedo, height = np.full((64, 64, 3), 100.0), np.zeros((64, 64))
    solid = np.ones((64, 64), dtype=bool)
    solid[:, 32:] = False
    seen = set()
    for number in range(40):
        marked = marks.add_marks(albedo, height, solid, family.tones[0], exact.generator(str(number)))
        seen.add(marked.name)
        changed = (marked.albedo != albedo).any(axis=2) | (marked.height != height)
        assert changed[marked.region].mean() > 0.99 if marked.name else not changed.any()
        assert not changed[~solid].any()
        assert marked.region.any() == (marked.name is not None)
    assert seen == {None, *marks.MARKS}


def test_no_image_repeats(cached, flawed):
    hashes = [hashlib.sha256(image.clean.tobytes()).digest() for _, image in flawed]
    for name in sets.SETS:
        paths = cached(name, splits=("train", "test")).manifest["path"]
        hashes += [hashlib.sha256(read_image(path).tobytes()).digest() for path in paths]
    for family in families.families_of("pretraining"):
        scenes = (
            make_scene(family, exact.generator(f"pretraining/{family.name}/{number}"), 128) for number in range(4)
        )
        hashes += [hashlib.sha256(scene.render().tobytes()).digest() for scene in scenes]
    assert len(hashes) == len(set(hashes)) > 700


# ---- the sets as data sets


def test_the_first_use_generates_the_set_and_the_second_does_not(few, monkeypatch, tmp_path):
    root = generated.generated_copy(find_card("demo"))
    assert root.parent == tmp_path / "cache" / "demo"
    assert seen_in(root.parent) == [root.name]
    monkeypatch.setattr(frozen, "render", None)
    assert generated.generated_copy(find_card("demo")) == root


def test_another_edition_lies_in_another_folder(monkeypatch):
    was = frozen.edition("demo")
    monkeypatch.setattr(frozen, "frozen", lambda: {"sets": {"demo": "f" * 64}})
    assert frozen.edition("demo") != was
    with pytest.raises(DataError, match="no set 'visa' can be generated"):
        frozen.edition("visa")


@pytest.mark.parametrize("failure", [KeyboardInterrupt, OSError("disk full")])
def test_an_interruption_leaves_nothing_half(few, monkeypatch, tmp_path, failure):
    write, written = frozen.write, []

    def broken(*arguments):
        write(*arguments)
        written.append(arguments)
        if len(written) == 2:
            raise failure

    monkeypatch.setattr(frozen, "write", broken)
    with pytest.raises((KeyboardInterrupt, DataError)):
        generated.generated_copy(find_card("demo"))
    assert seen_in(tmp_path / "cache" / "demo") == []
    monkeypatch.setattr(frozen, "write", write)
    assert len(list(generated.generated_copy(find_card("demo")).rglob("*.png"))) > 3


def test_a_second_process_that_was_quicker_is_no_matter(few, monkeypatch):
    locked = generated.locked

    @contextmanager
    def waits(*arguments):
        """The lock, which another process had until it had generated the set."""
        monkeypatch.setattr(generated, "locked", locked)
        generated.generated_copy(find_card("demo"))
        monkeypatch.setattr(frozen, "render", None)
        with locked(*arguments):
            yield

    monkeypatch.setattr(generated, "locked", waits)
    root = generated.generated_copy(find_card("demo"))
    assert seen_in(root.parent) == [root.name]


def test_other_pixels_than_the_frozen_ones_are_warned_of(few, tmp_path, caplog):
    generate("demo", tmp_path / "set")
    assert "generated here with other pixels" in caplog.text


def test_a_cache_that_cannot_be_written_to_is_named(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ZSADBENCH_CACHE", str(tmp_path / "file"))
    with pytest.raises(DataError, match=r"demo: cannot be generated into '.*'; set ZSADBENCH_CACHE"):
        load_dataset("demo")


def test_the_fingerprint_is_of_pixels_not_of_files(cached, tmp_path):
    found = cached("demo")
    assert found.fingerprint == cached("demo").fingerprint
    assert found.fingerprint != cached("demo-aux").fingerprint
    path = found.manifest["path"][0]
    for level in (0, 9):
        read_image(path).save(tmp_path / f"{level}.png", compress_level=level)
    same = [replace(found, manifest=found.manifest.replace(path, str(tmp_path / f"{n}.png"))) for n in (0, 9)]
    assert {other.fingerprint for other in same} == {found.fingerprint}
    image = np.array(read_image(path))
    image[0, 0, 0] ^= 1
    exact_copy = read_image(path)
    exact_copy.putpixel((0, 0), tuple(map(int, image[0, 0])))
    exact_copy.save(tmp_path / "changed.png")
    changed = replace(found, manifest=found.manifest.replace(path, str(tmp_path / "changed.png")))
    assert changed.fingerprint != found.fingerprint


def test_data_roots_do_not_matter_and_a_variable_does(cached, tmp_path, monkeypatch):
    root = cached("demo").root
    (tmp_path / "data/demo/fork/test/good").mkdir(parents=True)
    assert cached("demo", [tmp_path / "data"]).root == root
    monkeypatch.setenv("ZSADBENCH_DATA_DEMO", str(tmp_path / "data/demo"))
    with pytest.raises(DataError, match="demo: no test image in"):
        cached("demo")


def test_a_damaged_copy_says_how_to_mend_it(few):
    with pytest.raises(DataError, match=r"demo: incomplete: .*Remove this folder, and the set is generated again"):
        load_dataset("demo")


def test_no_group_of_benchmarks_holds_a_generated_set():
    for group in ("all", "industrial", "medical"):
        assert not set(read_targets([group])) & set(sets.SETS)
    assert read_targets(["demo"]) == ("demo",)


@pytest.mark.parametrize("name", sets.SETS)
def test_there_is_no_miniature_of_a_generated_set(tmp_path, name):
    with pytest.raises(UsageError, match=f"'{name}' needs no miniature"):
        synthesise(name, tmp_path)


def test_a_card_whose_package_generates_nothing_is_refused(monkeypatch):
    monkeypatch.setattr(generated, "package_attribute", lambda card, attribute: None)
    with pytest.raises(DataError, match="its package has no generate and edition"):
        load_dataset("demo")


def test_the_demo_learns_from_its_own_auxiliary_set(cached, tiny_file):
    assert aux_for("demo", None) == "demo-aux"
    request = RunRequest(("clip", "fbclip"), ("demo",), backbone=str(tiny_file), weights="random")
    plan = {job.setup.name: job for job in make_plan(request).jobs}
    assert plan["clip"].aux is None
    assert plan["fbclip"].aux.card.name == "demo-aux"
    assert plan["fbclip"].cell["synthetic"] is False
    many = len(families.families_of("demo-aux")) * sets.COUNTS["demo-aux"][1]
    assert plan["fbclip"].cell["aux"]["counts"] == {"normal": many, "anomalous": many}

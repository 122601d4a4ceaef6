"""Files that change while a run goes on: the class fails, the file is named, and nothing is recorded for it."""

import json
import os
import shutil

import pytest
from PIL import Image

from zsadbench.engine.drive.reporter import Reporter
from zsadbench.engine.plan.jobs import make_plan
from zsadbench.engine.run import run_plan
from zsadbench.saved_maps.plan import make_score_plan
from zsadbench.saved_maps.request import ScoreRequest
from zsadbench.saved_maps.score import score_maps

CLASSES = ("bottle", "cable")


@pytest.fixture
def copy(mini, tmp_path):
    """A data root for these tests alone, with MVTec AD and CVC-ColonDB."""
    for name in ("mvtec", "CVC-ColonDB"):
        shutil.copytree(mini / name, tmp_path / "data" / name)
    return tmp_path / "data"


@pytest.fixture
def request_here(request_for, copy):
    """`request_here(**changes)`: CLIP on two classes of the copy."""
    request = {"methods": ("clip",), "targets": ("mvtec",), "classes": CLASSES, "epochs": None, "aux": None}
    return lambda **changes: request_for(**{**request, "data_roots": (copy,), **changes})


class After(Reporter):
    """A reporter that calls `change` at the first `event`."""

    def __init__(self, event, change):
        self.changes = [change]
        setattr(self, event, lambda *_: self.changes and self.changes.pop()())


def turn(path):
    """Turn a picture by 180° and restore its time of modification."""
    status = path.stat()
    with Image.open(path) as image:
        turned = image.transpose(Image.Transpose.ROTATE_180)
    turned.save(path)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def first(folder):
    return sorted(folder.iterdir())[0]


@pytest.mark.parametrize("folder", ["test/good", "test/*", "ground_truth/*"])
def test_a_later_class_fails_and_the_earlier_one_stays(request_here, copy, folder):
    file = first(sorted((copy / "mvtec/cable").glob(folder))[0])
    results = run_plan(make_plan(request_here()), After("evaluated", lambda: turn(file)))
    (failure,) = results.failures
    assert f"cable: changed during the run: '{file}'" in failure
    assert results.failed == 1
    ((path, record),) = results.records
    assert record.classes.keys() == json.loads(path.read_text())["classes"].keys() == {"bottle"}
    again = run_plan(make_plan(request_here()))
    assert not again.failures
    ((other, _),) = again.records
    assert other != path, "another content is another record"


def test_touched_files_pass(request_here, copy):
    files = list((copy / "mvtec/cable").rglob("*.png"))
    results = run_plan(make_plan(request_here()), After("evaluated", lambda: [os.utime(file) for file in files]))
    assert not results.failures
    assert results.records[0][1].classes.keys() == set(CLASSES)


def test_the_image_cache_does_not_hide_a_change(request_here, copy):
    request = request_here(image_cache=2**28)
    assert not run_plan(make_plan(request)).failures
    file = first(copy / "mvtec/cable/test/good")
    plan = make_plan(request_here(image_cache=2**28, overwrite="always"))
    (failure,) = run_plan(plan, After("evaluated", lambda: turn(file))).failures
    assert f"changed during the run: '{file}'" in failure


def test_a_support_that_changes_fails_its_class(request_here, copy):
    request = request_here(methods=("afclip",), aux="none", shots=(1,))
    plan = make_plan(request)
    (job,) = plan.jobs
    file = copy / "mvtec" / job.supports.rows["cable"]["relative"][0]
    results = run_plan(plan, After("evaluated", lambda: turn(file)))
    assert f"cable: changed during the run: '{file}'" in results.failures[0]
    assert results.records[0][1].classes.keys() == {"bottle"}


def test_other_bytes_of_a_support_are_another_record(request_here, copy):
    request = request_here(methods=("afclip",), aux="none", shots=(1,))
    (job,) = make_plan(request).jobs
    file = copy / "mvtec" / job.supports.rows["cable"]["relative"][0]
    content = bytearray(file.read_bytes())
    content[-1] ^= 1  # the checksum of the last chunk: as many bytes, and the same picture
    file.write_bytes(content)
    assert make_plan(request).jobs[0].path != job.path


@pytest.mark.parametrize("folder", ["images", "masks"])
def test_an_auxiliary_file_that_changes_fails_the_training(request_here, copy, folder):
    file = sorted((copy / "CVC-ColonDB").rglob(f"{folder}/*"))[0]
    plan = make_plan(request_here(methods=("fbclip",), aux="colondb", epochs=2))
    results = run_plan(plan, After("training", lambda: turn(file)))
    assert f"training: changed during the run: '{file}'" in results.failures[0]
    assert not results.records


def test_a_saved_map_or_a_mask_that_changes_fails_its_class(request_here, copy, tmp_path):
    ((path, _),) = run_plan(make_plan(request_here(save_maps=True))).records
    mask = first(sorted((copy / "mvtec/cable/ground_truth").iterdir())[0])
    saved = first(path.with_suffix(".maps") / "bottle/test/good")
    request = ScoreRequest(
        maps=path.with_suffix(".maps"), target="mvtec", classes=CLASSES, data_roots=(copy,), out=tmp_path / "scored"
    )
    plan = make_score_plan(request)
    content = bytearray(saved.read_bytes())
    content[-4:] = content[-8:-4]
    saved.write_bytes(content)
    turn(mask)
    results = score_maps(plan)
    for file, failure in zip((saved, mask), results.failures, strict=True):
        assert f"changed during the run: '{file}'" in failure
    assert not results.records

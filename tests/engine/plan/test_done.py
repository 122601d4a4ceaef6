"""Records that are there already: complete, edited, damaged, under another name, of an earlier identity scheme."""

import json
import logging

import pytest

from zsadbench.engine.plan.done import warn_of_stale
from zsadbench.engine.plan.jobs import make_plan
from zsadbench.engine.run import run_plan
from zsadbench.records import identity, record_path, write_record
from zsadbench.records.hashes import digest_of

MVTEC = {"methods": ("clip",), "targets": ("mvtec",), "classes": ("bottle", "cable"), "aux": None, "epochs": None}


@pytest.fixture
def finished(run):
    """The path of a record with saved maps."""
    return run(**MVTEC, save_maps=True).records[0][0]


def edit_cell(content):
    content["cell"]["options"] = {"edited": True}


def edit_identity(content):
    content["identity"] = "0" * 64


def edit_value(content):
    content["classes"]["bottle"]["image_auroc"] = float("nan")


def hold_another(content):
    content["cell"]["seed"] = 7
    content["identity"] = identity(content["cell"])
    content["digest"] = digest_of(content)


def edit_one_number(content):
    content["classes"]["bottle"]["image_auroc"] = 0.5


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (edit_cell, "is not the identity of its cell"),
        (edit_identity, "'0000000000000000' is not the identity of its cell"),
        (edit_value, "the number at classes/bottle/image_auroc is not finite"),
        (hold_another, "under another name"),
        (edit_one_number, "its results are not those that were written"),
    ],
)
def test_a_record_that_is_not_what_its_name_says_is_not_completed(finished, run, edit, reason):
    content = json.loads(finished.read_text())
    edit(content)
    text = json.dumps(content)
    finished.write_text(text)
    results = run(**{**MVTEC, "classes": ("grid",)})
    (failure,) = results.failures
    assert str(finished) in failure
    assert reason in failure
    assert failure.endswith("move it away, or pass --overwrite always to replace it")
    assert finished.read_text() == text, "nothing is replaced"
    assert not run(**MVTEC, overwrite="always").failures


@pytest.mark.parametrize("keep", [0, 40, -40])
def test_a_damaged_table_of_images_is_made_again_with_the_maps(finished, request_for, caplog, keep):
    table = finished.with_suffix(".parquet")
    whole = table.read_bytes()
    table.write_bytes(whole[:keep])
    with caplog.at_level(logging.WARNING):
        plan = make_plan(request_for(**MVTEC, save_maps=True))
    assert f"'{table}' is left out" in caplog.text
    assert plan.jobs[0].todo == ("bottle", "cable")
    assert not run_plan(plan).failures
    assert make_plan(request_for(**MVTEC, save_maps=True)).jobs[0].todo == ()


def test_a_damaged_table_does_not_stop_another_class(finished, run, caplog):
    table = finished.with_suffix(".parquet")
    table.write_bytes(table.read_bytes()[:-40])
    with caplog.at_level(logging.WARNING):
        results = run(**{**MVTEC, "classes": ("grid",)})
    assert not results.failures
    assert f"'{table}' is left out" in caplog.text
    assert set(json.loads(finished.read_text())["classes"]) == {"bottle", "cable", "grid"}


def test_records_of_an_earlier_identity_scheme_are_counted_once(make_record, tmp_path, caplog):
    old = [make_record(method, "visa", {"bolt": 0.5}) for method in ("clip", "afclip")]
    for record in old:
        write_record(record_path(tmp_path, record.cell), record, _no_images())
    new = {**old[0].cell, "code": {"method": "1", "pipeline": "1"}}
    warn_of_stale(tmp_path, [new, old[1].cell])
    (entry,) = caplog.records
    assert entry.getMessage().startswith(f"2 records in '{tmp_path}' are of an earlier identity scheme (first '")
    caplog.clear()
    warn_of_stale(tmp_path, [old[0].cell])
    warn_of_stale(tmp_path / "empty", [new])
    warn_of_stale(tmp_path, [])
    assert not caplog.records


def _no_images():
    import pandas as pd

    return pd.DataFrame({"path": [], "class": [], "label": [], "score": []})

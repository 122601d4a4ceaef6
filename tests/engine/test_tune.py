"""Choosing options on held-out classes of an auxiliary set: folds, what is learned from, the choice, the ledger."""

import json
import pickle
import tomllib
from dataclasses import replace
from importlib.resources import files

import pytest

from zsadbench.engine.plan.held_out import folds_of
from zsadbench.engine.plan.jobs import make_plan
from zsadbench.engine.run import run_plan
from zsadbench.engine.tune import Setting, as_toml, best_of, make_tuning_plan, settings_in
from zsadbench.errors import UsageError
from zsadbench.records import read_record

GRID = ("temperature=0.01|0.5",)


@pytest.fixture
def tuning_request(request_for, tmp_path):
    """`tuning_request(**changes)`: `clip` with two temperatures on btad, which has three classes."""

    def make(**changes):
        fixed = {"methods": ("clip",), "targets": ("btad",), "aux": "btad", "options": GRID, "out": tmp_path / "tuning"}
        return request_for(**{**fixed, **changes})

    return make


def _run(tuning):
    return settings_in(tuning, [run_plan(plan) for plan in tuning.plans])


def test_every_class_is_held_out_once():
    folds = folds_of(tuple("abcdefg"), 3)
    assert folds == [("a", "d", "g"), ("b", "e"), ("c", "f")]


def test_a_fold_learns_from_the_other_classes_alone(tuning_request):
    tuning = make_tuning_plan(tuning_request(methods=("fbclip",), options=("context=4|12",)), "pixel_auroc", 3)
    for plan, fold in zip(tuning.plans, tuning.folds, strict=True):
        for job in plan.jobs:
            assert job.todo == job.target.classes == fold
            assert not {*job.aux.classes} & {*fold}
            assert {*job.aux.classes, *fold} == {"01", "02", "03"}
            assert set(job.target.manifest["class"]) == {*fold}
            assert not {*job.aux.manifest["path"]} & {*job.target.manifest["path"]}
    fingerprints = {job.cell["aux"]["fingerprint"] for plan in tuning.plans for job in plan.jobs}
    assert len(fingerprints) == 3
    assert tuning.fingerprint not in fingerprints


def test_values_are_those_of_the_records_and_the_largest_mean_is_chosen(tuning_request, tmp_path):
    tuning = make_tuning_plan(tuning_request(), "pixel_auroc", 2)
    settings = _run(tuning)
    assert [dict(setting.values) for setting in settings] == [{"temperature": 0.01}, {"temperature": 0.5}]
    for place, setting in enumerate(settings):
        records = [read_record(plan.jobs[place].path) for plan in tuning.plans]
        assert list(setting.folds) == [record.mean()[0]["pixel_auroc"] for record in records]
        assert setting.mean == pytest.approx(sum(setting.folds) / 2)
        assert all(record.cell["partial"] and not record.comparable for record in records)
    assert best_of(settings, "clip") is max(settings, key=lambda setting: setting.mean)
    again = [run_plan(plan) for plan in make_tuning_plan(tuning_request(), "pixel_auroc", 2).plans]
    assert [(results.skipped, results.finished) for results in again] == [(2, 0), (2, 0)]  # nothing is repeated


def _setting(settings, *folds):
    return replace(settings, folds=folds)


def test_equal_means_choose_the_first_and_a_missing_value_chooses_none(tuning_request):
    tuning = make_tuning_plan(tuning_request(), "pixel_auroc", 2)
    method = tuning.plans[0].jobs[0].setup.method
    first, second = (Setting(method, {"n": n}, (0.5, 0.7), (0,)) for n in (1, 2))
    assert best_of([first, second], "clip") is first
    assert best_of([first, _setting(second, 0.9, 0.7)], "clip").values == {"n": 2}
    assert best_of([first, _setting(second, 0.9, None)], "clip") is None
    assert (first.mean, first.spread) == (pytest.approx(0.6), pytest.approx(0.02**0.5))


@pytest.fixture
def tuned_file(tuning_request, tmp_path):
    """The file that a tuning on btad writes, with the chosen temperature 0.5."""
    tuning = make_tuning_plan(tuning_request(), "pixel_auroc", 2)
    jobs = tuning.plans[0].jobs
    settings = [
        Setting(job.setup.method, {"temperature": job.setup.method.options.temperature}, (0.5, 0.5 + n / 10), (0,))
        for n, job in enumerate(jobs)
    ]
    path = tmp_path / "tuned.toml"
    path.write_text(as_toml(tuning, settings, [best_of(settings, "clip")]))
    return path


def test_the_file_has_the_choice_and_how_it_was_made(tuned_file):
    content = tomllib.loads(tuned_file.read_text())
    assert content["clip"] == {"temperature": 0.5}
    about = content["tuned"]["clip"]
    assert (about["aux"], about["metric"], about["settings"], about["folds"]) == ("btad", "pixel_auroc", 2, 2)
    assert about["options"] == {"temperature": 0.5}
    assert about["classes"] == [["01", "03"], ["02"]]
    assert [one["setting"]["temperature"] for one in about["tried"]] == [0.01, 0.5]


def test_the_ledger_of_a_run_with_the_file_says_how_its_options_were_chosen(tuned_file, request_for):
    def ledgers(**changes):
        request = request_for(methods=("clip",), aux="none", **changes)
        return [json.loads(path.read_text())["ledger"] for path, _ in run_plan(make_plan(request)).records]

    (ledger,) = ledgers(sweep=tuned_file)
    chosen = ledger["option_choice"]
    assert (chosen["how"], chosen["aux"], chosen["settings"]) == ("aux-validated", "btad", 2)
    assert (chosen["metric"], chosen["on_target"]) == ("pixel_auroc", False)
    assert not ledger["leak"]
    schema = json.loads((files("zsadbench") / "record.schema.json").read_text())["properties"]["ledger"]["properties"]
    assert set(schema["option_choice"]["required"]) == set(chosen)
    (other,) = ledgers(sweep=tuned_file, options=("normal=a {}",))
    assert "option_choice" not in other  # another option was changed, too


def test_options_chosen_on_the_target_are_refused_or_a_leak(tuned_file, request_for):
    request = request_for(methods=("clip",), targets=("btad",), aux="none", sweep=tuned_file)
    with pytest.raises(UsageError, match="chosen on 'btad', which is the target 'btad'; choose another --target"):
        make_plan(request)
    ((_, record),) = run_plan(make_plan(replace(request, allow_leak=True))).records
    assert record.ledger["grade"] == "same-set"
    assert "its options were chosen on the target" in record.not_comparable_because


def test_parts_of_one_set_without_a_common_class_are_no_leak(tuning_request):
    request = tuning_request(methods=("fbclip",), options=("context=4|12",))
    plan = make_tuning_plan(request, "pixel_auroc", 3).plans[0]
    results = run_plan(replace(plan, jobs=plan.jobs[:1]))
    ((_, record),) = results.records
    assert record.ledger["grade"] != "same-set"
    assert record.ledger["categories"] == []


def test_a_worker_process_makes_the_same_jobs_of_the_request(tuning_request):
    for plan in make_tuning_plan(tuning_request(), "pixel_auroc", 2).plans:
        request = pickle.loads(pickle.dumps(plan.request))
        assert [job.cell for job in make_plan(request, records=False).jobs] == [job.cell for job in plan.jobs]


@pytest.mark.parametrize(
    ("changes", "metric", "folds", "told"),
    [
        ({"options": ()}, "pixel_auroc", 2, "'clip' has one setting"),
        ({"options": ("temperature=0.01|0.010",)}, "pixel_auroc", 2, "'clip' has one setting"),
        ({}, "pixel_auroc", 4, "--folds is 4; 'btad' has 3 classes"),
        ({}, "pixel_auroc", 1, "--folds is 1; 'btad' has 3 classes"),
        ({}, "pixl_auroc", 2, "no metric named 'pixl_auroc'; did you mean 'pixel_auroc'"),
        ({"aux": "none"}, "pixel_auroc", 2, "tune learns and evaluates on an auxiliary set"),
        ({"targets": ("brainmri",), "aux": "brainmri"}, "pixel_auroc", 2, "'brainmri' has no masks"),
    ],
)
def test_what_cannot_be_tuned_is_refused(tuning_request, changes, metric, folds, told):
    with pytest.raises(UsageError, match=told):
        make_tuning_plan(tuning_request(**changes), metric, folds)

"""Means, marks and ranks over comparable numbers only."""

import pytest

from zsadbench.compare.frame import printed
from zsadbench.compare.measured import measured
from zsadbench.compare.summary import average_ranks, common_targets, marks, over_seeds, target_means


def scores_of(*records):
    return over_seeds(measured((None, record) for record in records))


def test_a_mean_over_seeds_has_the_sample_standard_deviation(make_record):
    scores = scores_of(
        *(make_record("m", "visa", {"a": value}, seed=seed) for seed, value in enumerate((0.8, 0.9, 0.85)))
    )
    score = scores["m", "visa", "a", "image_auroc"]
    assert score.value == pytest.approx(0.85)
    assert score.spread == pytest.approx(0.05)
    assert score.seeds == 3


def test_one_seed_has_no_spread(make_record):
    assert scores_of(make_record("m", "visa", {"a": 0.8}))["m", "visa", "a", "image_ap"].spread is None


def test_what_is_undefined_in_one_seed_is_undefined_with_its_reason(make_record):
    scores = scores_of(
        make_record("m", "visa", {"a": 0.8}), make_record("m", "visa", {"a": {"image_ap": None}}, seed=1)
    )
    assert scores["m", "visa", "a", "image_ap"][0] is None
    assert scores["m", "visa", "a", "image_ap"].reason == "no anomalous image"


def test_a_class_that_is_missing_leaves_no_mean(make_record):
    record = make_record("m", "visa", {"a": 0.8, "b": 0.9})
    del record.classes["b"]
    score = scores_of(record)["m", "visa", "mean", "image_auroc"]
    assert score.value is None
    assert "b" in score.reason


def test_runs_that_differ_in_more_than_the_seed_have_names_of_their_own(make_record):
    frame = measured(
        (None, record)
        for record in (
            make_record("m", "visa", {"a": 0.8}),
            make_record("m", "visa", {"a": 0.9}, options={"views": "id"}),
            make_record("m", "visa", {"a": 0.9}, limit=5),
            make_record("m", "btad", {"a": 0.7}, seed=1),
        )
    )
    by_target = {target: set(rows["entry"]) for target, rows in frame.groupby("target")}
    assert len(by_target["visa"]) == 3
    assert {"views=id" in name for name in by_target["visa"]} == {True, False}
    assert by_target["btad"] == {"m"}


def test_marks_tie_where_numbers_are_printed_alike():
    assert marks({"a": 0.92441, "b": 0.92439, "c": 0.924, "d": 0.9, "e": 0.1}) == {
        **dict.fromkeys("abc", "best"),
        "d": "second",
    }


def test_one_number_alone_is_not_best():
    assert marks({"a": 0.9, "b": None}) == {}


def test_printing_rounds_to_one_decimal_of_percent():
    assert (printed(0.86149), printed(0.8616)) == (86.1, 86.2)


@pytest.fixture
def three(make_record):
    """`a` beats `b` twice and ties once; `c` was not run on `btad`, and is not comparable on `mpdd`."""
    values = {"a": (0.9, 0.8, 0.7), "b": (0.8, 0.7, 0.7), "c": (0.95, None, 0.1)}
    records = []
    for method, numbers in values.items():
        for target, value in zip(("visa", "btad", "mpdd"), numbers, strict=True):
            because = ["limited"] if (method, target) == ("c", "mpdd") else []
            records += [make_record(method, target, {"x": value}, because=because)] if value is not None else []
    return scores_of(*records)


def test_common_cells_are_those_that_all_have_and_that_are_comparable(three):
    targets = ["visa", "btad", "mpdd"]
    assert common_targets(three, ["a", "b"], targets, ["image_auroc"]) == targets
    assert common_targets(three, ["a", "b", "c"], targets, ["image_auroc"]) == ["visa"]


def test_means_and_ranks_over_common_cells(three):
    targets = ["visa", "btad", "mpdd"]
    assert target_means(three, ["a", "b"], targets, "image_auroc") == pytest.approx({"a": 0.8, "b": 2.2 / 3})
    assert average_ranks(three, ["a", "b"], targets, "image_auroc") == pytest.approx({"a": 3.5 / 3, "b": 5.5 / 3})


def test_no_cells_no_mean(three):
    assert (
        target_means(three, ["a"], [], "image_auroc") == average_ranks(three, ["a"], [], "image_auroc") == {"a": None}
    )

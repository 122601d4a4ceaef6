"""Published numbers: every field is filled in, and what a paper does not state is `unknown`."""

import pytest

from zsadbench.compare.frame import COLUMNS, UNKNOWN, is_cost
from zsadbench.compare.printed_papers import papers
from zsadbench.compare.published import read_published


@pytest.fixture(scope="module")
def frame():
    return read_published()


def test_every_paper_has_its_numbers_in_the_columns_of_the_frame(frame):
    assert list(frame.columns) == COLUMNS
    assert frame.groupby("source").size().to_dict() == {"fbclip": 985, "afclip": 474, "mfpclip": 44}


def test_accuracies_are_fractions_and_costs_stand_as_printed(frame):
    cost = frame["metric"].map(is_cost)
    assert frame[~cost]["value"].between(0, 1).all()
    assert set(frame[cost & (frame["method"] == "fbclip")]["value"]) == {215.0, 3.3}


def test_every_table_is_described(frame):
    tables = set(zip(frame["source"], frame["table"], strict=True))
    assert tables == {(paper, number) for paper, about in papers().items() for number in about.tables}


def test_every_accuracy_says_who_computed_it_and_how_or_that_nobody_knows(frame):
    accuracy = frame[~frame["metric"].map(is_cost)]
    allowed = {
        "computed_by": {"original", "copied from afclip", UNKNOWN},
        "protocol": {"paper:fbclip", "paper:afclip", UNKNOWN},
        "split": {"card", UNKNOWN},
        "backbone": {"ViT-L-14-336", UNKNOWN},
    }
    for column, values in allowed.items():
        assert set(accuracy[column]) == values
    aupro = accuracy["metric"].str.startswith("pixel_aupro")
    assert set(accuracy[aupro]["aupro"]) == {"200_minmax", "200_max", UNKNOWN}
    assert set(accuracy[~aupro]["aupro"]) == {""}


def test_only_a_papers_own_method_is_original(frame):
    assert (
        frame[frame["computed_by"] == "original"]["method"] == frame[frame["computed_by"] == "original"]["source"]
    ).all()


def test_what_is_called_a_copy_equals_the_original(frame):
    place = ["target", "class", "metric"]
    copies = frame[frame["computed_by"] == "copied from afclip"]
    originals = frame[(frame["source"] == "afclip") & (frame["table"] == "1") & (frame["method"] == "afclip")]
    both = copies.merge(originals, on=place, suffixes=("", "_original"))
    assert len(both) == len(copies) == 32
    assert (both["value"] == both["value_original"]).all()


def test_a_published_aupro_is_never_filed_under_the_exact_one(frame):
    assert "pixel_aupro" not in set(frame["metric"])


def test_the_split_of_real_iad_in_fbclip_is_unknown(frame):
    rows = frame[(frame["source"] == "fbclip") & (frame["target"] == "realiad")]
    assert set(rows["split"]) == {UNKNOWN}

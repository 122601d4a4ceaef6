"""Two methods compared: gaps, intervals, tests, and the reasons where there is no gap."""

import pytest

from zsadbench.compare.significance.pair import pairings
from zsadbench.errors import UsageError

TARGETS = ("visa", "btad", "mpdd", "dagm", "dtd", "mvtec")


def line_of(found, class_name, metric="image_auroc", target="visa"):
    (line,) = [line for line in found.lines if line[:3] == (target, class_name, metric)]
    return line


def test_gaps_by_class_are_left_minus_right_in_points(make_board, make_record):
    records = [make_record("a", "visa", {"x": 0.9, "y": 0.7}), make_record("b", "visa", {"x": 0.8, "y": 0.75})]
    (found,) = pairings(make_board(records), "a", "b")
    assert [line_of(found, name).points for name in ("x", "y", "mean")] == pytest.approx([10.0, -5.0, 2.5])
    (turned,) = pairings(make_board(records), "b", "a")
    assert line_of(turned, "x").points == pytest.approx(-10.0)
    assert line_of(found, "x").interval is None  # these records have no scores of images
    low, high = line_of(found, "mean").interval
    assert (100 * low, 100 * high) == pytest.approx((-5.0, 10.0))  # classes are resampled


def test_scores_of_images_give_each_class_an_interval(board_with_images):
    (found,) = pairings(board_with_images, "a", "b")
    low, high = line_of(found, "x").interval
    assert high - low > 0.05
    assert line_of(found, "x", "pixel_auroc").interval is None


def test_over_data_sets_there_is_a_test_and_ranks_stand_among_all_methods(make_board, make_record):
    records = [
        make_record(name, target, {"x": value + number / 100})
        for name, value in (("a", 0.7), ("b", 0.6), ("c", 0.9))
        for number, target in enumerate(TARGETS)
    ]
    (found,) = pairings(make_board(records), "a", "b")
    (overall,) = [one for one in found.overall if one.metric == "image_auroc"]
    assert overall.difference.sets == 6
    assert overall.difference.mean == pytest.approx(0.1)
    assert overall.difference.p == pytest.approx(0.03125)  # one pair: nothing to correct for
    assert overall.rivals == 3
    assert overall.ranks == {"a": (1, 3), "b": (1, 3)}  # p of three pairs, corrected: 0.094
    (some,) = pairings(make_board(records), "a", "b", TARGETS[:2])
    assert {line.target for line in some.lines} == set(TARGETS[:2])
    assert some.overall[0].difference.p is None


def test_what_is_not_comparable_is_shown_and_stays_out_of_the_test(make_board, make_record):
    records = [make_record(name, "visa", {"x": 0.9}, because=["synthetic data"]) for name in "ab"]
    (found,) = pairings(make_board(records), "a", "b")
    assert line_of(found, "x").points == 0.0
    assert (list(found.overall), list(found.remarks)) == ([], ["synthetic data"])


def test_other_images_are_no_pair(make_board, make_record):
    limited = make_record("b", "visa", {"x": 0.8}, limit=5, because=["limited"])
    (found,) = pairings(make_board([make_record("a", "visa", {"x": 0.9}), limited]), "a", "b")
    line = line_of(found, "x")
    assert (line.points, line.interval) == (None, None)
    assert line.because == "other images: card against first 5 per label and class"
    assert list(found.overall) == []
    copy = make_record("b", "visa", {"x": 0.8})
    copy.cell["target"]["fingerprint"] = "c" * 64
    (found,) = pairings(make_board([make_record("a", "visa", {"x": 0.9}), copy]), "a", "b")
    assert line_of(found, "x").because == "other copies of the set"


def test_a_class_or_number_that_is_missing_is_said(make_board, make_record):
    left = make_record("a", "visa", {"x": {"image_auroc": None}, "y": 0.5})
    (found,) = pairings(make_board([left, make_record("b", "visa", {"x": 0.9})]), "a", "b")
    assert line_of(found, "x").because == "no anomalous image"
    assert (line_of(found, "y").because, line_of(found, "y").right.value) == ("not evaluated", None)


def test_protocols_are_never_mixed(make_board, make_record):
    other = {"protocol": {"name": "strict-raw", "digest": "d"}}
    records = [make_record("a", "visa", {"x": 0.9}), make_record("b", "visa", {"x": 0.8}, **other)]
    with pytest.raises(UsageError, match="share no data set under one protocol"):
        pairings(make_board(records), "a", "b")
    records += [make_record("a", "visa", {"x": 0.7}, **other)]
    (found,) = pairings(make_board(records), "a", "b")
    assert line_of(found, "x").points == pytest.approx(-10.0)


def test_each_stands_beside_its_published_number_with_a_verdict(make_board, make_record):
    paper = {"protocol": {"name": "paper:fbclip", "digest": "d"}}
    records = [make_record(name, "visa", {"candle": 0.895}, **paper) for name in ("fbclip", "afclip")]
    (found,) = pairings(make_board(records), "fbclip", "afclip")
    verdicts = {
        (gap.entry, gap.paper, gap.table): (gap.verdict, gap.because)
        for gap in found.published
        if (gap.class_name, gap.metric) == ("mean", "image_auroc")
    }
    assert verdicts["fbclip", "fbclip", "1"] == ("agrees", "")
    assert verdicts["afclip", "afclip", "1"] == (
        "not comparable",
        "protocol: paper:fbclip, published with paper:afclip",
    )


@pytest.mark.parametrize(
    ("left", "right", "more", "said"),
    [
        ("a", "bb", {}, "no measured method named 'bb'"),
        ("<script>", "a", {}, "no measured method named '<script>'"),
        ("a", "a", {}, "both mean 'a'"),
        ("a", "b", {"targets": ["viza"]}, "no measured data set named 'viza'; did you mean 'visa'"),
        ("a", "b", {"metrics": ["image_auc"]}, "no measured metric named 'image_auc'; did you mean 'image_auroc'"),
        ("c", "a", {}, "'c' was run in 2 ways: 'c [views=id]', 'c [views=sem]'"),
        ("a", "d", {}, "share no data set"),
    ],
)
def test_what_cannot_be_compared_is_one_line(make_board, make_record, left, right, more, said):
    records = [make_record(name, "visa", {"x": 0.9}) for name in "ab"] + [make_record("d", "btad", {"x": 0.9})]
    records += [make_record("c", "visa", {"x": 0.9}, options={"views": view}) for view in ("id", "sem")]
    with pytest.raises(UsageError) as caught:
        pairings(make_board(records), left, right, **more)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)

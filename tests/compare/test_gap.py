"""Measured against published numbers: the verdict, and the reason why numbers are not comparable."""

import pytest

from zsadbench.compare.gap import conflicts, gaps

PAPER = {"protocol": {"name": "paper:fbclip", "digest": "d" * 12}}


def verdicts(board, metric="image_auroc"):
    return [
        (one.verdict, one.because)
        for one in gaps(board.frame)
        if one.metric == metric and one.class_name == "mean" and one.table == "1"
    ]


@pytest.mark.parametrize(
    ("value", "verdict"), [(0.895, "agrees"), (0.892, "agrees"), (0.898, "agrees"), (0.8919, "drifts"), (0.9, "drifts")]
)
def test_a_gap_of_three_tenths_still_agrees(make_board, make_record, value, verdict):
    board = make_board([make_record("fbclip", "visa", {"candle": value}, **PAPER)])
    assert verdicts(board) == [(verdict, "")]


def test_two_standard_deviations_widen_the_band(make_board, make_record):
    seeds = [
        make_record("fbclip", "visa", {"candle": value}, seed=seed, **PAPER)
        for seed, value in enumerate((0.895, 0.905))
    ]
    assert verdicts(make_board(seeds)) == [("agrees", "")]
    assert verdicts(make_board([make_record("fbclip", "visa", {"candle": 0.9}, **PAPER)])) == [("drifts", "")]


@pytest.mark.parametrize(("value", "verdict"), [(0.896, "agrees"), (0.897, "drifts")])
def test_a_published_checkpoint_leaves_a_tenth(make_board, make_record, value, verdict):
    record = make_record("fbclip", "visa", {"candle": value}, checkpoint_sha256="c" * 64, **PAPER)
    assert verdicts(make_board([record])) == [(verdict, "")]
    record.ledger["epoch_choice"] = "fixed"  # our own training, given as a file
    assert verdicts(make_board([record])) == [("agrees", "")]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({}, "protocol: strict, published with paper:fbclip"),
        ({**PAPER, "backbone": "ViT-B-16"}, "backbone: ViT-B-16"),
        ({**PAPER, "partial": True}, "split: partial"),
        ({**PAPER, "options": {"views": "id"}}, "options: views=id"),
        ({**PAPER, "because": ["random weights"]}, "random weights"),
    ],
)
def test_not_comparable_names_the_field(make_board, make_record, changes, field):
    ((verdict, because),) = verdicts(make_board([make_record("fbclip", "visa", {"candle": 0.895}, **changes)]))
    assert verdict == "not comparable"
    assert because.startswith(field)


def test_a_published_aupro_meets_its_own_variant_only(make_board, make_record):
    board = make_board([make_record("fbclip", "visa", {"candle": 0.914}, **PAPER)])
    assert verdicts(board, "pixel_aupro_200") == [("agrees", "")]
    assert verdicts(board, "pixel_aupro") == verdicts(board, "pixel_aupro_200_max") == []


def test_an_unknown_field_is_no_match(make_board, make_record):
    board = make_board(
        [make_record("anomalyclip", "visa", {"candle": 0.821}, protocol={"name": "paper:anomalyclip", "digest": "d"})]
    )
    assert set(verdicts(board)) == {("not comparable", "protocol of the published number is unknown")}


def test_classes_are_compared_with_the_appendix(make_board, make_record):
    board = make_board([make_record("fbclip", "visa", {"candle": 0.921}, **PAPER)])
    found = {
        (one.table, one.verdict)
        for one in gaps(board.frame)
        if one.class_name == "candle" and one.metric == "image_auroc"
    }
    assert found == {("11", "agrees")}


def test_conflicts_between_papers_are_found(make_board):
    found = {(one.method, one.target, one.metric): one.numbers for one in conflicts(make_board([]).frame)}
    assert found["winclip", "brainmri", "image_auroc"] == (
        ("fbclip", "1", pytest.approx(0.866)),
        ("afclip", "1", pytest.approx(0.966)),
    )
    assert len(found) == 12

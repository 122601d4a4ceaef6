"""Several records of one run: equal copies count once; contradictory ones are logged and left out."""

import logging
from pathlib import Path

import pytest

from zsadbench.compare.deduplicate import drop_contradictions
from zsadbench.compare.tables.ablation import measured_ablation_tables
from zsadbench.records import identity


def kept(*records):
    return [
        path.name
        for path, _ in drop_contradictions((Path(f"{number}.json"), one) for number, one in enumerate(records))
    ]


def test_copies_of_one_record_count_once_and_the_fullest_stays(make_record, caplog):
    part = make_record("m", "visa", {"x": 0.9})
    whole = make_record("m", "visa", {"x": 0.9 + 1e-5, "y": 0.8})
    assert kept(part, whole, make_record("m", "visa", {"x": 0.1}, seed=1)) == ["1.json", "2.json"]
    assert not [entry for entry in caplog.records if entry.levelno >= logging.WARNING]


@pytest.mark.parametrize("value", [0.8, None, 0.0])
def test_contradictions_are_named_and_left_out_and_the_rest_stays(make_record, caplog, value):
    one, other = make_record("m", "visa", {"x": 0.9}), make_record("m", "visa", {"x": {"image_ap": value}})
    for metric in set(one.classes["x"]) - {"image_ap"}:
        other.classes["x"][metric] = 0.9
    assert kept(one, other, make_record("n", "visa", {"x": 0.5})) == ["2.json"]
    (entry,) = caplog.records
    assert entry.getMessage() == (
        f"left out: '0.json' and '1.json' are one run with different numbers (x, image_ap: 0.9 and {value})"
    )


def test_an_edited_copy_with_the_signature_of_another_run_keeps_a_cell_of_its_own(make_record, make_board, caplog):
    paper = {"protocol": {"name": "paper:fbclip", "digest": "d" * 12}, "signature": "fbclip|seed:0|0123456789abcdef"}
    whole = make_record("fbclip", "visa", {"candle": 0.9}, **paper)
    copy = make_record("renamed", "visa", {"candle": 0.8}, **paper)
    records = drop_contradictions([(Path("0.json"), whole), (Path("1.json"), copy)])
    signatures = [record.signature for _, record in records]
    assert signatures[0] == whole.signature
    assert signatures[1] == f"fbclip|seed:0|{identity(copy.cell)[:16]}"
    assert "'1.json' has the signature of '0.json', another run" in caplog.text
    tables = measured_ablation_tables(make_board([record for _, record in records]))  # the copy's method has no card
    assert "fbclip-table2-measured-1" in {table.key for table in tables}

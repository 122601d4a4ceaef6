"""Several records of one run: copies count once, contradictions not at all, and are named."""

import logging
from pathlib import Path

import pytest

from zsadbench.compare.soundness import sound


def kept(*records):
    return [path.name for path, _ in sound((Path(f"{number}.json"), one) for number, one in enumerate(records))]


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

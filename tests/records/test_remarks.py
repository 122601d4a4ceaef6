"""Remarks on the data of a record, as they stand below its table."""

import pytest

from zsadbench.cli.tables.results import remarks
from zsadbench.errors import ZsadError
from zsadbench.records import data_remarks, validate


@pytest.fixture
def record(make_record):
    """`record(provenance, **counts)` makes a record of two classes with these counts in the first."""

    def make(provenance=None, **counts):
        made = make_record("clip", "folder:caps", {"cap": 0.5, "nut": 0.5}, image_size=518)
        made.counts["cap"] |= {"anomalous": 4, "regions_native": 9, **counts}
        made.provenance = provenance or {}
        return made

    return make


def test_a_record_without_oddities_has_none(record):
    assert data_remarks(record()) == []
    assert data_remarks(record(left_out=0, regions_lost=0, masks_emptied=0)) == []


def test_files_that_were_not_read_are_told_with_the_first(record):
    made = record({"data_left_out": {"number": 12, "first": "test/dent/cam1/000.png"}}, left_out=11)
    line = "12 files that are or claim to be images are not read, first 'test/dent/cam1/000.png'"
    assert data_remarks(made) == [line]
    assert line in remarks(made)
    assert data_remarks(record(left_out=3)) == ["3 files that are or claim to be images are not read"]


@pytest.mark.parametrize(
    ("counts", "line"),
    [
        ({"masks_emptied": 3}, "3 of 5 masks are blank at 518×518; "),
        ({"masks_emptied": 3, "regions_lost": 4}, "3 of 5 masks are blank at 518×518 (4 of 9 regions vanish); "),
        ({"regions_lost": 2}, "2 of 9 regions vanish at 518×518; "),
    ],
)
def test_what_vanishes_at_the_evaluated_size_is_told_with_the_way_out(record, counts, line):
    assert data_remarks(record(**counts)) == [
        f"{line}evaluate at a larger --image-size or with --protocol strict-native"
    ]


def test_unusual_masks_are_told(record):
    made = record({"data_warnings": ["cap: 4 of 4 masks are blank, first 'a'"]})
    assert data_remarks(made) == ["cap: 4 of 4 masks are blank, first 'a'"]


def test_a_record_with_remarks_and_one_of_before_are_valid(record):
    about = {"data_left_out": {"number": 1, "first": "a"}, "data_warnings": ["x"]}
    for made in (record(about, left_out=1, regions_lost=2, masks_emptied=1), record()):
        validate(made.as_json())


@pytest.mark.parametrize("wrong", [{"data_left_out": {"number": 0, "first": "a"}}, {"data_warnings": [""]}])
def test_the_schema_knows_what_a_record_says_of_its_data(record, wrong):
    with pytest.raises(ZsadError, match=next(iter(wrong))):
        validate(record(wrong).as_json())

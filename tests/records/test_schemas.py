"""The schemas of what is written: the first thing that is wrong, and where, in one line."""

import pytest

from zsadbench.errors import ZsadError
from zsadbench.records.schemas import check_schema
from zsadbench.records.sidecars import Sidecars


@pytest.mark.parametrize("kind", ["record", "details"])
def test_a_file_that_lacks_what_it_must_have_is_told_in_one_line(kind):
    with pytest.raises(ZsadError, match=rf"^no valid {kind}: at the top: 'schema' is a required property$"):
        check_schema({}, kind)


def test_the_place_of_a_fault_is_named_and_what_stands_there_is_cut():
    wrong = {"schema": 1, "identity": "0" * 64, "area_edges": "none " * 99, "classes": {}}
    with pytest.raises(ZsadError, match=r"^no valid details: at area_edges: 'none none ") as caught:
        check_schema(wrong, "details")
    assert len(str(caught.value)) < 260


def test_details_that_are_not_valid_are_not_written(tmp_path):
    with pytest.raises(ZsadError, match="no valid details: at classes/bolt"):
        Sidecars("0" * 64, details={"bolt": {"parts": 1}}).write(tmp_path / "0123456789abcdef.json", "bolt")
    assert list(tmp_path.iterdir()) == []

"""Validation against the schemas: one line with the first error and its position."""

import pytest

from zsadbench.errors import ZsadError
from zsadbench.records.schemas import check_schema
from zsadbench.records.sidecars import Sidecars


@pytest.mark.parametrize("kind", ["record", "details"])
def test_a_missing_property_is_one_line(kind):
    with pytest.raises(ZsadError, match=rf"^no valid {kind}: at the top: 'schema' is a required property$"):
        check_schema({}, kind)


def test_the_position_is_named_and_the_value_is_shortened():
    wrong = {"schema": 1, "identity": "0" * 64, "area_edges": "none " * 99, "classes": {}}
    with pytest.raises(ZsadError, match=r"^no valid details: at area_edges: 'none none ") as caught:
        check_schema(wrong, "details")
    assert len(str(caught.value)) < 260


def test_details_that_are_not_valid_are_not_written(tmp_path):
    with pytest.raises(ZsadError, match="no valid details: at classes/bolt"):
        Sidecars("0" * 64, details={"bolt": {"parts": 1}}).write(tmp_path / "0123456789abcdef.json", "bolt")
    assert list(tmp_path.iterdir()) == []

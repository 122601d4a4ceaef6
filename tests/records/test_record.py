"""Records on disk: an edited, damaged or foreign file is named and left out, never used and never a traceback."""

import copy
import json
import logging
import math

import pandas as pd
import pytest

from zsadbench.compare import board_of
from zsadbench.errors import ZsadError
from zsadbench.records import (
    find_records,
    identity,
    is_stale,
    read_images,
    read_record,
    read_results,
    record_path,
    stale_records,
    write_record,
)


@pytest.fixture
def images():
    """The images of two classes, one row per image."""
    rows = [(f"{name}/{label}.png", name, label, "-", label / 2, 0.1) for name in ("bolt", "nut") for label in (0, 1)]
    return pd.DataFrame(rows, columns=["path", "class", "label", "defect", "score", "seconds"])


@pytest.fixture
def written(make_record, images, tmp_path):
    """The path of a record of two classes."""
    record = make_record("clip", "visa", {"bolt": 0.75, "nut": 0.5})
    path = record_path(tmp_path / "results", record.cell)
    write_record(path, record, images)
    return path


def places(value, place=()):
    """Every place in a JSON value that holds no further values."""
    if isinstance(value, dict | list) and value:
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, part in items:
            yield from places(part, (*place, key))
    else:
        yield place


def put(content, place, value):
    """A copy of the content with another value at a place."""
    changed = copy.deepcopy(content)
    part = changed
    for key in place[:-1]:
        part = part[key]
    part[place[-1]] = value
    return changed


def refused(path, content, caplog):
    """Write a content and return why it is refused; it must be named and left out, and others stay."""
    path.write_text(json.dumps(content))
    with pytest.raises(ZsadError) as caught:
        read_record(path)
    caplog.clear()
    assert list(find_records(path.parents[2])) == []
    assert str(path) in caplog.text
    return str(caught.value)


def test_a_record_that_was_written_is_read(written):
    assert read_record(written).as_json() == json.loads(written.read_text())
    elsewhere = written.parent.rename(written.parents[2] / "kept")
    assert read_record(elsewhere / written.name)
    assert read_record((elsewhere / written.name).rename(elsewhere / "copy of it.json"))


def test_every_edited_entry_of_the_cell_is_seen(written, caplog):
    content = json.loads(written.read_text())
    for place in places(content["cell"], ("cell",)):
        part = content
        for key in place:
            part = part[key]
        for value in ("f" * 64, 7, None, [1]):
            if value != part:
                reason = refused(written, put(content, place, value), caplog)
                assert "it was edited" in reason or "no valid record" in reason, (place, value)
    for name in content["cell"]:
        without = put(content, ("cell",), {key: value for key, value in content["cell"].items() if key != name})
        assert refused(written, without, caplog)
    assert "it was edited" in refused(written, put(content, ("cell", "options"), {"views": 2}), caplog)


@pytest.mark.parametrize("value", ["0" * 64, "f" * 16, "", None, 3])
def test_an_edited_identity_is_seen(written, caplog, value):
    refused(written, put(json.loads(written.read_text()), ("identity",), value), caplog)


RESULTS = ("classes", "bounds", "mean", "mean_classes", "undefined", "counts", "ledger", "comparable", "expected")


def test_every_edited_result_is_seen(written, caplog):
    content = json.loads(written.read_text())
    for name in RESULTS:
        for place in places(content[name], (name,)):
            part = content
            for key in place:
                part = part[key]
            value = {bool: not part, float: 0.123, int: 99, str: "another", type(None): 0.5}.get(
                type(part), ["another"]
            )
            assert refused(written, put(content, place, value), caplog), place


def test_a_record_of_an_earlier_version_has_no_digest(written):
    content = json.loads(written.read_text())
    del content["digest"]
    written.write_text(json.dumps(content))
    assert read_record(written).classes == content["classes"]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(
    "place",
    [
        ("classes", "bolt", "image_auroc"),
        ("cell", "options"),
        ("mean", "pixel_ap"),
        ("cost", "images_per_second"),
        ("provenance", "note"),
        ("bounds", "bolt"),
    ],
)
def test_numbers_that_are_not_finite_are_seen(written, caplog, place, value):
    wrapped = {"options": {"x": value}, "bolt": {"image_auroc": [0.5, value]}}.get(place[-1], value)
    reason = refused(written, put(json.loads(written.read_text()), place, wrapped), caplog)
    assert f"the number at {'/'.join(place)}" in reason or "no valid record" in reason


@pytest.mark.parametrize("value", ["0.5", True, [], {}, 1.5, -0.1, 1e999])
def test_class_values_are_fractions_or_null(written, caplog, value):
    refused(written, put(json.loads(written.read_text()), ("classes", "bolt", "image_ap"), value), caplog)


@pytest.mark.parametrize(("field", "value"), [("expected", ["bolt"]), ("counts", {}), ("expected", ["Bolt", "nut"])])
def test_classes_that_nothing_else_names_are_seen(written, caplog, field, value):
    reason = refused(written, put(json.loads(written.read_text()), (field,), value), caplog)
    assert "is not among those expected, or has no counts" in reason


def test_other_records_stay(written, make_record, images):
    other = make_record("afclip", "visa", {"bolt": 0.25, "nut": 0.5})
    path = record_path(written.parents[2], other.cell)
    write_record(path, other, images)
    written.write_text(written.read_text().replace('"seed": 0', '"seed": 1'))
    assert [found for found, _ in find_records(written.parents[2])] == [path]
    assert set(read_results(written.parents[2])["method"]) == {"afclip"}
    assert [found for found, _ in board_of(written.parents[2]).records] == [path]


# ---- the table of images


def test_the_table_is_read_as_it_was_written(written, images):
    pd.testing.assert_frame_equal(read_images(written), images)
    pd.testing.assert_frame_equal(pd.read_parquet(written.with_suffix(".parquet")), images)


def test_a_table_of_an_earlier_version_is_read(written, images):
    images.to_parquet(written.with_suffix(".parquet"), index=False)
    pd.testing.assert_frame_equal(read_images(written), images)


def damaged_tables(path, images):
    whole = path.read_bytes()
    yield b""
    yield whole[:-8]
    yield whole[: len(whole) // 2]
    yield whole[:4] + bytes(len(whole) - 8) + whole[-4:]
    yield b"not a table"
    for column in ("path", "class", "label", "score"):
        images.drop(columns=column).to_parquet(path, index=False)
        yield path.read_bytes()
        images.assign(**{column: [None] * len(images)}).to_parquet(path, index=False)
        yield path.read_bytes()
    for column, value in (("score", math.nan), ("score", math.inf), ("score", "0.5"), ("label", "1"), ("class", 3)):
        images.assign(**{column: value}).to_parquet(path, index=False)
        yield path.read_bytes()


def test_a_damaged_table_is_named_and_left_out(written, images, caplog):
    table = written.with_suffix(".parquet")
    for content in damaged_tables(table, images):
        table.write_bytes(content)
        caplog.clear()
        assert read_images(written) is None
        assert f"'{table}' is left out" in caplog.text
    table.unlink()
    caplog.clear()
    assert read_images(written) is None
    assert not caplog.records


def test_every_flipped_byte_is_an_answer_or_a_warning(written):
    """The checksums of Parquet are off by default, so a flipped value may pass; nothing may raise."""
    table = written.with_suffix(".parquet")
    whole = table.read_bytes()
    logging.getLogger("zsadbench.records.tables").setLevel(logging.ERROR)
    for place in range(len(whole) - 1, 0, -23):
        table.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        read_images(written)
    logging.getLogger("zsadbench.records.tables").setLevel(logging.NOTSET)


def test_the_table_of_another_record_is_left_out(written, make_record, images, caplog):
    other = make_record("afclip", "visa", {"bolt": 0.25, "nut": 0.5})
    path = record_path(written.parents[2], other.cell)
    write_record(path, other, images)
    path.with_suffix(".parquet").replace(written.with_suffix(".parquet"))
    assert read_images(written) is None
    assert f"it belongs to the record {identity(other.cell)[:16]}" in caplog.text


# ---- earlier identity schemes


def test_records_of_earlier_schemes_are_told_from_new_ones(written, make_record, images):
    new = make_record("clip", "visa", {"bolt": 0.75}, code={"method": "1", "pipeline": "1"})
    assert not is_stale(new.cell)
    assert is_stale(read_record(written).cell)
    out = written.parents[2]
    (written.parent / "0.json").write_text("{")
    (written.parent / "1.json").write_text('{"cell": 3}')
    (written.parent / "2.json").write_text("[]")
    assert stale_records(out) == [written]
    assert [path for path, _ in find_records(out)] == [written], "they are still reported"
    assert stale_records(out / "nothing") == []

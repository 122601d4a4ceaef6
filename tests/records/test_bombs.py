"""Sidecar files that inflate to more than they should are left out with a warning."""

import gzip
import io
import zipfile

import numpy as np
import pytest

from zsadbench.records import sidecars
from zsadbench.records.sidecars import DETAILS, SPREAD, read_arrays, read_details, write_arrays


def test_details_that_inflate_without_end_are_left_out(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(sidecars, "LONGEST_DETAILS", 1 << 20)
    record = tmp_path / "0123456789abcdef.json"
    record.with_suffix(DETAILS).write_bytes(gzip.compress(b" " * (2 << 20)))
    assert read_details(record) is None
    assert "they inflate to more than 1 MiB" in caplog.text


def test_arrays_that_do_not_fit_into_memory_are_not_inflated(tmp_path, caplog, monkeypatch):
    path = tmp_path / f"x{SPREAD}"
    write_arrays(path, {"cap": {"counts": np.zeros(1 << 20)}})
    monkeypatch.setattr(sidecars.os, "sysconf", lambda name: 1 << 10)
    monkeypatch.setattr(zipfile.ZipFile, "open", lambda *_: pytest.fail("inflated"))
    assert read_arrays(path) is None
    assert "they inflate to 8 MiB, more than half of the memory" in caplog.text


@pytest.mark.parametrize("shape", [(1 << 60,), (1 << 20, 1 << 20), (5,)])
def test_arrays_whose_header_lies_are_left_out(tmp_path, caplog, shape):
    path, buffer = tmp_path / f"x{SPREAD}", io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": "<f8", "fortran_order": False, "shape": shape})
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("cap/counts.npy", buffer.getvalue() + bytes(8))
    assert read_arrays(path) is None
    assert "no readable arrays" in caplog.text


def test_arrays_come_back(tmp_path):
    path = tmp_path / f"x{SPREAD}"
    write_arrays(path, {"cap": {"counts": np.arange(3)}})
    assert read_arrays(path)["cap"]["counts"].tolist() == [0, 1, 2]

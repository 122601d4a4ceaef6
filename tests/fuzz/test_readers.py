"""A few damaged files for every reader; `python -m tools.fuzz --minutes 60` feeds many more."""

import random
import warnings

import pytest

from tools.fuzz.__main__ import fault_of
from tools.fuzz.mutations import MUTATIONS, damaged
from tools.fuzz.readers import Reader, make_readers
from zsadbench.errors import DataError

INPUTS = 40  # per reader


@pytest.mark.slow
def test_no_reader_fails_on_damaged_files(tmp_path):
    chance, faults = random.Random(7), []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of decoders
        for reader in make_readers(tmp_path):
            original = reader.file.read_bytes()
            for _ in range(INPUTS):
                fault = fault_of(reader, damaged(original, chance))
                faults += [f"{reader.family}, {reader.file.name}: {fault}"] if fault else []
            reader.file.write_bytes(original)
    assert not faults


@pytest.mark.parametrize("mutate", MUTATIONS, ids=lambda one: one.__name__)
@pytest.mark.parametrize("content", [b"", b"x", b'{"a": {"b": [1, "c"]}}', b"[t]\na = 1\n", bytes(range(256))])
def test_every_mutation_takes_every_content(mutate, content):
    assert {type(mutate(content, random.Random(seed))) for seed in range(20)} == {bytes}


def test_faults_are_told_apart(tmp_path):
    def raising(failure):
        def read(path):
            raise failure

        return read

    def fault(read, **more):
        return fault_of(Reader("x", tmp_path / "file", read, **more), b"")

    assert fault(len).startswith("TypeError")
    assert fault(raising(SystemExit(1))).startswith("SystemExit")
    assert not fault(raising(DataError("damaged")))
    assert fault(raising(DataError("damaged")), strict=True) == "raises DataError: damaged"
    assert fault(raising(DataError("a\nb\nc\nd\ne"))).startswith("a message of 5 lines")
    assert not fault(lambda path: path.read_bytes(), strict=True)

"""A few damaged files for every reader; `python -m tools.fuzz --minutes 60` feeds many more."""

import random
import warnings
from collections import Counter

import pytest

from tools.fuzz.__main__ import fault_of
from tools.fuzz.mutations import MUTATIONS, damaged
from tools.fuzz.odd import outcomes
from tools.fuzz.readers import Reader, make_readers
from zsadbench.errors import DataError

INPUTS = 40  # per reader
PICTURES = {"one pixel", "of 1 bit", "CMYK", "with a palette"}
SOUND = {  # family → odd inputs that are read
    "tables (csv:)": {
        *("saved by a spreadsheet with a mark at the start", "lines of an old Mac"),
        *("a line of blanks at the end", "paths of Windows"),
    },
    "meta.json": {"numbers as texts"},
    "cards": {"tabs and lines of Windows"},
    "scores.csv": {"columns in another order"},
    "checkpoints and weights": {
        "a list of tensors",
        "a training state with an optimiser",
    },  # of no method: refused later
    "images": PICTURES,
    "masks": PICTURES,
    "zsadbench.toml": {"empty", "a number where a text belongs"},  # of another verb
}


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


@pytest.mark.slow
def test_no_odd_input_is_silent(tmp_path):
    """Ten per reader; what is refused or left out is said in one line, and only sound content is read."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = list(outcomes(tmp_path))
    assert set(Counter(one.family for one in found).values()) == {10}
    for one in found:
        assert one.said or one.what in {"read", "made again"}, one
        assert "\n" not in one.said, one
    read: dict[str, set[str]] = {}
    for one in found:
        if one.what == "read":
            read.setdefault(one.family, set()).add(one.name)
    assert read == SOUND


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

"""How the values of flags are written."""

from pathlib import Path

import pytest

from zsadbench.errors import UsageError
from zsadbench.flags import forms


@pytest.mark.parametrize(
    ("form", "parsed", "value"),
    [
        (forms.NAMES, ["a, b", "a", "csv:x,y.csv"], ("a", "b", "csv:x,y.csv")),
        (forms.NAMES, None, ()),
        (forms.NUMBERS, ["1,2", "3"], (1, 2, 3)),
        (forms.OPTIONS, ["views=id,sem,bs=true"], ("views=id,sem", "bs=true")),
        (forms.PATHS, [Path("a,b")], (Path("a,b"),)),
        (forms.SIZE, "500MB", 500 * 2**20),
        (forms.SIZE, None, None),
        (forms.COUNT, "auto", None),
        (forms.COUNT, "8", 8),
        (forms.NAME_LIST, "fp32,bf16", ("fp32", "bf16")),
        (forms.NUMBER_LIST, "1,8", (1, 8)),
    ],
)
def test_text_becomes_the_value_of_a_field(form, parsed, value):
    assert form.read(parsed, "--flag") == value


@pytest.mark.parametrize(
    ("form", "parsed", "message"),
    [
        (forms.NUMBERS, ["one"], "--flag takes whole numbers, not 'one'"),
        (forms.SIZE, "much", "--flag is 'much'; it takes a size such as 20GiB or 500MiB"),
        (forms.COUNT, "many", "--flag is 'many'; it takes 'auto' or a number"),
    ],
)
def test_text_that_cannot_be_read_is_refused(form, parsed, message):
    with pytest.raises(UsageError, match=message):
        form.read(parsed, "--flag")


@pytest.mark.parametrize(
    ("form", "passed", "value"),
    [
        (forms.NAMES, "clip", ("clip",)),
        (forms.NAMES, ["a", "b"], ("a", "b")),
        (forms.NUMBERS, 3, (3,)),
        (forms.NUMBERS, range(2), (0, 1)),
        (forms.PATH, "out", Path("out")),
        (forms.PATH, None, None),
        (forms.PATHS, "data", (Path("data"),)),
        (forms.PATHS, [Path("a"), "b"], (Path("a"), Path("b"))),
        (forms.SIZE, 5, 5),
    ],
)
def test_what_a_python_caller_passes_becomes_the_value_of_a_field(form, passed, value):
    assert form.normalise(passed) == value

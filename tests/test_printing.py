"""Names as they are printed: on one line, nothing hidden, and those that can be read as they are."""

from hypothesis import given
from hypothesis import strategies as st

from zsadbench.printing import one_line

SPELLED = {
    "a\nb": r"a\nb",
    "a\r\nb": r"a\r\nb",
    "a\tb": r"a\tb",
    "\x1b[2J": r"\x1b[2J",
    "\x7f\x9b": r"\x7f\x9b",
    "\u2028\u2029\x85": r"\u2028\u2029\x85",
    "\u202egnp.exe": r"\u202egnp.exe",
    "\udcff.png": r"\udcff.png",  # a file name that is no UTF-8, as Python holds it
    "\uffff": r"\uffff",
}
LEFT_ALONE = ("metal_nut", "", "C:\\new", "Größe 中文 ✓", "a\u3000b\xa0c", "{x} [red] <b>", "e\u0301")


def test_what_would_be_hidden_or_break_the_line_is_spelled_out():
    assert {text: one_line(text) for text in SPELLED} == SPELLED


def test_what_can_be_read_stays():
    assert [one_line(text) for text in LEFT_ALONE] == list(LEFT_ALONE)


@given(st.text(alphabet=st.characters()) | st.text(alphabet=st.characters(categories=["Cc", "Cf", "Cs", "Zl", "Zp"])))
def test_whatever_it_was_it_is_one_line_of_utf8_and_stays_as_it_is(text):
    shown = one_line(text)
    assert len(shown.splitlines()) <= 1
    assert shown.encode().decode() == shown == one_line(shown)

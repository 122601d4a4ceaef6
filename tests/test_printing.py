"""Printing names safely: on one line, with escapes only for characters that are not printable."""

from hypothesis import given
from hypothesis import strategies as st

from zsadbench.printing import one_line

ESCAPED = {
    "a\nb": r"a\nb",
    "a\r\nb": r"a\r\nb",
    "a\tb": r"a\tb",
    "\x1b[2J": r"\x1b[2J",
    "\x7f\x9b": r"\x7f\x9b",
    "\u2028\u2029\x85": r"\u2028\u2029\x85",
    "\u202egnp.exe": r"\u202egnp.exe",
    "\udcff.png": r"\udcff.png",  # a file name that is no UTF-8, as Python represents it
    "\uffff": r"\uffff",
}
UNCHANGED = ("metal_nut", "", "C:\\new", "Größe 中文 ✓", "a\u3000b\xa0c", "{x} [red] <b>", "e\u0301")


def test_characters_that_are_not_printable_are_escaped():
    assert {text: one_line(text) for text in ESCAPED} == ESCAPED


def test_printable_text_is_unchanged():
    assert [one_line(text) for text in UNCHANGED] == list(UNCHANGED)


@given(st.text(alphabet=st.characters()) | st.text(alphabet=st.characters(categories=["Cc", "Cf", "Cs", "Zl", "Zp"])))
def test_the_result_is_one_line_of_utf8_and_a_second_call_changes_nothing(text):
    shown = one_line(text)
    assert len(shown.splitlines()) <= 1
    assert shown.encode().decode() == shown == one_line(shown)

"""BibTeX that somebody wrote: what is taken, and every fault with its line."""

import pytest

from zsadbench.bibtex import BibtexError, read_entries
from zsadbench.references import references

GOOD = "@misc{k, title = {A}}"


def test_all_shipped_entries_are_read_as_they_are():
    written = [reference.bibtex for reference in references().values()]
    assert read_entries("\n\n".join(written)) == dict(zip(references(), written, strict=True))


@pytest.mark.parametrize(
    ("text", "entry"),
    [
        ("% a comment\n@Article { key , title = {A {B} \\} c}}", "@article{key, title = {A {B} \\} c}}"),
        ('@misc{a.b:c/d-e, title = "x {\\"o} y", month = jan, year = 2020,}', None),
        ('@misc{k, title = "a" # {b} # 12 }', None),
        ("a remark {x}\n" + GOOD, GOOD),
    ],
)
def test_what_is_taken(text, entry):
    (found,) = read_entries(text).values()
    assert found == (entry or text)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "line 1: no entry"),
        ("@misc{k, title = {A}", "lacks a comma between fields, or its last brace"),
        ("\n@misc{k,\n title = {A", "line 3: 'k', field 'title': the brace is not closed"),
        ('@misc{k, title = "A}', "closes that was not opened"),
        ("@misc{k title = {A}}", "lacks a comma"),
        ("@misc{k, title {A}}", "needs a field here"),
        ("@misc{k, title = foo}", "a value is text in braces or quotes"),
        ("@misc{k, title = {A}, Title = {B}}", "has the field 'title' twice"),
        ("@misc{, title = {A}}", "has no key"),
        ("@misc{k, year = 2020}", "has no title"),
        (f"{GOOD}\n{GOOD}", "line 2: a second entry with the key 'k'"),
        ("@string{x = {y}}", "@string is not taken"),
        ("@preamble{ {\\def\\x{}} }", "@preamble is not taken"),
        ("@misc{k, title = {\\input{/etc/passwd}}}", "LaTeX command \\input"),
        ("@misc{k, title = {\\write18{ls}}}", "LaTeX command \\write"),
        ("@misc{k, title = {A}}" + " " * 1_000_000, "more than 1,000,000 characters"),
    ],
)
def test_every_fault_is_named(text, fault):
    with pytest.raises(BibtexError) as raised:
        read_entries(text)
    assert fault in str(raised.value)


def test_all_faults_of_a_file_are_named_at_once():
    text = "@misc{a, title = {A}, title = {B}}\n\n@misc{b, year = 1}\n@misc{c, title = {C}}\n@misc{c, title = {C}}\n"
    with pytest.raises(BibtexError) as raised:
        read_entries(text)
    assert [fault.partition(":")[0] for fault in raised.value.faults] == ["line 1", "line 3", "line 5"]

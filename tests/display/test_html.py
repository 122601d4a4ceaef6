"""HTML for notebooks: nothing of a text is markup, and reasons are there."""

from xml.etree import ElementTree

from zsadbench.display import html

NASTY = """<script>alert("1")</script> & 'more'"""


def parsed(text):
    return ElementTree.fromstring(f"<div>{text.replace('<wbr>', '')}</div>")


def test_a_table_shows_its_cells_and_the_reason_of_one():
    shown = parsed(html.table(["method", "image_auroc"], [["clip", html.Cell("–", NASTY)], [NASTY, "50.0"]]))
    assert [cell.text for cell in shown.iter("th")] == ["method", "image_auroc"]
    assert [cell.text for cell in shown.iter("td")] == ["clip", "–", NASTY, "50.0"]
    assert [cell.get("title") for cell in shown.iter("td")] == [None, NASTY, None, None]
    assert not list(shown.iter("script"))


def test_numbers_are_aligned_right_and_texts_left():
    shown = parsed(html.table(["a", "b", "c"], [["1", "2", "3"]], texts=2))
    sides = ["text-align:right" in cell.get("style") for cell in shown.iter("td")]
    assert sides == [False, False, True]


def test_a_table_without_headings_has_no_row_of_them():
    assert not list(parsed(html.table(["", ""], [["a", "b"]])).iter("th"))


def test_headings_and_notes_are_escaped():
    shown = parsed(html.heading(NASTY) + html.notes([NASTY, "second"]))
    assert [part.text for part in shown.iter("strong")] == [NASTY]
    assert [part.text for part in shown.iter("p")][1:] == [NASTY, "second"]

"""The table and the picture of the README."""

import re
import shutil
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tools"))

from readme.picture import photograph  # noqa: E402
from readme.table import BEGIN, END, HEADINGS, ORDER, placed, table_of  # noqa: E402

import zsadbench  # noqa: E402


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    """Records of every method on two images per class; their limit keeps them out of the README."""
    out = tmp_path_factory.mktemp("results")
    zsadbench.run(["clip"], ["demo"], backbone="demo", weights="demo", device="cpu", out=out)
    return out


def test_the_table_stands_between_its_marks_and_nothing_else_moves():
    text = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    assert placed(text, "| new |") == f"before\n{BEGIN}\n\n| new |\n\n{END}\nafter\n"
    assert placed(placed(text, "| other |"), "| new |") == placed(text, "| new |")
    for broken in ("no marks", BEGIN, f"{END} {BEGIN}"):
        with pytest.raises(SystemExit, match="lacks the marks"):
            placed(broken, "")


def test_a_missing_method_is_named(few):
    with pytest.raises(SystemExit, match="no record of fbclip; run tools/demo_table first"):
        table_of(few)


def test_the_readme_says_what_the_page_of_the_demo_says():
    """The table and the picture come from the same records."""
    rows = re.findall(r"^\| `(\w+)` \| (\d) \| (.*) \|$", (TOP / "README.md").read_text(), re.MULTILINE)
    assert [name for name, *_ in rows] == list(ORDER)
    page = (TOP / "docs" / "demo.md").read_text()
    for name, _, cells in rows:
        means = [cell.split(" ± ")[0] for cell in cells.split(" | ")]
        for metric, heading in HEADINGS.items():
            if found := re.search(rf"^\| {heading} \|.*?^\| {name} \| ([\d.]+)", page, re.MULTILINE | re.DOTALL):
                assert float(found[1]) == pytest.approx(float(means[list(HEADINGS).index(metric)]), abs=0.11), metric
    assert (TOP / "docs" / "leaderboard.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.skipif(not shutil.which("chromium"), reason="there is no Chromium to take a picture with")
def test_the_picture_is_taken(few, tmp_path):
    photograph(few, tmp_path / "page.png")
    assert (tmp_path / "page.png").stat().st_size > 10_000

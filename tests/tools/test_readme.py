"""The table and the picture of the README."""

import re
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tools"))

from readme.picture import photograph  # noqa: E402
from readme.table import BEGIN, END, HEADINGS, ORDER, placed, shown, table_of  # noqa: E402

import zsadbench  # noqa: E402


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    """A record of `clip` on the demo."""
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
    with pytest.raises(SystemExit, match="no record of fbclip; run tools/demo_table --all first"):
        shown(few)


def test_controls_are_left_out(few, monkeypatch):
    from readme import table

    target = {"name": "demo", "fingerprint": "f"}
    usual = {"target": target, "limit": None, "options": {}, "recipe": {}, "aux": {"name": "demo-aux"}}
    cells = [
        {"method": "clip", **usual, "aux": None},
        {"method": "clip", **usual, "aux": None, "options": {"anomalous": "a scratch on a {}"}},
        *({"method": name, **usual} for name in ORDER[1:]),  # also WinCLIP, which has no training
        {"method": "fbclip", **usual, "aux": None},
        {"method": "fbclip", **usual, "recipe": {"permuted": True}},
        {"method": "token-distance", **usual},
    ]
    records = [(Path(f"{place}.json"), SimpleNamespace(cell={**cell, "seed": 0})) for place, cell in enumerate(cells)]
    monkeypatch.setattr(table, "find_records", lambda results: records)
    assert [path.stem for found in shown(few).values() for path, _ in found] == [
        *("0", *(str(place) for place in range(2, 1 + len(ORDER))))
    ]


def test_the_table_has_mean_and_deviation_over_seeds():
    means = [dict.fromkeys(HEADINGS, value) for value in (0.5, 0.6)]
    found = {"clip": [(Path(), SimpleNamespace(mean=lambda one=one: (one, {}))) for one in means]}
    assert table_of(found).splitlines()[2] == "| `clip` | 2 |" + " 55.0 ± 7.1 |" * len(HEADINGS)


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
    for picture in ("leaderboard.png", "heat-maps.png"):
        assert (TOP / "docs" / picture).read_bytes().startswith(b"\x89PNG")
        assert f"](docs/{picture})" in (TOP / "README.md").read_text()


@pytest.mark.skipif(not shutil.which("chromium"), reason="there is no Chromium to take a picture with")
def test_the_picture_is_taken(few, tmp_path):
    photograph(list(few.glob("*/*/*.json")), tmp_path / "page.png")
    assert (tmp_path / "page.png").stat().st_size > 10_000

"""The qualitative grid: rows by rule and by hand, page, LaTeX and PDF; ties of scores in the failure browser."""

import re
import shutil
import subprocess
from urllib.parse import unquote

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from zsadbench.compare import Board
from zsadbench.compare.failures.examples import ImageInfo, ImageResult
from zsadbench.compare.failures.grid import grid_rows
from zsadbench.compare.failures.patterns import Measures
from zsadbench.compare.failures.sections import sections_of
from zsadbench.compare.failures.selection import BY_SCORE, first_images
from zsadbench.data import load_dataset
from zsadbench.records import record_path, write_record
from zsadbench_reports.failures import write_failures
from zsadbench_reports.grid import write_grid

COUNT = 4  # images of each class and label
CLASSES = ("bolt", "nut_m&m")


@pytest.fixture(scope="module")
def board(tmp_path_factory, make_record):
    """`board(*pictures)`: two methods with maps on two classes of images; scores of `fbclip` are saturated at 1."""
    folder = tmp_path_factory.mktemp("grid")
    root = folder / "parts"
    mask = np.zeros((30, 40), np.uint8)
    mask[8:16, 10:20] = 255
    for name in CLASSES:
        for kind in ("test/good", "test/dent", "ground_truth/dent"):
            (root / name / kind).mkdir(parents=True)
            for number in range(COUNT):
                picture = Image.fromarray(mask) if "truth" in kind else Image.new("RGB", (40, 30), (90, 120, 90))
                picture.save(root / name / kind / f"{number}.png")
    data = load_dataset(f"folder:{root}")
    rows = data.manifest[["relative", "class", "label", "defect"]].rename(columns={"relative": "path"})
    records = []
    for seed, method in enumerate(("clip", "fbclip")):
        record = make_record(method, "parts", dict.fromkeys(CLASSES, 0.9))
        record.cell["target"] = {"name": data.card.name, "fingerprint": data.fingerprint}
        rng = np.random.default_rng(seed)
        path = record_path(folder / "results", record.cell)
        path.parent.mkdir(parents=True)
        write_record(path, record, rows.assign(score=1.0 if method == "fbclip" else rng.random(len(rows))))
        for number, name in enumerate(rows["path"]):
            place = path.with_suffix(".maps") / f"{name}.npy"
            place.parent.mkdir(parents=True, exist_ok=True)
            np.save(place, np.full((30, 30), 0.1 + 0.01 * number, np.float32))
        records.append((path, record))
    return lambda *pictures: Board(pd.DataFrame(), records, {}, [folder], pictures)


def result(failure):
    return ImageResult(0.5, failure, Measures())


def test_rules_choose_the_median_the_most_different_and_the_most_missed():
    infos = {f"{name}{number}": ImageInfo(name, "dent", 1) for name in "xy" for number in range(3)}
    infos["good"] = ImageInfo("x", "good", 0)
    wrong = {
        "x0": (0.0, 0.1),
        "x1": (0.5, 0.4),
        "x2": (0.9, 0.95),
        "y0": (0.2, 0.2),
        "y1": (0.0, 1.0),
        "y2": (0.1, 0.1),
    }
    results = {
        method: {path: result(pair[place]) for path, pair in wrong.items()} | {"good": result(1.0)}
        for place, method in enumerate("ab")
    }
    rows = grid_rows(infos, results)
    assert rows["typical"] == ["x1", "y0"]  # the medians of the means: 0.45 and 0.2
    assert rows["disagreement"][0] == "y1"
    assert rows["missed"][:2] == ["x2", "x1"]
    assert not any("good" in paths for paths in rows.values())


def test_of_many_classes_typical_rows_are_evenly_spaced():
    infos = {f"{number:02}": ImageInfo(f"class{number:02}", "dent", 1) for number in range(30)}
    rows = grid_rows(infos, {"a": {path: result(0.5) for path in infos}})
    assert rows["typical"] == [f"{int(number * 30 / 8):02}" for number in range(8)]


def test_equal_scores_are_ordered_by_the_maximum_of_their_map(board):
    (section,) = sections_of(board())
    results = {"fbclip": {one.path: one.results["fbclip"] for one in section.examples if one.info.class_name == "bolt"}}
    infos = {one.path: one.info for one in section.examples}
    assert {one.score for one in results["fbclip"].values()} == {1.0}
    positives, misses = (list(first_images(order, infos, results)) for order in BY_SCORE)
    peaks = [results["fbclip"][path].peak for path in positives]
    assert len(set(peaks)) == COUNT
    assert peaks == sorted(peaks, reverse=True)
    peaks = [results["fbclip"][path].peak for path in misses]
    assert peaks == sorted(peaks)


def test_files_hold_the_typical_rows_or_those_chosen_by_hand(board, tmp_path):
    first, again = tmp_path / "first", tmp_path / "again"
    first.mkdir()
    again.mkdir()
    paths = write_grid(board(), first, None)
    write_grid(board(), again, None)
    assert [path.name for path in paths] == ["grid.html", "grid_folder-parts.tex", "grid_folder-parts.pdf"]
    tex = paths[1].read_text()
    assert tex.count(r"\includegraphics") == 2 * 4  # two classes; image, truth and two maps
    assert r"nut\_\allowbreak{}m\&m (dent)" in tex
    assert all((first / name).is_file() for name in re.findall(r"\]\{(grid/[^}]+)\}", tex))
    for name in ("grid_folder-parts.pdf", "grid_folder-parts.tex", "grid.html"):
        assert (first / name).read_bytes() == (again / name).read_bytes()
    chosen = board("folder:parts:bolt/test/good/1.png", "folder:parts:no/such.png", "visa:bolt/test/good/1.png")
    tex = write_grid(chosen, tmp_path, None)[1].read_text()
    assert tex.count(r"\includegraphics") + tex.count("--") == 4
    assert "bolt/test/good/1.png" in tex
    truth = Image.open(next(first.glob("grid/*/*-truth.png")))
    assert set(np.unique(np.asarray(truth.convert("L")))) == {0, 255}


def test_without_maps_nothing_is_written(tmp_path):
    assert write_grid(Board(pd.DataFrame()), tmp_path, None) == []


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_the_latex_compiles_in_two_columns_without_overfull_boxes(board, tmp_path):
    name = write_grid(board(), tmp_path, None)[1].name
    (tmp_path / "paper.tex").write_text(
        "\\documentclass[twocolumn]{article}\\usepackage{graphicx,array}\\usepackage[margin=0.8in]{geometry}"
        f"\\begin{{document}}Text\\input{{{name}}}\\end{{document}}"
    )
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "paper.tex"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Overfull" not in done.stdout


@pytest.fixture(scope="module")
def folder(board, tmp_path_factory):
    out = tmp_path_factory.mktemp("site")
    write_grid(board(), out, None)
    write_failures(board(), out, None)
    return out


def test_rows_are_chosen_on_the_page_and_become_latex(visit_page, folder):
    shown = visit_page(folder / "grid.html")
    rows = "section:not([hidden]) tbody tr:not([hidden])"
    assert shown.locator(rows).count() == 2
    shown.locator("[name=rule]").select_option("")
    every = shown.locator(rows).count()
    assert every > 2
    shown.locator(f"{rows} input").nth(every - 1).check()
    path = shown.locator(rows).nth(every - 1).get_attribute("data-path")
    shown.locator("[name=rule]").select_option("ticked")
    assert shown.locator(rows).count() == 1
    assert f"--picture 'folder:parts:{path}'" in shown.locator("#command").text_content()
    with shown.expect_download() as waiting:
        shown.locator("#tex").click()
    tex = waiting.value.path().read_text()
    sources = shown.locator(f"{rows} img").evaluate_all("(all) => all.map((one) => one.getAttribute('src'))")
    assert re.findall(r"\]\{(grid/[^}]+)\}", tex) == [unquote(one) for one in sources]
    again = visit_page(folder / "grid.html", shown.evaluate("location.hash"))
    assert again.locator(rows).get_attribute("data-path") == path
    again.locator(f"{rows} img").last.evaluate("(one) => one.decode()")


def test_a_picture_of_the_failure_browser_opens_large_and_has_a_link(visit_page, folder):
    shown = visit_page(folder / "failures.html")
    first = shown.locator("#examples > li").first
    path = first.locator("h3").inner_text()
    first.locator(".zoom").first.focus()
    shown.keyboard.press("Enter")
    dialog = shown.locator("#zoom")
    assert dialog.locator("h2").inner_text() == path
    large, small = (one.locator("img").first.bounding_box()["width"] for one in (dialog, first))
    assert large > 1.5 * small
    other = visit_page(folder / "failures.html", shown.evaluate("location.hash"))
    assert other.locator("#zoom h2").inner_text() == path
    shown.keyboard.press("Escape")
    assert dialog.is_hidden()
    assert "image=" not in shown.evaluate("location.hash")
    shown.wait_for_function("!document.getElementById('zoom').open")


@pytest.mark.parametrize("name", ["grid.html", "failures.html"])
def test_axe_finds_nothing_serious(visit_page, folder, name):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    shown = visit_page(folder / name, width=390, theme="dark")
    found = axe.Axe().run(shown).response["violations"]
    assert [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in {"serious", "critical"}] == []
    assert shown.evaluate("document.documentElement.scrollWidth") <= 390

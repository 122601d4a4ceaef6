"""The triage page: offline, escaped, and what its controls and keys do."""

import csv
import json
import re
import shutil

import numpy as np
import pytest
from PIL import Image

from zsadbench.data import UserImage
from zsadbench.predict.heat_maps import predict_images
from zsadbench.predict.limits import Limits
from zsadbench.predict.prediction import Prediction, ranked
from zsadbench.predict.scoring import ImageScorer
from zsadbench.predict.triage.page import write_page

EVIL = "</script><img src=x onerror=alert(1)>&\"'#%?.png"


@pytest.fixture(scope="module")
def results(tmp_path_factory, brightness_of_module):
    """A page of 70 images in two folders, one with an evil name, and one that failed: its folder and predictions."""
    folder = tmp_path_factory.mktemp("page")
    images = []
    for index in range(70):
        name = EVIL if index == 69 else f"{index:02}.png"
        path = folder / name.replace("/", "_")
        Image.fromarray(np.full((60, 90), 3 * index, np.uint8)).save(path)
        images.append(UserImage(path, "cap", f"{'left' if index % 2 else 'right'}/{path.name}"))
    found = list(predict_images(ImageScorer(brightness_of_module), images, folder / "out"))
    found.append(Prediction(folder / "x.png", failure=f"'{EVIL}' cannot be read"))
    write_page(folder / "out", found, Limits(0.5), [("method", "<b>brightness</b>")])
    return folder / "out", found


def test_names_are_no_markup_and_addresses_stay_in_the_folder(results):
    out, found = results
    text = (out / "index.html").read_text()
    assert "<img src=x" not in text
    assert "<b>brightness" not in text
    assert "&lt;b&gt;brightness" in text
    payload = json.loads(re.search(r'id="payload">(.*?)</script>', text)[1])
    assert [one["rank"] for one in payload["images"]] == list(range(1, 71))
    assert payload["images"][0]["score"] == ranked(found)[0].score
    assert payload["threshold"] == 0.5
    assert len(payload["failures"]) == 1
    for one in payload["images"]:
        for address in (one["map"], one["small"]):
            assert re.fullmatch(r"(maps|thumbnails)/(left|right)/[\w.%-]+", address), address
    assert not re.search(r"(src|href)=[\"']?(https?:)?//", text)
    assert "default-src 'none'" in text


def test_a_page_without_any_image_can_be_written(tmp_path):
    write_page(tmp_path, [], Limits(), [])
    assert "Images by anomaly score" in (tmp_path / "index.html").read_text()


@pytest.fixture(scope="module")
def browser():
    api = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed: pip install 'zsadbench[page]'"
    )
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        pytest.skip("no Chromium on PATH: apt-get install chromium")
    with api.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def visit(browser, results):
    """`visit(width)` opens the page; errors and requests to elsewhere fail the test."""
    asked, said, opened = [], [], []

    def go(width=1300):
        context = browser.new_context(viewport={"width": width, "height": 800}, accept_downloads=True)
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("requestfailed", lambda request: said.append(request.url))
        page.goto((results[0] / "index.html").as_uri())
        opened.append(context)
        return page

    yield go
    for context in opened:
        context.close()
    assert said == []
    assert all(url.startswith((results[0].as_uri(), "blob:", "data:")) for url in asked)


def loaded(page, selector):
    """Whether the first picture of a selector is loaded, within five seconds."""
    for _ in range(50):
        if page.evaluate(f"document.querySelector('{selector}')?.naturalWidth > 0"):
            return True
        page.wait_for_timeout(100)
    return False


def names(page):
    return page.locator("#images .name").all_text_contents()


def test_filters_threshold_and_order(visit):
    page = visit()
    assert len(names(page)) == 60
    assert names(page)[0].endswith(EVIL.replace("/", "_"))
    page.locator("#more").click()
    assert len(names(page)) == 70
    assert page.locator("#above").text_content() == "27 of 70 images above (38.6%)"
    page.locator("select[name=verdict]").select_option("anomalous")
    assert len(names(page)) == 27
    page.locator("#slider").fill("0")
    assert page.locator("#above").text_content().startswith("69 of 70")
    page.locator("#reset").click()
    assert len(names(page)) == 27
    page.locator("#number").fill("0.79")
    assert page.locator("#above").text_content().startswith("2 of 70")
    page.locator("select[name=verdict]").select_option("")
    page.locator("select[name=folder]").select_option("/left")
    assert all(name.startswith("left/") for name in names(page))
    page.locator("select[name=order]").select_option("name")
    page.locator("input[name=text]").fill("left/1")
    assert names(page) == [f"left/{number}.png" for number in (11, 13, 15, 17, 19)]


def test_keys_marks_notes_and_the_export(visit, results, tmp_path):
    page = visit()
    for key in ("j", "d", "j", "u", "]"):
        page.keyboard.press(key)
    page.keyboard.press("n")
    page.keyboard.type('=a, "scratch"')
    page.keyboard.press("Escape")
    page.keyboard.press("k")
    page.keyboard.press("Enter")
    assert loaded(page, "#stage img")
    assert page.locator("#zoom").get_attribute("open") is not None
    before = page.locator("#stage img").get_attribute("style")
    page.keyboard.press("+")
    assert page.locator("#stage img").get_attribute("style") != before
    page.keyboard.press("Escape")
    assert page.locator("#zoom").get_attribute("open") is None
    with page.expect_download() as download:
        page.keyboard.press("e")
    download.value.save_as(tmp_path / "triage.csv")
    rows = list(csv.DictReader((tmp_path / "triage.csv").read_text().splitlines()))
    assert [row["mark"] for row in rows[:3]] == ["defect", "unsure", ""]
    assert rows[1]["note"] == '\'=a, "scratch"'
    assert [int(row["rank"]) for row in rows] == list(range(1, 71))
    assert float(rows[0]["threshold"]) > 0.5
    page.reload()
    page.locator("select[name=mark]").select_option("defect")
    assert len(names(page)) == 1


@pytest.mark.parametrize("width", [390, 1300])
def test_the_page_fits_its_window(visit, width):
    page = visit(width)
    assert not page.evaluate("document.documentElement.scrollWidth > innerWidth")
    assert loaded(page, "#images img")

"""The failure browser in headless Chromium: orders, filters, permalinks, lazy pictures, accessibility."""

import shutil

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from zsadbench.compare import Board
from zsadbench.data import load_dataset
from zsadbench.records import record_path, write_record
from zsadbench_reports.failures import write_failures

CLASSES = ("bolt", "nut")
COUNT = 40  # of each label and class: the page cannot show all at once
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def _draw(root):
    """Two classes whose images all look the same; the mask is a small square."""
    mask = np.zeros((24, 24), np.uint8)
    mask[4:6, 4:6] = 255
    for name in CLASSES:
        for kind in ("test/good", "test/dent", "ground_truth/dent"):
            (root / name / kind).mkdir(parents=True)
            for number in range(COUNT):
                picture = Image.fromarray(mask) if "truth" in kind else Image.new("RGB", (24, 24), (90, 120, 90))
                picture.save(root / name / kind / f"{number:02}.png")


@pytest.fixture(scope="module")
def folder(tmp_path_factory, make_record):
    """The folder of a page with two methods on two classes."""
    root = tmp_path_factory.mktemp("failures") / "parts"
    _draw(root)
    data = load_dataset(f"folder:{root}")
    rows = data.manifest[["relative", "class", "label", "defect"]].rename(columns={"relative": "path"})
    records = []
    for seed, method in enumerate(("clip", "fbclip")):
        record = make_record(method, "parts", dict.fromkeys(CLASSES, 0.9))
        record.cell["target"] = {"name": data.card.name, "fingerprint": data.fingerprint}
        rng = np.random.default_rng(seed)
        images = rows.assign(score=rng.random(len(rows)))
        path = record_path(root.parent / "results", record.cell)
        path.parent.mkdir(parents=True)
        write_record(path, record, images)
        for row in images.itertuples():
            place = path.with_suffix(".maps") / f"{row.path}.npy"
            place.parent.mkdir(parents=True, exist_ok=True)
            np.save(place, rng.random((24, 24)).astype(np.float32))
        records.append((path, record))
    write_failures(Board(pd.DataFrame(), records, {}, [root.parent]), root.parent / "out", None)
    return root.parent / "out"


@pytest.fixture(scope="module")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed")
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def visit(browser, folder):
    """`visit(fragment, **context)` opens the page; errors and requests to elsewhere fail the test."""
    opened, complaints, asked = [], [], []

    def go(fragment="", **settings):
        context = browser.new_context(viewport={"width": 1200, "height": 800}, **settings)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda failure: complaints.append(str(failure)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto((folder / "failures.html").as_uri() + fragment)
        opened.append(context)
        return page

    yield go
    for context in opened:
        context.close()
    assert complaints == []
    assert all(url.startswith((folder.as_uri(), "data:")) for url in asked)


def titles(page):
    return page.locator("#examples h3").all_text_contents()


def choose(page, name, label):
    page.locator(f"select[name={name}]").select_option(label=label)


def test_the_order_and_the_method_decide_what_comes_first(visit, folder):
    page = visit()
    choose(page, "order", "worst misses")
    choose(page, "method", "fbclip")
    captions = page.locator("#examples figcaption").all_text_contents()
    shares = [float(text.split("below ")[1].split("%")[0]) for text in captions if "below" in text]
    assert len(shares) > 20
    assert shares == sorted(shares, reverse=True)
    assert not any("clip" in text and "fbclip" not in text for text in captions), "only the method that was chosen"
    choose(page, "order", "worst false positives")
    assert all("/good/" in title for title in titles(page))


def test_filters_hide_what_is_not_asked_for(visit):
    page = visit()
    choose(page, "order", "worst misses")
    choose(page, "class", "nut")
    assert titles(page)
    assert all(title.startswith("nut/test/dent") for title in titles(page))
    choose(page, "pattern", "missed small defect")
    assert page.locator("#examples .pattern").count() >= len(titles(page)) > 0
    page.locator("#reset").click()
    assert any(title.startswith("bolt") for title in titles(page))


def test_a_permalink_opens_the_same_view(visit):
    page = visit()
    choose(page, "order", "disagreement between methods")
    choose(page, "class", "bolt")
    again = visit("#" + page.locator("#permalink").get_attribute("href").partition("#")[2])
    assert page.url.endswith(page.locator("#permalink").get_attribute("href"))
    assert titles(again) == titles(page)
    assert again.locator("select[name=class]").input_value() == "bolt"


def test_a_wrong_permalink_shows_the_first_view(visit):
    assert titles(visit("#order=nonsense&class=nobody&set=nothing")) == titles(visit())


def test_pictures_load_when_they_come_into_view(visit, folder):
    page = visit()
    page.wait_for_function("[...document.images].some((image) => image.complete && image.naturalWidth > 0)")
    last = page.locator("#examples img").last
    assert last.get_attribute("loading") == "lazy"
    last.scroll_into_view_if_needed()
    page.wait_for_function("(image) => image.complete && image.naturalWidth > 0", arg=last.element_handle())


def test_more_images_are_shown_on_demand(visit):
    page = visit()
    choose(page, "order", "all anomalous images, by path")
    before = len(titles(page))
    assert before == 60
    assert "the first 60 shown" in page.locator("#status").inner_text()
    page.locator("#more").click()
    assert len(titles(page)) > before


def test_the_keyboard_reaches_everything(visit):
    page = visit()
    reached = set()
    for _ in range(14):
        page.keyboard.press("Tab")
        reached.add(
            page.evaluate("document.activeElement.name || document.activeElement.id || document.activeElement.tagName")
        )
    assert {"set", "order", "method", "class", "defect", "pattern", "reset", "permalink", "SUMMARY"} <= reached
    page.locator("select[name=class]").focus()
    page.keyboard.press("ArrowDown")
    assert page.locator("select[name=class]").input_value() == "bolt"


@pytest.mark.parametrize(("scheme", "width"), [("light", 1200), ("dark", 390)])
def test_axe_finds_nothing_serious_and_nothing_is_cut_off(visit, scheme, width):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    page = visit("#order=misses", color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 800})
    page.locator("details.how summary").click()
    found = axe.Axe().run(page).response["violations"]
    assert [one["id"] for one in found if one["impact"] in {"serious", "critical"}] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width

"""The documentation site: it builds without warnings, and its pages load nothing from elsewhere."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path

import pytest

from zsadbench import registry

TOP = Path(__file__).resolve().parents[2]
LOADING = {"script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src", "object": "data"}

pytest.importorskip("mkdocs", reason="the extra 'docs' is not installed")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of the built site; a warning fails the build."""
    out = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-d", str(out)]
    quiet = {"NO_MKDOCS_2_WARNING": "1", "OMP_NUM_THREADS": "1", "http_proxy": "http://127.0.0.1:9", "no_proxy": ""}
    quiet["https_proxy"] = quiet["http_proxy"]  # nothing answers there
    told = subprocess.run(command, cwd=TOP, env={**os.environ, **quiet}, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
    return out


class Loaded(HTMLParser):
    """The addresses that a page loads by itself."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if tag == "link" and given.get("rel") in {
            "stylesheet",
            "preload",
            "icon",
            "preconnect",
            "manifest",
            "prefetch",
        }:
            self.found.append(given.get("href") or "")
        elif tag in LOADING:
            self.found.append(given.get(LOADING[tag]) or "")


@pytest.mark.slow
def test_pages_load_nothing_from_elsewhere(site):
    pages = list(site.rglob("*.html"))
    assert len(pages) > 40
    loaded = {(page.name, address) for page in pages for address in Loaded(page.read_text("utf-8")).found}
    assert ("index.html", "heat-maps.png") in loaded  # the reader of pages sees what they load
    assert {(page, address) for page, address in loaded if re.match(r"(https?:)?//", address)} == set()
    styles = "".join(path.read_text("utf-8") for path in site.rglob("*.css"))
    assert re.findall(r"(?:url\(|@import )[\"']?(?:https?:)?//[^)]*", styles) == []


@pytest.mark.slow
def test_the_reference_has_every_command_method_and_data_set(site):
    def text(name):
        return (site / "reference" / f"{name}.html").read_text("utf-8")

    commands = re.findall(r'<h2 id="([^"]+)"', text("commands"))
    assert {"zsadbench-run", "zsadbench-datasets-check", "zsadbench-threshold-fit"} <= set(commands)
    assert set(registry.names("methods")) <= set(re.findall(r'<h2 id="([^"]+)"', text("methods")))
    cards = [tomllib.loads(path.read_text()) for path in (files("zsadbench_datasets") / "cards").iterdir()]
    assert {card["name"] for card in cards} <= set(re.findall(r'<h2 id="([^"]+)"', text("datasets")))
    assert "zsadbench.load_method" in text("python") or "load_method" in text("python")
    assert all(key in text("records") for key in ("not_comparable_because", "cell.weights_sha256", "ledger.grade"))


@pytest.mark.slow
def test_pages_work_without_a_network_in_a_browser(site):
    sync_api = pytest.importorskip("playwright.sync_api")
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        pytest.skip("no Chromium on PATH")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 390, "height": 844})
        asked, faults = [], []
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda fault: faults.append(str(fault)))
        for name in ("index", "reference/commands", "reliability", "methods", "demo", "contract"):
            page.goto((site / f"{name}.html").as_uri())
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert wide <= 390, f"{name} is {wide} pixels wide"
        page.set_viewport_size({"width": 1400, "height": 900})
        page.goto((site / "index.html").as_uri())  # the search works from a folder
        page.keyboard.press("f")
        page.locator("input[name=query]").press_sequentially("segf1")
        page.locator(".md-search-result__item").first.wait_for()
        browser.close()
    assert [address for address in asked if not address.startswith(("file:", "data:", "blob:"))] == []
    assert faults == []

"""Fixtures of the tests of reports: a parser of LaTeX tables, FB-CLIP's printed tables, the records of a page."""

import gzip
import json
import re
import shutil
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from zsadbench.compare import board_of
from zsadbench.records import identity, record_path, write_record
from zsadbench_reports.html import write_html

GOLDEN = Path(__file__).parent / "golden"
MARKS = {r"\zsbest": "best", r"\zssecond": "second", r"\zsapart": "apart"}


def _cell(text):
    """`(\\zsbest{91.8}, --)` → [("91.8", "best"), ("--", "")]; words stay one entry."""
    parts = text.strip().removeprefix("(").removesuffix(")").split(", ")
    return [_number(part) for part in parts]


def _number(text):
    found = re.fullmatch(r"(\\zs\w+)\{([\d.]+)\}", text)
    return (found[2], MARKS[found[1]]) if found else (text, "")


def _plain(text):
    text = re.sub(r"\\allowbreak\{\}|\\hspace\{0pt\}|\{\}", "", text)
    return re.sub(r"\\([_&%#])", r"\1", text).strip()


def _table(source):
    """Label, column names, and (block, row label) → cells of one table environment."""
    label = re.search(r"\\label\{tab:zsadbench-([\w-]+)\}", source)[1]
    body = source.partition(r"\toprule")[2].partition(r"\bottomrule")[0]
    lines = [line.removesuffix(r"\\").strip() for line in body.splitlines() if line.strip().endswith(r"\\")]
    columns = [_plain(one) for one in lines[0].split(" & ")[1:]]
    rows, block = {}, ""
    for line in lines[1:]:
        heading = re.fullmatch(r"\\multicolumn\{\d+\}\{@\{\}l\}\{\\itshape (.*)\}", line)
        if heading:
            block = _plain(heading[1])
        else:
            first, *cells = line.split(" & ")
            rows[block, _plain(first)] = [_cell(cell) for cell in cells]
    return label, columns, rows


@pytest.fixture(scope="session")
def parse_tex():
    """`parse_tex(text)` maps the key of each table to its columns and rows."""

    def parse(text):
        sources = re.findall(r"\\begin\{table\*\}.*?\\end\{table\*\}", text, re.DOTALL)
        return {label: (columns, rows) for label, columns, rows in map(_table, sources)}

    return parse


@pytest.fixture(scope="session")
def golden():
    """`golden(name)` is a printed table, stored independently of the package's numbers: lines of cells."""

    def read(name):
        lines = (GOLDEN / f"{name}.txt").read_text().splitlines()[1:]
        return [[cell.strip() for cell in line.split("|")] for line in lines]

    return read


HOSTILE, ODD = "<script>alert(1)</script>", "{{ 7*7 }}"
POINTS = [0.0, 0.1, 0.4, 1.0]


def _details(record, level):
    """The details of a record: three parts per class with values at or below `level`, a curve and an interval."""

    def part(images, prevalence, value):
        metrics = {"pixel_ap": value, "pixel_aupro": value, "image_auroc": None}
        return {
            "images": images,
            "prevalence": prevalence,
            "metrics": metrics,
            "undefined": {"image_auroc": "no normal image"},
        }

    def content(place):
        parts = {"class": part(9, 0.02, level), "defect=crack": part(3, 0.01 * (place + 1), level - 0.1)}
        parts["area=1"] = part(4 + place, 0.01 * (place + 1), level - 0.2 * (place + 1))
        curve = {"fpr": POINTS, "tpr": [0.0, level, level, 1.0]}
        settings = {"level": 0.95, "resamples": 100, "unit": "image", "seed": 0}
        found = {"parts": parts, "curves": {"roc": curve}, "intervals": {"pixel_aupro": [level - 0.05, level]}}
        return found | {"interval_settings": settings}

    classes = {name: content(place) for place, name in enumerate(record.expected)}
    return {"schema": 1, "identity": identity(record.cell), "classes": classes, "area_edges": [0.001, 0.01, 0.1]}


GOOD = [0.10, 0.15, 0.20, 0.25, 0.30, 0.35, 0.40, 0.45, 0.50, 0.90]
BAD = [0.20, 0.60, 0.70, 0.80]


def _images(record):
    """The images of a record: in every class ten good ones and four bad ones, scored as `GOOD` and `BAD`."""
    scores = [*GOOD, *BAD]
    labels = [0] * len(GOOD) + [1] * len(BAD)
    frames = [pd.DataFrame({"class": name, "label": labels, "score": scores}) for name in record.expected]
    images = pd.concat(frames, ignore_index=True)
    return images.assign(path=[f"{number:03}.png" for number in range(len(images))])


@pytest.fixture(scope="session")
def site_records(make_record):
    """`site_records(best)`: two methods, a third with a hostile name, and a run that is not comparable.

    `best` is the number of `fbclip`, seed 0, on every class of VisA.
    """

    def make(best=0.9):
        visa = ("visa", {"candle": best, ODD: best})
        records = [
            make_record("fbclip", *visa),
            make_record("fbclip", "visa", {"candle": 0.88, ODD: 0.88}, seed=1),
            make_record("fbclip", "mvtec", {"bottle": 0.7}),
            make_record("clip", "visa", {"candle": 0.6, ODD: {"image_auroc": 0.5, "pixel_aupro": None}}),
            make_record("clip", "mvtec", {"bottle": 0.8}),
            make_record(HOSTILE, "visa", {"candle": 0.65}),
            make_record(
                "afclip", "visa", {"candle": 0.99}, limit=2, because=["first 2 images"], signature="afclip|few"
            ),
        ]
        costs = {"fbclip": (200.0, False), "clip": (50.0, False), HOSTILE: (1.0, True)}
        for record in records:
            milliseconds, shared = costs.get(record.cell["method"], (None, False))
            if milliseconds is not None:
                record.cost = {"seconds": {"tower": milliseconds / 1000}, "images": {"all": 1}, "shared": shared}
                record.cost["peak_device_mib"] = 10 * milliseconds
            record.provenance = {"device": "a device", "finished": "2026-11-20T10:00:00+00:00"}
        return records

    return make


@pytest.fixture(scope="session")
def write_site(site_records):
    """`write_site(folder, best=0.9)` writes these records, and details beside those of `fbclip` and `clip` on VisA."""

    def write(folder, best=0.9):
        for record in site_records(best):
            path = record_path(folder, record.cell)
            write_record(path, record, _images(record))
            if record.cell["method"] in {"fbclip", "clip"} and record.cell["target"]["name"] == "visa":
                level = record.classes["candle"]["pixel_auroc"]
                path.with_suffix(".details.json.gz").write_bytes(
                    gzip.compress(json.dumps(_details(record, level)).encode())
                )
        return folder

    return write


@pytest.fixture(scope="session")
def page(write_site, tmp_path_factory):
    """The path of `index.html` made of these records and all published numbers."""
    folder = tmp_path_factory.mktemp("site")
    return write_html(board_of(write_site(folder / "results")), folder, None)[0]


@pytest.fixture(scope="session")
def browser():
    """Chromium of the system; Playwright's own would have to be downloaded."""
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
def visit_page(browser):
    """`visit_page(path, fragment, width, theme)` opens a page; requests elsewhere and errors fail the test."""
    opened, asked, said, own = [], [], [], set()

    def open_page(path, fragment="", width=1400, theme="light", height=900):
        own.add(path.parent.as_uri())
        shown = browser.new_page(viewport={"width": width, "height": height}, color_scheme=theme)
        shown.on("request", lambda request: asked.append(request.url.partition("#")[0]))
        shown.on("console", lambda message: said.append(message.text))
        shown.on("pageerror", lambda error: said.append(str(error)))
        shown.goto(path.as_uri() + fragment)
        opened.append(shown)
        return shown

    yield open_page
    for shown in opened:
        shown.close()
    assert all(address.startswith((*own, "blob:", "data:")) for address in asked)
    assert said == []


@pytest.fixture
def show(visit_page, page):
    """`show(fragment, width, theme)` opens `index.html`, which requests nothing but itself."""
    return lambda fragment="", **settings: visit_page(page, fragment, **settings)


MANY = ("fbclip", "afclip", "anomalyclip", "aaclip", "adaclip", "aprilgan", "winclip", "faprompt", "mfpclip", "clip")
MANY_SETS = {
    "mvtec": 15, "visa": 12, "btad": 3, "mpdd": 6, "dagm": 10, "dtd": 12, "realiad": 30, "tn3k": 1,
    "headct": 1, "brainmri": 1, "br35h": 1, "isic": 1, "colondb": 1, "clinicdb": 1, "kvasir": 1, "endo": 1,
}  # fmt: skip
MANY_COUNTS = {0: 30, 1: 40}  # images of a class by label


@pytest.fixture(scope="session")
def many_results(make_record, tmp_path_factory):
    """A folder with 480 records: ten methods on sixteen data sets with three seeds, best method first, with noise."""
    folder = tmp_path_factory.mktemp("many") / "results"
    patch = pytest.MonkeyPatch()
    patch.setattr("os.fsync", lambda file: None)  # nothing here has to survive a power cut
    rng = np.random.default_rng(0)
    for (place, method), (target, classes), seed in product(enumerate(MANY), MANY_SETS.items(), range(3)):
        names = [f"class{number:02}" for number in range(classes)]
        levels = np.clip(0.93 - 0.02 * place + rng.normal(0, 0.02, classes), 0.4, 0.999)
        values = {
            name: {
                metric: float(np.clip(level - drop, 0, 1))
                for metric, drop in (
                    ("image_auroc", 0),
                    ("image_ap", 0.01),
                    ("pixel_auroc", -0.02),
                    ("pixel_aupro", 0.1),
                )
            }
            for name, level in zip(names, levels, strict=True)
        }
        record = make_record(method, target, values, seed=seed)
        record.cost = {"seconds": {"tower": 10.0 + place}, "images": {"all": 100}, "shared": False}
        record.provenance = {"device": "a device", "finished": "2026-11-20T10:00:00+00:00"}
        path = record_path(folder, record.cell)
        write_record(path, record, _many_images(names, levels, rng))
    patch.undo()
    return folder


def _many_images(names, levels, rng):
    """One row per image; the classes overlap less where the level is higher."""
    label = np.repeat(list(MANY_COUNTS), list(MANY_COUNTS.values()))
    frames = [
        pd.DataFrame({
            "path": [f"{name}/{number:03}.png" for number in range(len(label))],
            "class": name, "label": label, "defect": np.where(label, "dent", "good"),
            "score": rng.normal(label * 4 * (level - 0.5), 0.5).astype(np.float32),
        })
        for name, level in zip(names, levels, strict=True)
    ]  # fmt: skip
    return pd.concat(frames, ignore_index=True)

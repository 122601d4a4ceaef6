"""`index.html` as a file: its content, that no name can run or load anything, and that it follows the numbers."""

import json
import math
import random
import re
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from zsadbench.compare import board_of
from zsadbench.errors import UsageError
from zsadbench_reports.html import payload as payload_module
from zsadbench_reports.html import write_html
from zsadbench_reports.html.costs import measured_tradeoffs, published_tradeoffs
from zsadbench_reports.html.curves import thinned
from zsadbench_reports.html.pareto import Point, front

VOID = {"meta", "link", "input", "br", "path", "use", "line"}


class Elements(HTMLParser):
    """Start tags with their attributes; that every element is closed where it was opened."""

    def __init__(self, text):
        super().__init__()
        self.found, self.open, self.text = [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, text):
        self.text.append(text)

    def values(self, name):
        return [attrs[name] for _, attrs in self.found if name in attrs]


@pytest.fixture(scope="module")
def text(page):
    return page.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def elements(text):
    return Elements(text)


def numbers_of(text):
    return json.loads(re.search(r'<script type="application/json" id="payload">(.*?)</script>', text, re.DOTALL)[1])


@pytest.fixture(scope="module")
def groups(text):
    return {group["id"]: group for group in numbers_of(text)["groups"]}


def row_of(group, name):
    return next(place for place, row in enumerate(group["rows"]) if row["name"].startswith(name))


def test_it_is_one_small_file_whose_names_are_its_own(page, elements):
    assert page.stat().st_size < 2_000_000
    ids = elements.values("id")
    assert len(ids) == len(set(ids))
    links = [
        link for link in elements.values("href") + elements.values("xlink:href") if link.startswith("#") and link != "#"
    ]
    labels = [name for value in elements.values("aria-labelledby") for name in value.split()]
    assert {link[1:] for link in links} | set(labels) <= set(ids)


def test_nothing_in_it_loads_anything(elements, text):
    targets = [
        value for name in ("src", "href", "xlink:href", "srcset", "action", "data") for value in elements.values(name)
    ]
    assert all(target.startswith(("#", "data:", "https://", "http://")) for target in targets)
    loading = [value for name in ("src", "srcset", "action", "data") for value in elements.values(name)]
    assert all(target.startswith("data:") for target in loading)  # links to papers, code and data sets load nothing
    assert {tag for tag, attrs in elements.found if attrs.get("href", "").startswith("http")} <= {"a"}
    assert not re.search(r"url\(\s*['\"]?(?!#)|@import|\bfetch\(|XMLHttpRequest|import\(", text)
    policy = next(attrs["content"] for tag, attrs in elements.found if attrs.get("http-equiv"))
    assert policy.startswith("default-src 'none'")


def test_hostile_names_are_text(elements, text, groups):
    assert "<script>alert" not in text
    assert [tag for tag, _ in elements.found].count("script") == 2
    assert any("<script>alert(1)</script>" in part for part in elements.text)
    assert "{{ 7*7 }}" in groups["measured-1"]["classes"]["visa"]["names"]


def test_the_board_holds_means_spreads_marks_and_reasons(groups):
    group = groups["measured-1"]
    cells = group["cells"]["image_auroc"]["visa"]
    best, rival, few = row_of(group, "fbclip"), row_of(group, "clip"), row_of(group, "afclip")
    assert cells[best] == ["89.0", f"{100 * math.sqrt(2) / 100:.1f}", "best"]  # of 90 and 88
    assert cells[rival] == ["55.0"]  # behind the rival of one class
    assert cells[few] == ["99.0", "", "apart"]
    assert "first 2 images" in group["rows"][few]["about"]
    classes = group["classes"]["visa"]
    place = classes["names"].index("{{ 7*7 }}")
    assert classes["cells"]["pixel_aupro"][place][rival] == ["-", "", "", "no anomalous image"]
    assert classes["cells"]["pixel_aupro"][place][row_of(group, "<script>")] == ["-", "", "", "not evaluated"]
    means, ranks = group["summary"]["image_auroc"]["industrial"]
    assert (means["label"], ranks["label"]) == ("mean of 1 common", "average rank over 1")  # the third has VisA alone
    assert [means["cells"][place] for place in (best, rival, few)] == [["89.0", "", "best"], ["55.0"], None]
    assert [ranks["cells"][place] for place in (best, rival, few)] == [["1.0"], ["3.0"], None]


def test_measured_and_published_numbers_never_share_a_group(groups):
    kinds = {group["kind"] for group in groups.values()}
    assert kinds == {"measured", "published"}
    table = groups["fbclip-table1"]
    assert not any(group["summary"] for group in groups.values() if group["kind"] == "published")
    assert table["cells"]["image_auroc"]["mvtec"][row_of(table, "FB-CLIP")] == ["92.4", "", "second"]
    assert table["rows"][row_of(table, "WinCLIP")]["tag"] == "computed by unknown"
    assert groups["fbclip-table10"]["classes"]["mvtec"]["mean"]["image_auroc"] == [["92.4"]]


def test_breakdowns_average_seeds_and_classes_and_say_how_rare_anomalies_are(groups):
    group = groups["measured-1"]
    lines = {line["part"]: line for line in group["parts"]["visa"][""]}
    assert list(lines) == ["area=1"]  # a type of defect is a matter of one class
    place = row_of(group, "fbclip")
    small = [level - lost for level in (0.9, 0.88) for lost in (0.2, 0.4)]
    assert lines["area=1"]["cells"]["pixel_aupro"][place][0] == f"{100 * sum(small) / 4:.1f}"
    assert lines["area=1"]["cells"]["pixel_aupro"][place][2] == "best"
    assert (lines["area=1"]["images"], lines["area=1"]["prevalence"]) == ("9", "1.50")  # the mean of 1 and 2
    assert group["edges"]["visa"] == ["0.1", "1", "10"]
    own = {line["part"]: line for line in group["parts"]["visa"]["candle"]}
    assert own["defect=crack"]["cells"]["pixel_ap"][place][0] == "79.0"
    assert own["area=1"]["cells"]["image_auroc"][place] == ["-", "", "", "no normal image"]


def test_curves_and_intervals_are_those_of_the_first_seed(groups):
    group = groups["measured-1"]
    place = row_of(group, "fbclip")
    assert group["curves"]["visa"]["candle"][place]["roc"] == [0, 0, 100, 900, 400, 900, 1000, 1000]
    assert group["intervals"]["visa"]["candle"][place]["pixel_aupro"] == ["85.0", "90.0"]


def test_too_many_curves_and_parts_are_thinned_then_left_out_and_said(write_site, tmp_path, monkeypatch):
    board = board_of(write_site(tmp_path / "results"))
    whole = payload_module.payload(board)
    assert (whole.curves, whole.parts, whole.too_many) == (0.002, True, ())
    parts = [group.get("parts", {}) for group in whole.content["groups"] if group["kind"] == "measured"]
    monkeypatch.setattr(payload_module, "PARTS", len(json.dumps(parts, separators=(",", ":"))) - 1)
    assert payload_module.payload(board).parts is False
    monkeypatch.setattr(payload_module, "CURVES", 1)
    monkeypatch.setattr(payload_module, "PARTS", 1)
    assert payload_module.payload(board).too_many == ("curves", "breakdowns")
    text = write_html(board, tmp_path, None)[0].read_text()
    assert text.count("too many for one page") == 2
    assert 'id="curves"' not in text


def test_the_same_numbers_give_the_same_page_and_changed_ones_another(write_site, tmp_path, text):
    board = board_of(write_site(tmp_path / "same"))
    assert write_html(board, tmp_path, None)[0].read_text() == text
    changed = write_html(board_of(write_site(tmp_path / "changed", best=0.7)), tmp_path, None)[0].read_text()
    group = numbers_of(changed)["groups"][0]
    assert group["cells"]["image_auroc"]["visa"][row_of(group, "fbclip")][0] == "79.0"
    drawings = [re.findall(r"<svg.*?</svg>", one, re.DOTALL) for one in (text, changed)]
    assert len(drawings[0]) == len(drawings[1]) > 3
    assert drawings[0] != drawings[1]


def test_without_records_the_published_numbers_stand_alone(tmp_path):
    text = write_html(board_of(None), tmp_path, None)[0].read_text()
    assert {group["kind"] for group in numbers_of(text)["groups"]} == {"published"}
    for said in (
        "No record here has curves",
        "No record here has a breakdown",
        "No record here has a cost",
        "with several seeds",
    ):
        assert said in text
    found = Elements(text)
    assert not {"ranking", "scores", "curves", "breakdowns", "seeds"} & set(found.values("id"))
    assert "Nothing was measured yet" in text


def test_the_failure_browser_is_linked_where_it_was_written(text, tmp_path):
    assert 'href="failures.html"' not in text
    (tmp_path / "failures.html").write_text("")
    assert 'href="failures.html"' in write_html(board_of(None), tmp_path, None)[0].read_text()


def test_templates_may_be_replaced_and_a_wrong_one_is_one_error(tmp_path):
    (tmp_path / "html").mkdir()
    (tmp_path / "html" / "page.css").write_text("/* mine */ a > b { color: red }")
    assert "/* mine */ a > b { color: red }" in write_html(board_of(None), tmp_path, tmp_path)[0].read_text()
    (tmp_path / "html" / "index.html.jinja").write_text("{% if %}")
    with pytest.raises(UsageError, match="cannot be used"):
        write_html(board_of(None), tmp_path, tmp_path)


def test_only_costs_of_one_method_are_drawn_and_never_beside_published_ones(write_site, tmp_path):
    board = board_of(write_site(tmp_path))
    trades = measured_tradeoffs(board)
    found = {point.name: point for trade in trades for _, points in trade.panels for point in points}
    assert set(found) == {"fbclip", "clip"}  # the third shared its encoding
    assert found["fbclip"][2:4] == pytest.approx((200.0, 2000.0))
    assert trades[0].panels[0][0] == "I-AUROC, mean of 2"
    rivals = [next(one for one in points if one.name == "clip") for _, points in trades[0].panels]
    expected = (100 * (0.8 + (0.6 + 0.5) / 2) / 2, 100 * (0.8 + 0.6) / 2)  # one class has no AUPRO
    assert [one.accuracy for one in rivals] == pytest.approx(expected)
    printed = {
        point.name: point for trade in published_tradeoffs(board) for _, points in trade.panels for point in points
    }
    assert (printed["FB-CLIP"].milliseconds, printed["FB-CLIP"].memory) == (215.0, 3.3 * 1024)
    assert not set(found) & set(printed)


def test_the_front_is_what_nothing_beats():
    draw = random.Random(3)
    points = [
        Point(str(n), draw.randint(0, 4), draw.randint(1, 5), draw.choice([None, 1, 2]), draw.random() > 0.1)
        for n in range(60)
    ]

    def beats(one, other):
        known = one.memory is not None and other.memory is not None
        as_good = one.accuracy >= other.accuracy and one.milliseconds <= other.milliseconds
        as_good = as_good and (not known or one.memory <= other.memory)
        better = one.accuracy > other.accuracy or one.milliseconds < other.milliseconds
        return as_good and (better or (known and one.memory < other.memory))

    rivals = [point for point in points if point.comparable]
    assert set(front(points)) == {one for one in rivals if not any(beats(other, one) for other in rivals)}


def test_thinned_curves_stay_within_the_tolerance():
    draw = random.Random(4)
    x = sorted(draw.random() for _ in range(200))
    y = sorted(draw.random() for _ in range(200))
    points = list(zip(*[iter(thinned(x, y, 0.01))] * 2, strict=True))
    assert 2 < len(points) < 100

    def away(px, py, start, end):
        (ax, ay), (bx, by) = [(one / 1000, other / 1000) for one, other in (start, end)]
        length = (bx - ax) ** 2 + (by - ay) ** 2
        share = min(1, max(0, ((px - ax) * (bx - ax) + (py - ay) * (by - ay)) / length)) if length else 0
        return math.hypot(px - ax - share * (bx - ax), py - ay - share * (by - ay))

    worst = max(min(away(*one, *pair) for pair in pairwise(points)) for one in zip(x, y, strict=True))
    assert worst <= 0.01 + 0.001  # of thousandths

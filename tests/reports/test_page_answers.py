"""What the page answers at once: ranking, glossary, threshold, colours, bold, exports, metrics, phone and print."""

import csv
import io
import json
import re

import numpy as np
import pytest

from zsadbench.compare import board_of
from zsadbench.compare.significance import comparisons
from zsadbench_reports.html import write_html

RANKING = "#ranking-measured-1"
MEASURED = "#board-measured-1"
PAPER = "#board-fbclip-table1"


def texts(shown, rows, cell):
    return [row.locator(cell).first.text_content() for row in shown.locator(rows).all()]


def test_the_page_opens_with_the_ranking(show):
    shown = show()
    assert shown.locator("main section").first.get_attribute("id") == "ranking"
    assert "FB-CLIP has the best I-AUROC: 89.0 on VisA." in shown.locator("#rankings .answer").inner_text()
    assert texts(shown, f"{RANKING} tbody tr", "th > a") == ["FB-CLIP", "<script>alert(1)</script>", "CLIP", "AF-CLIP"]
    cells = [row.locator("td").all_text_contents() for row in shown.locator(f"{RANKING} tbody tr").all()]
    assert [row[:3] for row in cells[:3]] == [["1", "89.0 best", "1–3"], ["2", "65.0", "1–3"], ["3", "55.0", "1–3"]]
    assert cells[3][1] == "not ranked: no comparable number"
    assert "Too few data sets for a test" in shown.locator("#rankings").inner_text()
    links = shown.locator(f"{RANKING} tbody tr").first.locator("small a")
    assert links.all_inner_texts() == ["paper", "code"]
    assert "CVPR 2026" in shown.locator(f"{RANKING} tbody tr").first.inner_text()
    assert all(link.get_attribute("href").startswith("https://") for link in links.all())


def test_the_ranking_follows_metric_and_domain(show):
    shown = show("#metric=pixel_auroc")
    shown.locator("#ranking-filters [name=metric]").select_option("pixel_aupro")
    assert "AUPRO (exact)" in shown.locator("#rankings .answer").inner_text()
    assert shown.locator("#filters [name=metric]").input_value() == "pixel_aupro"
    shown.locator("#ranking-filters [name=domain]").select_option("industrial")
    assert "89.0" in shown.locator(RANKING).inner_text()


def test_every_heading_and_mark_has_an_explanation_by_keyboard(show):
    shown = show("#also=pixel_auroc")
    headings = shown.locator("thead tr:last-child th, .marks-key a")
    lacking = headings.evaluate_all("""(all) => all.filter((one) => {
      const at = one.matches("[data-term]") ? one : one.querySelector("[data-term]");
      return !at || !document.getElementById(`term-${at.dataset.term}`) || at.tabIndex < 0;
    }).map((one) => one.textContent)""")
    assert lacking == []
    first = shown.locator(f"{RANKING} thead a").nth(3)
    first.focus()
    tip = shown.locator("#tip")
    assert "significantly better" in tip.inner_text()
    assert first.get_attribute("aria-describedby") == "tip"
    shown.keyboard.press("Escape")
    assert tip.is_hidden()
    shown.locator("#board .marks-key a").nth(2).hover()
    assert tip.inner_text().startswith("†: Not comparable")
    first.focus()
    shown.keyboard.press("Enter")
    assert shown.evaluate("location.hash") == "#term-interval"
    groups = shown.locator("#glossary summary").all_inner_texts()
    assert [one.split(" (")[0] for one in groups] == [
        "Metrics",
        "Marks",
        "Columns",
        "Protocols",
        "Methods",
        "Data sets",
    ]
    protocols = shown.locator("#glossary details").nth(3)
    assert "exact AUPRO" in protocols.locator("dd").first.text_content()


def test_the_threshold_moves_and_counts_misses_and_false_alarms(show):
    shown = show("#scoreset=visa&scoreclass=candle")
    panel = shown.locator("#scores-shown .score").first
    # ten good parts: at most 1 % is none of them, so the threshold is the highest good score, 0.9, above all bad ones
    assert panel.locator("output").inner_text() == (
        "Threshold 0.9000: 0 of 10 (0.0 %) good parts flagged, 4 of 4 (100.0 %) bad parts pass."
    )
    shown.locator("[data-alarms='2']").click()
    panel = shown.locator("#scores-shown .score").first
    assert (
        "Threshold 0.5000: 1 of 10 (10.0 %) good parts flagged, 1 of 4 (25.0 %)" in panel.locator("output").inner_text()
    )
    line = "(one) => one.querySelector('.threshold').getAttribute('x1')"
    before = float(panel.evaluate(line))
    slider = panel.locator("input")
    slider.focus()
    for _ in range(12):
        shown.keyboard.press("ArrowLeft")
    assert float(panel.evaluate(line)) < before
    edge = int(slider.input_value())
    threshold = 0.1 + edge / 48 * 0.8
    good = [0.10, 0.15, 0.20, 0.25, 0.30, 0.35, 0.40, 0.45, 0.50, 0.90]
    flagged, passed = sum(one > threshold for one in good), sum(one <= threshold for one in (0.2, 0.6, 0.7, 0.8))
    assert f"{flagged} of 10" in panel.locator("output").inner_text()
    assert f"{passed} of 4" in panel.locator("output").inner_text()
    assert slider.get_attribute("aria-valuetext") == panel.locator("output").inner_text()
    passes = shown.locator("#passes-measured-1 tbody tr").first.locator("td").all_inner_texts()
    assert passes == ["100.0", "100.0", "25.0"] * 2
    assert "Fewer than 100 good parts" in shown.locator("#scores-shown").inner_text()


def test_every_method_has_its_own_colour_and_marker(many):
    shown, _ = many
    for theme in ("light", "dark"):
        shown.emulate_media(color_scheme=theme)
        found = shown.evaluate("""() => {
          const luminance = (colour) => colour.match(/\\d+/g).slice(0, 3).map((one) => one / 255)
            .map((one) => (one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4))
            .reduce((sum, one, place) => sum + one * [0.2126, 0.7152, 0.0722][place], 0);
          const page = luminance(getComputedStyle(document.body).backgroundColor);
          const probe = document.body.appendChild(document.createElement("i"));
          return data.markers.map((_, place) => {
            probe.style.color = `var(--s${place})`;
            const colour = getComputedStyle(probe).color;
            const [low, high] = [page, luminance(colour)].sort((a, b) => a - b);
            return [colour, (high + 0.05) / (low + 0.05)];
          });
        }""")
        assert len({colour for colour, _ in found}) == len(found) == 20
        assert min(contrast for _, contrast in found) >= 3  # of graphics, WCAG 1.4.11
    marks = shown.locator(f"{RANKING} .marker path").evaluate_all(
        "(all) => all.map((one) => [one.style.fill, one.getAttribute('d')])"
    )
    assert len(marks) == 10 == len({fill for fill, _ in marks}) == len({path for _, path in marks})
    taken = shown.evaluate("seriesOf([{series: 3}, {series: 23}, {series: 4}, {series: 43}])")
    assert len(set(taken)) == 4


def test_nothing_is_bold_but_the_best(show):
    shown = show()
    shown.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    bold = shown.locator("tbody td:not(.words)").evaluate_all(
        """(all) => all.filter((one) => Number(getComputedStyle(one).fontWeight) > 500).length"""
    )
    assert bold == 0
    for table in (PAPER, RANKING, MEASURED):
        columns = shown.locator(table).evaluate("""(table) => {
          const rows = [...table.tBodies[0].rows].map((row) => [...row.cells]);
          return rows[0].map((_, place) => rows.map((row) => row[place]).filter((one) => one)
            .map((one) => [one.textContent, Boolean(one.querySelector("strong"))]));
        }""")
        for column in columns:
            numbers = [
                (float(text.split()[0]), strong)
                for text, strong in column
                if re.match(r"\d+\.\d", text) and "†" not in text
            ]
            best = max((number for number, _ in numbers), default=None)
            assert all(number == best for number, strong in numbers if strong)


def saved(shown, kind):
    with shown.expect_download() as waiting:
        shown.locator(f"[data-export={kind}]").click()
    return waiting.value.path().read_text(encoding="utf-8")


def test_exports_have_what_the_view_shows(show):
    shown = show("#source=published&method=clip&sort=mvtec:desc&datasets=mvtec,visa&also=pixel_auroc")
    rows = list(csv.DictReader(io.StringIO(saved(shown, "csv"))))
    title = "FB-CLIP (CVPR 2026), Table 1"
    of_table = [row for row in rows if row["table"].startswith(title)]
    cells = shown.locator(f"{PAPER} tbody tr").evaluate_all(
        """(all) => all.map((row) => [row.cells[0].firstChild.textContent,
            ...[...row.cells].slice(1).map((one) => one.textContent)])"""
    )
    shown_numbers = [(name, text.split()[0]) for name, *numbers in cells for text in numbers if text != "–"]
    assert [(row["method"], row["value"]) for row in of_table] == shown_numbers
    assert {row["column"] for row in of_table} == {"MVTec AD", "VisA"}
    assert {row["metric"] for row in of_table} == {"I-AUROC", "P-AUROC"}
    marked = {(row["method"], row["column"], row["metric"]) for row in of_table if row["mark"] == "best"}
    assert len(marked) == shown.locator(f"{PAPER} strong").count()
    tex = saved(shown, "tex")
    assert tex.count(r"\begin{tabular}") == shown.locator("#tables-of-board table").count()
    assert tex.count(r"\textbf{") == shown.locator("#tables-of-board td strong").count()
    keys = re.findall(r"@\w+\{([^,]+),", saved(shown, "bib"))
    assert {"hu2026fbclip", "bergmann2019mvtec", "zou2022spot"} <= set(keys)
    assert len(keys) == len(set(keys))
    assert "jeong2023winclip" in keys
    shown.locator("#filters [name=method]").fill("fb-clip")
    assert "jeong2023winclip" not in saved(shown, "bib")


def test_text_that_a_spreadsheet_would_run_is_text(show):
    shown = show()
    assert shown.evaluate("csvField('=1+1')") == "'=1+1"
    assert shown.evaluate("csvField('-1.5')") == "-1.5"
    assert shown.evaluate("csvField('a,\"b\"')") == '"a,""b"""'
    assert shown.evaluate("tex('a_b & 50% \\\\x')") == r"a\_b \& 50\% \textbackslash{}x"


def test_several_metrics_of_a_data_set_stand_side_by_side(show):
    shown = show()
    shown.locator("details:has(#also) > summary").click()
    shown.locator("#also [value=pixel_auroc]").check()
    keys = shown.locator(f"{PAPER} thead tr:last-child th").evaluate_all("(all) => all.map((one) => one.dataset.key)")
    assert keys[1:3] == ["mvtec", "mvtec~pixel_auroc"]
    shown.locator(f'{PAPER} th[data-key="mvtec~pixel_auroc"] button').click()
    column = [float(text.split()[0]) for text in texts(shown, f"{PAPER} tbody tr", "td:nth-child(3)") if text != "–"]
    assert column == sorted(column, reverse=True)
    assert "also=pixel_auroc" in shown.locator("#permalink").get_attribute("href")


def test_the_overview_counts_better_equal_and_worse(show):
    shown = show("#metric=image_auroc")
    table = shown.locator("#duels-measured-1")
    heads = table.locator("thead th").all_inner_texts()[1:]
    row = table.locator("tbody tr").first
    assert row.locator("th").inner_text() == "FB-CLIP"
    cells = dict(zip(heads, row.locator("td").all_inner_texts(), strict=True))
    assert cells["CLIP"] == "1 / 0 / 1"  # better on VisA, worse on MVTec AD
    assert cells["AF-CLIP"] == "–"  # not comparable
    heat = shown.locator("#overview-measured-1 td.heat").evaluate_all(
        "(all) => all.map((one) => one.style.getPropertyValue('--share'))"
    )
    assert min(map(float, heat)) == 0
    assert max(map(float, heat)) == 1


def test_a_phone_shows_the_ranking_and_a_cue_on_its_first_screen(show):
    shown = show(width=390, height=844, theme="dark")
    shown.wait_for_selector("#rankings .wide[data-more]")
    third = shown.locator(f"{RANKING} tbody tr").nth(2).bounding_box()
    assert third["y"] + third["height"] <= 844
    cue = shown.locator("#rankings .wide").first.evaluate("(one) => getComputedStyle(one, '::before').content")
    assert "Scroll sideways" in cue
    assert shown.locator("#rankings .wide").first.bounding_box()["y"] < 844
    shown.set_viewport_size({"width": 1920, "height": 900})
    shown.wait_for_selector("#rankings .wide:not([data-more])")


def test_it_prints_without_controls(show):
    shown = show("#scoreset=visa", theme="dark")
    shown.emulate_media(media="print")
    for hidden in ("nav", "#filters", "#theme", "#scores-shown input"):
        assert shown.locator(hidden).first.is_hidden()
    assert shown.locator("#rankings .answer").is_visible()
    assert shown.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


@pytest.fixture(scope="module")
def many_page(many_results):
    """The page of 480 records; its bootstrap has few draws, which changes no size."""
    patch = pytest.MonkeyPatch()
    whole = comparisons.differences
    patch.setattr(comparisons, "differences", lambda *given, **more: whole(*given, **{**more, "draws": 2}))
    yield write_html(board_of(many_results), many_results.parent, None)[0]
    patch.undo()


@pytest.fixture
def many(visit_page, many_page):
    return visit_page(many_page), many_page


def test_480_records_stay_small_fast_and_ranked(many, browser):
    shown, path = many
    assert path.stat().st_size < 2_000_000
    numbers = json.loads(re.search(r'id="payload">(.*?)</script>', path.read_text(encoding="utf-8"), re.DOTALL)[1])
    ranking = numbers["groups"][0]["rankings"]["image_auroc"][""]
    assert (len(ranking["sets"]), len(ranking["rows"]), ranking["tested"]) == (16, 10, True)
    means = [float(row[2]) for row in ranking["rows"]]
    assert means == sorted(means, reverse=True)
    assert all(low <= rank <= high for _, rank, _, low, high in ranking["rows"])
    assert set(numbers["groups"][0]["rankings"]["image_auroc"]) == {"", "industrial", "medical"}
    assert "over 16 data sets" in shown.locator("#rankings .answer").inner_text()
    fresh = browser.new_page(viewport={"width": 1400, "height": 900})
    session = fresh.context.new_cdp_session(fresh)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})  # time of the main thread, not of other programs
    fresh.goto(path.as_uri())
    measured = {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}
    fresh.close()
    assert measured["TaskDuration"] < 1.0


def test_the_shares_that_pass_are_those_of_the_scores(many_page):
    import pandas as pd

    text = many_page.read_text(encoding="utf-8")
    group = json.loads(re.search(r'id="payload">(.*?)</script>', text, re.DOTALL)[1])["groups"][0]
    path = next(
        one
        for one in sorted((many_page.parent / "results" / "visa" / "clip").glob("*.json"))
        if '"seed": 0' in one.read_text() or '"seed":0' in one.read_text()
    )
    images = pd.read_parquet(path.with_suffix(".parquet"))
    place = next(at for at, row in enumerate(group["rows"]) if row["name"] == "clip")
    for name, rows in images.groupby("class"):
        _, _, good_counts, bad_counts, points = group["scores"]["visa"][name][place]
        good, bad = (rows.loc[rows["label"] == label, "score"].to_numpy(np.float64) for label in (0, 1))
        assert (sum(good_counts), sum(bad_counts)) == (len(good), len(bad))
        for share, (_, alarms, misses) in zip((0.01, 0.05, 0.1), points, strict=True):
            allowed = [cut for cut in np.unique(good) if (good > cut).mean() <= share + 1e-12]
            assert alarms == (good > min(allowed)).sum()
            assert misses == (bad <= min(allowed)).sum()

"""`index.html` in a browser: sorting, filtering, permalinks, keyboard, no network requests, accessibility by axe."""

from urllib.parse import parse_qs

import pytest

axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")

MEASURED = "#board-measured-1"
PAPER = "#board-fbclip-table1"


def column(shown, table, key):
    """The numbers of a column from top to bottom; None for an empty cell."""
    place = shown.locator(f"{table} thead tr:last-child th").evaluate_all(
        "(all, key) => all.findIndex((one) => one.dataset.key === key)", key
    )
    cells = shown.locator(f"{table} tbody tr > :nth-child({place + 1})").all_inner_texts()
    numbers = [cell.split("\n")[0].split()[0].rstrip("†") for cell in cells]
    return [None if number == "–" else float(number) for number in numbers]


def names(shown, table):
    return shown.locator(f"{table} tbody th").evaluate_all("(all) => all.map((one) => one.firstChild.textContent)")


def test_sorting_goes_both_ways_and_back_inside_each_table(show):
    shown = show()
    before = names(shown, PAPER)
    heading = shown.locator(f'{PAPER} th[data-key="mvtec"]')
    heading.locator("button").click()
    assert heading.get_attribute("aria-sort") == "descending"
    down = column(shown, PAPER, "mvtec")
    assert down == sorted(down, reverse=True)
    heading.locator("button").click()
    assert column(shown, PAPER, "mvtec") == sorted(down)
    assert column(shown, MEASURED, "mvtec") == [70.0, 80.0, None, None]  # no number stands last either way
    heading.locator("button").click()
    assert heading.get_attribute("aria-sort") == "none"
    assert names(shown, PAPER) == before


def test_what_is_not_comparable_is_marked_and_stands_behind(show):
    shown = show("#sort=visa:desc")
    assert column(shown, MEASURED, "visa") == [89.0, 65.0, 55.0, 99.0]
    row = shown.locator(f"{MEASURED} tbody tr").last
    assert "†" in row.inner_text()
    assert "not comparable" in row.locator("td").first.inner_text() + row.locator("th").inner_text()
    assert row.locator("strong, u").count() == 0


def test_filters_leave_what_was_asked_for_and_change_no_number(show):
    shown = show()
    marked = shown.locator(f"{PAPER} strong").count()
    form = shown.locator("#filters")
    form.locator("[name=method]").fill("fb")
    assert names(shown, MEASURED) == ["FB-CLIP"]
    assert names(shown, PAPER) == ["FB-CLIP"]
    form.locator("[name=source]").select_option("published")
    assert shown.locator(MEASURED).count() == 0
    form.locator("[name=protocol]").select_option("unknown")
    assert "Nothing fits" in shown.locator("#status").inner_text()
    shown.locator("#reset").click()
    assert shown.locator(f"{PAPER} strong").count() == marked
    form.locator("[name=domain]").select_option("medical")
    assert {"HeadCT", "BrainMRI", "Br35H"} <= set(
        shown.locator(f"{PAPER} thead tr:last-child button").all_inner_texts()
    )
    assert shown.locator(f'{PAPER} th[data-key="mvtec"]').count() == 0
    form.locator("[name=domain]").select_option("")
    form.locator("[name=metric]").select_option("aupro")
    assert shown.locator(f'{PAPER} th[data-key="headct"]').count() == 0  # no masks, no AUPRO
    form.locator("details:has(#sets) > summary").click()
    form.locator("[value=visa]").uncheck()
    assert shown.locator('th[data-key="visa"]').count() == 0
    assert "MVTec AD" in shown.locator("#sets-chosen").inner_text()


def test_a_permalink_opens_the_same_view(show):
    shown = show()
    shown.locator("#filters [name=metric]").select_option("pixel_auroc")
    shown.locator("#filters [name=source]").select_option("measured")
    shown.locator(f'{MEASURED} th[data-key="visa"] button').click()
    shown.locator("#class-filters [name=set]").select_option("visa")
    shown.locator("#curve-filters [name=class]").select_option("{{ 7*7 }}")
    link = shown.locator("#permalink").get_attribute("href")
    assert shown.evaluate("location.hash") == link
    asked = parse_qs(link[1:])
    assert {key: asked[key] for key in ("metric", "source", "sort")} == {
        "metric": ["pixel_auroc"],
        "source": ["measured"],
        "sort": ["visa:desc"],
    }
    other = show(link)
    for place in ("#board", "#classes", "#curves"):
        assert other.locator(place).inner_text() == shown.locator(place).inner_text()


def test_a_wrong_permalink_shows_what_there_is(show):
    shown = show("#metric=nothing&sort=nowhere:desc&set=%3Cb%3E&class=x&part=y&domain=%3Cscript%3E")
    assert "Nothing fits" in shown.locator("#status").inner_text()
    shown.locator("#reset").click()
    assert len(names(shown, MEASURED)) == 4


def test_the_keyboard_reaches_and_sorts(show):
    shown = show()
    button = shown.locator(f'{MEASURED} th[data-key="visa"] button')
    button.focus()
    shown.keyboard.press("Enter")
    assert column(shown, MEASURED, "visa")[0] == 89.0
    assert shown.evaluate("document.activeElement.closest('th')?.dataset.key") == "visa"
    shown.keyboard.press("Space")
    assert column(shown, MEASURED, "visa")[0] == 55.0


def test_classes_curves_and_breakdowns_follow_their_choices(show):
    shown = show("#set=visa&by=pixel_aupro&part=candle&partmetric=pixel_ap")
    assert "{{ 7*7 }}" in shown.locator("#heat").inner_text()
    assert shown.locator("#heat td.heat").count() > 0
    assert shown.locator("#bars .bar").count() > 0
    assert shown.locator("#curves-shown path.curve").count() == 2  # of the two methods that have details
    assert "85.0 to 90.0" in shown.locator("#curves-shown").inner_text()
    shown.locator("#part-filters [name=part]").select_option("")
    parts = shown.locator("#parts-shown").inner_text()
    assert "smallest quarter, up to 0.1 % of the image" in parts
    assert "1.50" in parts


def test_the_theme_can_be_chosen(show):
    shown = show()
    colour = "getComputedStyle(document.body).backgroundColor"
    light = shown.evaluate(colour)
    shown.locator("#theme").click()
    shown.locator("#theme").click()
    assert shown.locator("#theme").inner_text() == "Theme: dark"
    assert shown.evaluate(colour) != light
    shown.emulate_media(media="print")
    assert shown.evaluate(colour) == light


@pytest.mark.parametrize(("width", "theme"), [(1920, "dark"), (1400, "light"), (390, "dark")])
def test_axe_finds_nothing_serious_and_nothing_sticks_out(show, width, theme):
    shown = show(width=width, theme=theme)
    shown.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert shown.evaluate("document.documentElement.scrollWidth") <= width
    found = axe.Axe().run(shown).response["violations"]
    assert [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in {"serious", "critical"}] == []

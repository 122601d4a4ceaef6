"""FB-CLIP's Table 1 and its appendix in Markdown, CSV and single LaTeX files, cell by cell as the paper prints them."""

import re

import pandas as pd
import pytest

from zsadbench.compare import contents_of
from zsadbench_reports.html.papers import paper_groups
from zsadbench_reports.latex import write_alone
from zsadbench_reports.markdown import table_text
from zsadbench_reports.tidy import write_tidy

TITLES = {"DAGM2007": "DAGM 2007", "ISIC2016": "ISIC 2016", "EndoTect": "EndoTect 2020"}
METRICS = {"image": ("image_auroc", "image_ap"), "pixel": ("pixel_auroc", "pixel_aupro")}
APPENDIX = [(10, "mvtec"), (11, "visa"), (12, "realiad")]


@pytest.fixture(scope="module")
def published(make_board):
    return make_board([])


@pytest.fixture(scope="module")
def tables(published):
    return {table.key: table for table in contents_of(published).all()}


@pytest.fixture(scope="module")
def rows(published, tmp_path_factory):
    """The numbers of FB-CLIP in `results.csv`: table, label, target, class and metric → the printed number."""
    path, _ = write_tidy(published, tmp_path_factory.mktemp("csv"), None)
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    frame = frame[frame["source"] == "fbclip"]
    metric = frame["metric"].str.replace(r"^pixel_aupro.*", "pixel_aupro", regex=True)
    keys = zip(frame["table"], frame["entry"], frame["target"], frame["class"], metric, strict=True)
    return dict(zip(keys, frame["printed"], strict=True))


def markdown_rows(table):
    lines = [line.strip("| ").split(" | ") for line in table_text(table).splitlines() if line.startswith("|")]
    return [[re.sub(r"[*\\]|</?ins>", "", cell).strip() for cell in line] for line in lines]


def as_pair(cell):
    numbers = cell.split()
    return "-" if set(numbers) == {"-"} else f"({', '.join(numbers)})"


def test_table_1_in_markdown(tables, golden):
    (_, _, *methods), *lines = golden("fbclip_table1")
    header, _, venues, *found = markdown_rows(tables["fbclip-table1"])
    assert header == ["data set", *methods]
    assert venues[-1] == "CVPR 2026"
    cells = {}
    for line in found:
        block = line[0] if len([text for text in line if text]) == 1 else block  # noqa: F821
        cells[re.split(r", | \(", block)[1], line[0]] = line[1:]
    for name, level, *expected in lines:
        assert cells[level, TITLES.get(name, name)] == [as_pair(cell) for cell in expected]


def test_table_1_in_the_csv(published, rows, golden):
    (_, _, *methods), *lines = golden("fbclip_table1")
    names = {published.dataset(target).title: target for target in published.published["target"].unique() if target}
    for name, level, *cells in lines:
        for method, cell in zip(methods, cells, strict=True):
            target = names[TITLES.get(name, name)]
            found = [rows.get(("1", method, target, "mean", metric), "-") for metric in METRICS[level]]
            assert found == cell.split(), (name, method)


def test_table_1_on_the_page(published, golden):
    (group,) = [group for group in paper_groups(published) if group["id"] == "fbclip-table1"]
    names = {published.dataset(target).title: target for target in group["targets"]}
    for name, level, *cells in golden("fbclip_table1")[1:]:
        for place, metric in enumerate(("image_auroc", "image_ap") if level == "image" else ("pixel_auroc", "aupro")):
            found = group["cells"][metric][names[TITLES.get(name, name)]]
            assert [cell[0] if cell else "-" for cell in found] == [cell.split()[place] for cell in cells]


@pytest.mark.parametrize(("number", "target"), APPENDIX)
def test_the_appendix_in_every_format(published, tables, rows, golden, tmp_path, number, target):
    expected, table = golden(f"fbclip_table{number}_{target}"), tables[f"fbclip-table{number}"]
    order = ("pixel_auroc", "pixel_aupro", "image_auroc", "image_ap")
    assert [line for line in markdown_rows(table)[3:] if any(line[1:])] == expected
    in_csv = [
        [name, *(rows[str(number), "FB-CLIP", target, name, metric] for metric in order)] for name, *_ in expected
    ]
    assert in_csv == expected
    (group,) = [group for group in paper_groups(published) if group["id"] == table.key]
    classes = group["classes"][target]
    page = [classes["cells"][metric] + [classes["mean"][metric]] for metric in ("pixel_auroc", "aupro", *order[2:])]
    names = [*classes["names"], "mean"]
    assert [[name, *(column[place][0][0] for column in page)] for place, name in enumerate(names)] == expected
    (path,) = write_alone([table], tmp_path, None)
    text = path.read_text()
    assert r"\begin{table}[tp]" in text  # four columns fit into one column of the page
    assert re.findall(r"\\centering\\arraybackslash\}p\{[\d.]+\\linewidth\}\}\{(.*?)\}", text) == [
        "pixel level",
        "image level",
    ]
    lines = [
        line.removesuffix(r" \\").split(" & ") for line in text.partition(r"\midrule")[2].splitlines() if r"\\" in line
    ]
    plain = [[re.sub(r"\\hspace\{0pt\}|\\allowbreak\{\}|\\(?=_)", "", cell) for cell in line] for line in lines]
    assert plain == expected


def test_spreads_of_papers_are_printed(tables):
    """AF-CLIP's Table 2: PromptAD with one image of MVTec AD has 94.6 ± 1.7."""
    table = tables["afclip-table2"]
    row = next(row for row in table.rows if row.label == "MVTec AD, 1-shot" and "image" in row.block)
    number = row.cells[table.columns.index("PromptAD")][0]
    assert (number.text, number.spread_text) == ("94.6", "1.7")
    assert "94.6 ± 1.7" in table_text(table)


def test_numbers_of_papers_keep_their_decimals(tables):
    """MFP-CLIP's Table 4 prints two decimals."""
    texts = {number.text for number in tables["mfpclip-table4"].numbers}
    assert all(re.fullmatch(r"\d+\.\d\d", text) for text in texts)


def test_ablations_have_ticks_in_place_of_labels(tables):
    table = tables["fbclip-table2"]
    header, _, *found = markdown_rows(table)
    assert header[:4] == ["MSTFF", "MVFBE", "BS", "SCR"]
    assert [sum(cell == "✓" for cell in line[:4]) for line in found] == [0, 1, 1, 1, 1, 2, 2, 2, 3, 3, 2, 2, 4]
    assert "3-module row 6" not in "".join(map(str, found))
    assert any(note.startswith("MSTFF+MVFBE, MSTFF+BS") and "ticks are lost" in note for note in table.notes)
    afclip = tables["afclip-table4"]
    assert [sum(row.ticks) for row in afclip.rows] == [0, 1, 2, 3, 4]
    assert [row.ticks.index(False) for row in tables["mfpclip-table2"].rows[:4]] == [0, 1, 2, 3]

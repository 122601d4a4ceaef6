"""FB-CLIP's Table 1, its tables by class and its cost table, regenerated from the published numbers alone.

The golden files are the tables as printed in the paper, in another shape than the numbers that are shipped.
"""

import pytest

from zsadbench_reports.latex import write_latex

TITLES = {"DAGM2007": "DAGM 2007", "ISIC2016": "ISIC 2016", "EndoTect": "EndoTect 2020"}
LEVELS = {"image": "(I-AUROC, I-AP)", "pixel": "(P-AUROC, AUPRO)"}


@pytest.fixture(scope="module")
def written(make_board, tmp_path_factory):
    out = tmp_path_factory.mktemp("report")
    write_latex(make_board([]), out, None)
    return out


def printed(cell):
    """`92.1 -` as the table prints it."""
    texts = [text if text != "-" else "--" for text in cell.split()]
    return texts if set(texts) != {"--"} else ["--"]


def test_table_1_cell_by_cell(written, parse_tex, golden):
    columns, rows = parse_tex((written / "main.tex").read_text())["fbclip-table1"]
    (_, _, *methods), *lines = golden("fbclip_table1")
    assert columns == methods
    assert len(rows) == len(lines) == 23
    for name, level, *cells in lines:
        ((_, found),) = [
            (key, row)
            for key, row in rows.items()
            if key[0].endswith(f"{level} {LEVELS[level]}") and key[1] == TITLES.get(name, name)
        ]
        assert [[text for text, _ in cell] for cell in found] == [printed(cell) for cell in cells], name


def test_bold_and_underline_of_every_published_main_table(written, parse_tex):
    tables = parse_tex((written / "main.tex").read_text())
    whole = {}
    for key, (columns, rows) in tables.items():  # the parts of a table that is too wide for a page, together
        names, cells = whole.setdefault("-".join(key.split("-")[:2]), ([], {}))
        names += columns
        for place, row in rows.items():
            cells.setdefault(place, []).extend(row)
    assert set(whole) == {"fbclip-table1", "afclip-table1", "afclip-table2", "afclip-table3", "mfpclip-table1"}
    for columns, rows in whole.values():
        for cells in rows.values():
            for place in range(max(map(len, cells))):
                numbers = {
                    name: cell[place]
                    for name, cell in zip(columns, cells, strict=True)
                    if cell[0][0] != "--" and len(cell) > place
                }
                values = {name: float(text) for name, (text, _) in numbers.items() if text != "--"}
                order = sorted(set(values.values()), reverse=True) if len(values) > 1 else []
                expected = {
                    name: dict(zip(order, ("best", "second"), strict=False)).get(value, "")
                    for name, value in values.items()
                }
                assert {name: mark for name, (text, mark) in numbers.items() if text != "--"} == expected


@pytest.mark.parametrize(("number", "target"), [(10, "mvtec"), (11, "visa"), (12, "realiad")])
def test_tables_by_class_cell_by_cell(written, parse_tex, golden, number, target):
    columns, rows = parse_tex((written / f"per_class_{target}.tex").read_text())[f"fbclip-table{number}"]
    assert columns == ["P-AUROC", "AUPRO", "I-AUROC", "I-AP"]
    assert [[label, *(cell[0][0] for cell in cells)] for (_, label), cells in rows.items()] == golden(
        f"fbclip_table{number}_{target}"
    )


def test_the_cost_table_cell_by_cell(written, parse_tex, golden):
    columns, rows = parse_tex((written / "cost.tex").read_text())["fbclip-table13-cost"]
    assert columns == ["time [ms]", "memory [GB]"]
    assert [[label, *(cell[0][0] for cell in cells)] for (_, label), cells in rows.items()] == golden("fbclip_table13")


def test_changed_numbers_give_changed_tables(make_board, parse_tex, tmp_path):
    board = make_board([])
    frame = board.frame.copy()
    place = (
        (frame["source"] == "fbclip")
        & (frame["table"] == "1")
        & (frame["target"] == "visa")
        & (frame["metric"] == "image_auroc")
    )
    frame.loc[place & (frame["method"] == "winclip"), "value"] = 0.999
    write_latex(type(board)(frame, (), board.datasets), tmp_path, None)
    _, rows = parse_tex((tmp_path / "main.tex").read_text())["fbclip-table1"]
    cells = rows["industrial, image (I-AUROC, I-AP)", "VisA"]
    assert [cells[place][0] for place in (0, 5, 7)] == [("99.9", "best"), ("88.5", ""), ("89.5", "second")]

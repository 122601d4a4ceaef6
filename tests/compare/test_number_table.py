"""Tables of published numbers that somebody wrote: every fault with the number of its line, all at once."""

import pytest

from zsadbench.compare.number_table import NUMBERS, SOURCE, read_number_table
from zsadbench.errors import DataError

HEADER = "paper,paper_title,method,target,metric,value"
ROW = "doe2027,GlowCLIP: Light,glow,visa,image_auroc,92.4"


def read(*lines, columns=None):
    content = lines[0] if isinstance(lines[0], bytes) else "\n".join(lines).encode()
    return read_number_table(content, "mine.csv", columns or {**SOURCE, **NUMBERS})


def faults(*lines):
    with pytest.raises(DataError) as raised:
        read(*lines)
    return str(raised.value).split("\nerror: ")


def test_cells_that_are_left_out_have_their_defaults():
    (row,) = read(HEADER, ROW)
    assert {row[name] for name in ("protocol", "split", "backbone", "aux", "computed_by")} == {"unknown"}
    assert (row["class"], row["shots"], row["table"], row["label"], row["aupro"]) == ("mean", "0", "1", "glow", "")
    (pixel,) = read(HEADER, ROW.replace("image_auroc", "pixel_aupro"))
    assert pixel["aupro"] == "unknown"


def test_a_byte_order_mark_and_an_alias_are_taken():
    (row,) = read(b"\xef\xbb\xbf" + f"{HEADER}\n{ROW.replace('visa', 'VISA')}\n".encode())
    assert row["target"] == "visa"


@pytest.mark.parametrize(
    ("lines", "fault"),
    [
        ([""], "line 1: it is empty"),
        ([HEADER], "line 1: no row below the columns"),
        ([HEADER.replace(",", ";")], "columns are separated by semicolons"),
        ([HEADER.replace(",", "\t")], "columns are separated by tabs"),
        (["x".encode("utf-16")], "line 1: this is no UTF-8"),
        ([HEADER.replace("method", "methd"), ROW], "unknown column 'methd'; did you mean 'method'?"),
        ([HEADER + ",value", ROW + ",1"], "the column 'value' occurs 2 times"),
        ([HEADER.replace(",value", ""), ROW], "the column 'value' is missing"),
        ([HEADER, ROW.replace("92.4", "92,4")], "line 2: 7 cells for 6 columns; write 92.4, not 92,4"),
        ([HEADER, ROW.replace("92.4", '"92,4"')], "that is a decimal comma; write 92.4"),
        ([HEADER, ROW.replace("92.4", "924")], "accuracies are in percent, from 0 to 100"),
        ([HEADER, ROW.replace("92.4", "-1")], "it must be a number as printed"),
        ([HEADER, ROW.replace("visa,image_auroc,92.4", ",gflops," + "9" * 399)], "it is too large"),
        ([HEADER + ",shots", ROW + ",٣"], "'shots' is '٣'"),
        ([HEADER, ROW.replace("92.4", "nan")], "it must be a number as printed"),
        ([HEADER, ROW.replace("92.4", "")], "line 2: 'value' is empty"),
        ([HEADER, ROW.replace("visa", "vsia")], "no data set named 'vsia'; did you mean 'visa'?"),
        ([HEADER, ROW.replace("visa", "")], "'target' is empty"),
        ([HEADER, ROW.replace("image_auroc", "image_aroc")], "did you mean 'image_auroc'?"),
        ([HEADER, ROW.replace("image_auroc", "pixel_aupro_200")], "the variant of AUPRO stands in the column 'aupro'"),
        ([HEADER, ROW.replace("image_auroc", "gflops")], "is a cost, which has neither target nor class"),
        ([HEADER, ROW.replace("doe2027", "a:b")], "'paper' is 'a:b'; it takes letters"),
        ([HEADER, ROW.replace("doe2027", "measured")], "'paper' cannot be 'measured'"),
        ([HEADER + ",class", ROW + ",candl"], "no class of visa named 'candl'; did you mean 'candle'?"),
        ([HEADER + ",protocol", ROW + ",strickt"], "no protocol named 'strickt'; did you mean 'strict'?"),
        ([HEADER + ",aupro", ROW + ",exact"], "'aupro' is 'exact'; for pixel_aupro"),
        ([HEADER + ",shots", ROW + ",few"], "'shots' is 'few'; it is a whole number or 'full'"),
        ([HEADER + ",image_size", ROW + ",5.5"], "'image_size' is '5.5'"),
        ([HEADER + ",paper_url", ROW + ",javascript:alert(1)"], "it begins with https:// or http://"),
        ([HEADER + ",paper_year", ROW + ",27"], "'paper_year' is '27'; it is a year"),
        ([HEADER + ",spread", ROW + ",x"], "'spread' is 'x'; it must be a number"),
        ([HEADER + ",note", ROW + ',"a\nb"'], "'note' has a line break"),
        ([HEADER, ROW, ROW.replace("image_auroc", "image_ap"), ROW], "line 4: a second number for what line 2 has"),
        ([HEADER, ROW, ROW.replace("image_auroc", "image_ap").replace("Light", "Dark")], "say it alike in every row"),
        ([HEADER, ROW.replace("92.4", ".924")], "it must be a number as printed"),
        (
            [HEADER, ROW.replace("92.4", "0.924"), ROW.replace("image_auroc", "image_ap").replace("92.4", "1")],
            "write percent, 92.4 for 0.924",
        ),
        ([HEADER, '"' + ROW], "no CSV: "),
    ],
)
def test_one_fault(lines, fault):
    found = faults(*lines)
    assert any(fault in one for one in found), found
    assert all(one.startswith("'mine.csv', line ") for one in found)


def test_all_faults_are_named_at_once_with_their_lines():
    found = faults(HEADER, ROW, ROW.replace("visa", "vsia"), "", ROW.replace("92.4", "x").replace("visa", "nowhere"))
    assert [one.partition(": ")[0] for one in found] == [
        "'mine.csv', line 3",
        "'mine.csv', line 5",
        "'mine.csv', line 5",
    ]


def test_a_message_names_a_hundred_faults_and_counts_the_others():
    found = faults(HEADER, *[ROW.replace("92.4", "x")] * 130)
    assert len(found) == 101
    assert found[-1] == "'mine.csv': 30 more faults"


def test_a_package_needs_no_columns_on_its_paper():
    assert len(read("method,target,metric,value", "glow,visa,image_auroc,92.4", columns=NUMBERS)) == 1


def test_the_names_in_shipped_tables_are_known():
    from zsadbench.compare.printed_papers import papers

    for name, paper in papers().items():
        assert read_number_table(paper.numbers.read_bytes(), name, NUMBERS)

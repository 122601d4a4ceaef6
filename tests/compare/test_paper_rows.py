"""Descriptions of tables: every one in the package is complete; a wrong one is an error of one line."""

from dataclasses import replace

import pytest

from zsadbench import registry
from zsadbench.compare.paper_rows import check_rows, find_table, read_table, table_names, why_left_out
from zsadbench.compare.published import read_published
from zsadbench.data import find_card
from zsadbench.engine.plan.options import configure
from zsadbench.errors import DataError, UsageError

RUNNABLE = [
    (table.name, row) for table in map(find_table, table_names()) for row in table.rows if not why_left_out(row)
]


def test_every_printed_table_has_a_description():
    frame = read_published()
    printed = {f"{paper}:table{number}" for paper, number in zip(frame["source"], frame["table"], strict=True)}
    assert set(table_names()) == printed


@pytest.mark.parametrize("name", table_names())
def test_its_targets_are_those_that_were_printed(name):
    table = find_table(name)
    printed = [target for target in dict.fromkeys(table.published()["target"]) if target]
    assert list(table.targets) == (printed or ["mvtec"])  # costs alone name no data set


@pytest.mark.parametrize(("name", "row"), RUNNABLE, ids=[f"{name}-{row.label}-{row.shots}" for name, row in RUNNABLE])
def test_a_row_says_what_its_method_would_do(name, row):
    """Options are known, and what the description states is what the method's card and protocol say."""
    card, protocol = registry.method_card(row.method), registry.protocol(row.protocol)
    configure(card, row.options, (row.method,))
    assert row.aupro == protocol.aupro
    if card.recipe is None:  # it has no seed either
        return
    assert row.seeds == protocol.seeds
    assert row.image_size == card.recipe.image_size
    for target in find_table(name).targets:
        aux = row.aux_for(target)
        if aux != "none":
            assert find_card(aux).name == aux != target
            published = dict(protocol.epochs).get(aux)
            assert row.epochs_on(aux) == (published or card.recipe.epochs_for(aux))


def test_rows_that_differ_in_print_run_differently():
    for name in (
        "fbclip:table2",
        "fbclip:table3",
        "fbclip:table4",
        "fbclip:table5",
        *(f"afclip:table{n}" for n in (4, 5, 6)),
    ):
        rows = [row for row in find_table(name).rows if not row.left_out]
        cards = [registry.method_card(row.method) for row in rows]
        options = [configure(card, row.options, (row.method,)).options for card, row in zip(cards, rows, strict=True)]
        assert len(set(options)) == len(rows), name


def test_a_row_of_an_unknown_method_is_not_built_yet():
    rows = {row.label: row for row in find_table("fbclip:table1").rows}
    assert why_left_out(rows["FB-CLIP"]) == ""
    missing = [row for row in rows.values() if row.method not in registry.names("methods")]
    assert all(why_left_out(row) == "not built yet" for row in missing)


@pytest.mark.parametrize("name", ["fbclip:table1", "afclip:table5", *(f"mfpclip:table{n}" for n in (1, 2, 3, 4))])
def test_every_row_of_these_tables_is_run(name):
    rows = find_table(name).rows
    assert [row.label for row in rows if why_left_out(row)] == []
    assert name != "fbclip:table1" or len(rows) == 8


def test_an_unknown_table_is_named_with_the_nearest():
    with pytest.raises(UsageError, match="no table named 'fbclip:tabel3'; did you mean 'fbclip:table3'"):
        find_table("fbclip:tabel3")


GOOD = """
targets = ["visa"]
[defaults]
method = "fbclip"
protocol = "paper:fbclip"
aupro = "200_minmax"
seeds = [111]
backbone = "ViT-L-14-336"
weights = "openai"
[[rows]]
label = "FB-CLIP"
"""


def test_a_row_takes_what_it_does_not_say_from_the_defaults():
    (row,) = read_table(GOOD + 'aupro = "exact"\n', "fbclip", "11", "t.toml").rows
    assert (row.aupro, row.seeds, row.image_size, row.options, row.shots) == ("exact", (111,), 518, (), 0)
    assert row.aux_for("visa") == "none"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("targets = [", "t.toml: not TOML"),
        (GOOD + "colour = 3\n", r"t.toml: rows\[0\]: field 'colour' is unknown; known: "),
        ("colour = 3\n" + GOOD, "t.toml: field 'colour' is unknown"),
        (GOOD.replace("seeds = [111]\n", ""), r"rows\[0\]: field 'seeds' is missing"),
        (GOOD.replace("[111]", '["a"]'), "field 'seeds' must be a list of whole numbers"),
        (GOOD.replace("[111]", "[true]"), "field 'seeds' must be a list of whole numbers"),
        (GOOD.replace("200_minmax", "200"), "field 'aupro' must be one of 'exact', '200_minmax', '200_max', not '200'"),
        (GOOD + "aux = 3\n", "field 'aux' must map targets to auxiliary sets"),
        (GOOD + "epochs = { mvtec = 0 }\n", "field 'epochs' must map auxiliary sets to epochs"),
        (GOOD + "shots = -1\n", "field 'shots' must be a whole number"),
        ('targets = ["visa"]\nrows = 3\n', "field 'rows' must be a list of tables"),
        ("rows = []\n", "field 'targets' is missing"),
    ],
)
def test_a_wrong_description_is_refused_in_one_line(text, message):
    with pytest.raises(DataError, match=message) as told:
        read_table(text, "fbclip", "11", "t.toml")
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD.replace('"FB-CLIP"', '"FB-CLIPP"'), "row 'FB-CLIPP' with 0 shots is not among the printed ones"),
        (GOOD + '[[rows]]\nlabel = "FB-CLIP"\n', "row 'FB-CLIP' with 0 shots is described twice"),
        (GOOD.partition("[[rows]]")[0] + "[[rows]]\n", "field 'label' is missing"),
    ],
)
def test_rows_are_those_that_were_printed(text, message):
    with pytest.raises(DataError, match=message):
        check_rows(read_table(text, "fbclip", "11", "t.toml"))


def test_a_printed_row_must_not_be_left_undescribed():
    table = find_table("fbclip:table5")
    with pytest.raises(DataError, match="the printed row 'background L/2 tokens' with 0 shots is not described"):
        check_rows(replace(table, rows=table.rows[:1]))

"""Copies of one data set with other content, and versions of code, are never one row, mark, mean or rank."""

from pathlib import Path

import pytest

from zsadbench.compare import contents_of
from zsadbench.compare.frame import set_of
from zsadbench.compare.gap import gaps
from zsadbench.compare.groups import groups
from zsadbench.compare.measured import entry_names, shortened, target_names
from zsadbench.compare.significance.pair import pairings

ONE, TWO = "3f9a" + "0" * 60, "c001" + "0" * 60


def on(record, fingerprint):
    record.cell["target"] = record.cell["target"] | {"fingerprint": fingerprint}
    return record


@pytest.fixture
def two_sites(make_record):
    """`two_sites(target)`: two methods, each measured on a copy of its own."""

    def make(target):
        mine = on(make_record("mine", target, {"x": 0.9}), ONE)
        return [mine, on(make_record("theirs", target, {"x": 0.8}), TWO)]

    return make


@pytest.mark.parametrize(
    ("target", "title", "domain"), [("folder:caps", "folder:caps", "own images"), ("visa", "VisA", "industrial")]
)
def test_copies_of_one_name_are_two_data_sets(make_board, two_sites, target, title, domain):
    board = make_board(two_sites(target))
    (group,) = groups(board)
    assert group.targets == [f"{target} (3f9a)", f"{target} (c001)"]
    assert [board.dataset(name)[:2] for name in group.targets] == [
        (f"{title} (3f9a)", domain),
        (f"{title} (c001)", domain),
    ]
    assert any(note.endswith(f"{target} (3f9a), {target} (c001).") for note in group.notes)


def cells_of(board):
    """The cells of all tables of measured numbers over data sets: (data set, number, mark), rank columns included."""
    tables = contents_of(board)
    measured = [table for table in [*tables.main, *tables.all()] if "easured" in table.caption]
    return [(row.label, number) for table in measured for row in table.rows for cell in row.cells for number in cell]


@pytest.mark.parametrize("target", ["folder:caps", "visa"])
def test_copies_are_in_no_common_mark_mean_or_rank(make_board, make_record, two_sites, target):
    apart = cells_of(make_board(two_sites(target)))
    assert [each for each in apart if getattr(each[1], "mark", "") in {"best", "second"}] == []
    same = [make_record("mine", target, {"x": 0.9}), make_record("theirs", target, {"x": 0.8})]
    assert any(getattr(each[1], "mark", "") == "best" for each in cells_of(make_board(same)))


def test_one_copy_keeps_the_name_of_its_set(make_board, make_record):
    board = make_board([make_record(name, "visa", {"x": 0.9}) for name in "ab"])
    assert groups(board)[0].targets == ["visa"]
    assert board.dataset("visa").title == "VisA"


def test_numbers_of_papers_belong_to_every_copy_of_their_set(make_board, make_record):
    records = [on(make_record("winclip", "visa", {"x": 0.9}), fingerprint) for fingerprint in (ONE, TWO)]
    alone = gaps(make_board(records[:1]).frame)
    found = gaps(make_board(records).frame)
    assert len(alone) > 0
    assert len(found) == 2 * len(alone)
    assert {gap.target for gap in found} == {"visa (3f9a)", "visa (c001)"}


def test_copies_of_one_set_are_cited_once(make_board, two_sites):
    (group,) = groups(make_board(two_sites("visa")))
    assert [key for _, key in group.cites] == ["zou2022spot"]


def test_a_pair_that_shares_no_copy_is_listed_and_not_compared(make_board, make_record, two_sites):
    rival = on(make_record("rival", "visa", {"x": 0.7}), TWO)
    (found,) = pairings(make_board([*two_sites("visa"), rival]), "mine", "theirs", ["visa"])
    assert {line.because for line in found.lines} == {"other copies of the set"}
    assert {line.target for line in found.lines} == {"visa"}
    assert list(found.overall) == []
    (found,) = pairings(make_board([*two_sites("visa"), rival]), "theirs", "rival", ["visa (c001)"])
    assert {line.because for line in found.lines} == {""}
    (found,) = pairings(make_board([*two_sites("visa"), rival]), "theirs", "rival", ["visa"])
    assert {line.target for line in found.lines} == {"visa (c001)"}


def test_digits_grow_until_they_tell_apart():
    cells = [{"target": {"name": "a", "fingerprint": text}} for text in ("12345", "12346", "99999")]
    assert target_names([*cells, {"target": {"name": "b", "fingerprint": "12345"}}]) == [
        *("a (12345)", "a (12346)", "a (9999)"),
        "b",
    ]
    assert shortened("abcdef", ["abcdef", "abcdee"]) == "abcdef"


def test_a_name_in_brackets_is_no_copy():
    assert set_of("folder:cups (blue)", "3f9a") == "folder:cups (blue)"
    assert set_of("folder:cups (blue) (3f9a)", "3f9a77") == "folder:cups (blue)"


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ({"method": "1", "pipeline": "1"}, {"method": "2", "pipeline": "1"}),
        ({"method": None, "pipeline": "1"}, {"method": None, "pipeline": "2"}),
        ({"method": "a" * 64, "pipeline": "1"}, None),
    ],
)
def test_runs_of_other_code_are_two_rows(make_board, make_record, one, two):
    records = [make_record("own", "visa", {"x": value}, code=code) for value, code in ((0.9, one), (0.7, two))]
    names = entry_names([record.cell for record in records])
    assert len(set(names)) == 2
    assert all(name.startswith("own [code ") for name in names)
    assert names[1].endswith(" unknown]") is (two is None)
    (group,) = groups(make_board(records))
    assert [group.scores[name, "visa", "mean", "image_auroc"].value for name in names] == [0.9, 0.7]
    seeds = [record.cell | {"code": one} for record in records]
    assert entry_names([seeds[0], seeds[1] | {"seed": 1}]) == ["own", "own"]


def test_the_terminal_has_one_table_per_copy(two_sites, capsys):
    from types import SimpleNamespace

    from zsadbench.cli.tables.results import print_results

    mine, theirs = two_sites("folder:caps")
    records = [(Path("mine.json"), mine), (Path("theirs.json"), theirs)]
    print_results(SimpleNamespace(metrics=["image_auroc"]), SimpleNamespace(records=records))
    lines = capsys.readouterr().out.splitlines()
    titles = [line for line in lines if "folder:caps" in line]
    assert ["folder:caps (3f9a)" in titles[0], "folder:caps (c001)" in titles[1], len(titles)] == [True, True, 2]

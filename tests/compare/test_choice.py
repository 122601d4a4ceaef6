"""A selection chooses measured rows, their order and the published table beside them; what is left out is named."""

import pytest

from zsadbench.compare import bibliography, board_of, choose, contents_of
from zsadbench.compare.choice import spelled_out
from zsadbench.errors import UsageError
from zsadbench.selection import Selection, as_toml, read_selection


@pytest.fixture
def board(make_board, make_record):
    means = {"clip": 0.6, "fbclip": 0.9, "afclip": 0.8}
    targets = ("visa", "mvtec", "brainmri")
    return make_board([make_record(name, target, {"x": mean}) for name, mean in means.items() for target in targets])


def entries(board):
    return list(dict.fromkeys(board.measured["entry"]))


def test_without_a_selection_the_board_stays(board):
    assert choose(board, Selection()) is board


def test_methods_and_data_sets_are_chosen_in_the_given_order_and_the_others_named(board):
    chosen = choose(board, Selection(("fbclip", "clip"), ("mvtec", "visa")))
    assert entries(chosen) == ["fbclip", "clip"]
    assert list(dict.fromkeys(chosen.measured["target"])) == ["mvtec", "visa"]
    assert chosen.left_out == {"methods": ("afclip",), "data sets": ("brainmri",)}
    assert {record.cell["method"] for _, record in chosen.records} == {"fbclip", "clip"}
    assert len(chosen.published) == len(board.published)


def test_a_domain_stands_for_its_data_sets(board):
    assert set(choose(board, Selection(targets="medical")).measured["target"]) == {"brainmri"}


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("given", ["clip", "fbclip", "afclip"]),
        ("name", ["afclip", "clip", "fbclip"]),
        ("mean", ["fbclip", "afclip", "clip"]),
        ("year", ["clip", "afclip", "fbclip"]),
    ],
)
def test_orders(board, order, expected):
    assert entries(choose(board, Selection(order=order, decimals=2))) == expected


def test_one_of_several_runs_of_a_method_is_chosen_by_its_name_in_tables(make_board, make_record):
    records = [
        make_record("fbclip", "visa", {"x": 0.9}),
        make_record("fbclip", "visa", {"x": 0.8}, options={"bs": False}),
    ]
    board = make_board(records)
    name = "fbclip [bs=false]"
    assert entries(choose(board, Selection(name))) == [name]
    assert entries(choose(board, Selection("fbclip"))) == entries(board)


def test_aupro_is_the_variant_of_the_protocol(make_board, make_record):
    values = {"x": {"pixel_aupro": 0.1, "pixel_aupro_200": 0.2}}
    records = [
        make_record("a", "visa", values, protocol={"name": name, "digest": "d"}) for name in ("strict", "paper:fbclip")
    ]
    chosen = choose(make_board(records), Selection(metrics=("aupro", "image_f1max")))
    found = chosen.measured.groupby("protocol")["metric"].unique().map(sorted).to_dict()
    assert found == {"strict": ["image_f1max", "pixel_aupro"], "paper:fbclip": ["image_f1max", "pixel_aupro_200"]}
    assert "pixel_ap" in chosen.left_out["metrics"]
    first = contents_of(chosen).main[0]
    assert [row.block for row in first.rows] == ["industrial, image (I-F1)", "industrial, pixel (AUPRO)"]
    assert first.rows[1].cells[0][0].text == "10.0"


def test_a_table_of_a_paper_brings_its_data_sets_its_metrics_and_itself_alone(board):
    chosen = choose(board, Selection(paper="afclip:table1"))
    assert set(zip(chosen.published["source"], chosen.published["table"], strict=True)) == {("afclip", "1")}
    assert set(chosen.measured["metric"]) == {"image_auroc", "image_ap", "pixel_auroc", "pixel_aupro"}


def test_the_references_stay_whole(board):
    chosen = choose(board, Selection("clip", no_published=True))
    assert chosen.published.empty
    assert bibliography(chosen) == bibliography(board)


@pytest.mark.parametrize(
    ("selection", "said"),
    [
        ({"methods": "fbclp"}, "--methods: no measured method named 'fbclp'; did you mean 'fbclip'?"),
        ({"targets": "vsa"}, "--targets: no measured data set named 'vsa'; did you mean 'visa'?"),
        ({"metrics": "pixel_aurc"}, "--metrics: no measured metric named 'pixel_aurc'; did you mean 'pixel_auroc'?"),
        ({"paper": "fbclip:table99"}, "--paper: no table named 'fbclip:table99'; did you mean 'fbclip:table9'?"),
        ({"paper": "fbclip:table13"}, "--paper: fbclip:table13 has no numbers on data sets"),
        ({"order": "nme"}, "--order: no order named 'nme'; did you mean 'name'?"),
        ({"decimals": 7}, "--decimals is 7; it must be a whole number from 0 to 4"),
        ({"paper": "fbclip:table1", "no_published": True}, "give one of them"),
    ],
)
def test_wrong_values_are_one_line_with_the_nearest_name(board, selection, said):
    with pytest.raises(UsageError) as raised:
        choose(board, Selection(**selection))
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_file_holds_all_of_it_and_flags_override_it(board, tmp_path):
    written = spelled_out(board, Selection(decimals=2, paper="afclip:table1"))
    assert written.methods == ("clip", "fbclip", "afclip")
    assert written.targets == ("mvtec", "visa", "brainmri")
    path = tmp_path / "report.toml"
    path.write_text(as_toml(written), encoding="utf-8")
    assert read_selection(path, {}) == written
    assert read_selection(path, {"decimals": 1, "methods": ("clip",)}).decimals == 1


def test_names_of_any_letters_survive_the_file(tmp_path):
    selection = Selection(('a "b" \\ \x7f\n中🙂',))
    (tmp_path / "s.toml").write_text(as_toml(selection), encoding="utf-8")
    assert read_selection(tmp_path / "s.toml", {}) == selection


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("metods = []", "no key named 'metods'; did you mean 'methods'?"),
        ("methods = 'clip'", "'methods' must be a list of texts, not 'clip'"),
        ("decimals = true", "'decimals' must be a whole number, not True"),
        ("decimals = ", "is no valid TOML"),
    ],
)
def test_a_wrong_file_is_one_line(tmp_path, text, said):
    (tmp_path / "s.toml").write_text(text)
    with pytest.raises(UsageError) as raised:
        read_selection(tmp_path / "s.toml", {})
    assert said in str(raised.value)


def test_a_missing_file_is_one_line(tmp_path):
    with pytest.raises(UsageError, match="cannot be read"):
        read_selection(tmp_path / "s.toml", {})
    assert board_of(None).left_out == {}

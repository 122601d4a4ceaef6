"""All faults of a card at once: each with its line, and a card of this project has none."""

from importlib.resources import files

import pytest

from zsadbench.conformance.card_check import check_card_file
from zsadbench.conformance.card_lines import line_of
from zsadbench.scaffold.write import write_package

SHIPPED = sorted((files("zsadbench_datasets") / "cards").iterdir(), key=str)


@pytest.fixture
def changed(tmp_path):
    """`changed(old, new, …)`: the faults of the card of the template with parts replaced, and its lines."""

    def check(*pairs):
        paths = write_package("dataset", "some-parts", tmp_path / "new")
        path = next(path for path in paths if path.name == "some-parts.toml")
        text = path.read_text()
        for old, new in zip(pairs[::2], pairs[1::2], strict=True):
            assert old in text
            text = text.replace(old, new, 1)
        path.write_text(text)
        return check_card_file(path), text.splitlines()

    return check


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_card_has_no_fault(path):
    assert check_card_file(path) == []


@pytest.mark.parametrize(
    ("old", "new", "at", "words"),
    [
        ("licence =", "license =", "license =", "field 'license' is unknown"),
        ("licence =", "license =", "name =", "field 'licence' is missing"),
        ('bolt = "bolt"', "bolt = 7", "bolt = 7", "field 'bolt' must be a text, not 7"),
        ("bolt = [2, 2]", "screw = [2, 2]", "screw =", "field 'screw' is no class of this card"),
        ("bolt = [2, 2]", 'bolt = "2"', 'bolt = "2"', "field 'bolt' must be [normal, anomalous]"),
        ('levels = ["image", "pixel"]', 'levels = "image"', "levels =", "field 'levels' must be a list of texts"),
        ("cite = []", 'cite = ["zou2022spots"]', "cite =", "'zou2022spots' is no key of a reference"),
        ("cite = []", 'cite = []\nmetrics = ["pixel_magic"]', "metrics =", "pixel_magic"),
        ('name = "some-parts"', 'name = "visa"', "name =", "'visa' is a name of the card 'visa'"),
        ("test/normal/{stem}", "test/{defect}/{stem}", 'match = "{class}/test/{defect}', "rule 2 matches nothing"),
        (
            "[expected.test.counts]",
            "[expected.later.counts]",
            "[expected",
            "no images are expected in the split 'test'",
        ),
        ('masks = ["{class}/masks/{defect}/{stem}.png"]', "", "levels =", "no rule has masks"),
        ("[classes] ", "[classes ", "[classes ", "not TOML"),
    ],
)
def test_a_fault_is_found_with_its_line(changed, old, new, at, words):
    faults, lines = changed(old, new)
    found = [fault for fault in faults if words in fault.message]
    assert found, faults
    assert lines[found[0].line - 1].startswith(at) or words.startswith("rule 2")
    assert found[0].remedy


def test_a_shared_probe_is_a_fault_unless_the_card_says_so(changed, tmp_path):
    one_class = ('bolt = "bolt"\nmetal_nut = "metal nut"', 'kvasir = ""', "metal_nut = [2, 2]\n", "")
    layout = ('probe = ["{class}/test/normal"]', 'probe = ["images", "masks"]', "bolt = [2, 2]", "kvasir = [2, 2]")
    faults, lines = changed(*one_class, *layout)
    (line,) = {fault.line for fault in faults}
    assert lines[line - 1].startswith("probe =")
    assert {fault.message.split("'")[3] for fault in faults} >= {"endo", "kvasir"}


def test_faults_do_not_hide_each_other(changed):
    faults, _ = changed(
        *("licence =", "license =", 'domain = "industrial"', 'domain = "space"', "bolt = [2, 2]", "bolt = [2]"),
        *("label = 1", "label = 2", 'kind = "files"', 'kind = "files"\nshade = 1', "cite = []", 'cite = ["nobody"]'),
    )
    fields = ("'license'", "'licence'", "'domain'", "'bolt'", "'label'", "'shade'", "'nobody'")
    assert [field for field in fields if not any(field in fault.message for fault in faults)] == []
    assert len(faults) == len(fields)
    assert [fault.line for fault in faults] == sorted(fault.line for fault in faults)


def test_lines_of_quoted_and_dotted_keys():
    text = 'a.b = 1\n["x y"]\n"k.l" = 2\n[[t]]\n[t.u]\nv = 1\n'
    assert [line_of(text, path) for path in (("a", "b"), ("x y", "k.l"), ("t", 0), ("nothing",))] == [1, 3, 4, 1]

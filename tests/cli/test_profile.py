"""`zsadbench profile` as it is typed."""

import json
import re

import pytest

from zsadbench.profile import rounds

FLAGS = ("--weights", "random", "--device", "cpu", "--rounds", 1)


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(rounds, "STABLE_WITHIN", 1e9)


def test_tables_have_published_columns_beside(cli, small, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    told = cli("profile", "-m", "fbclip,afclip", "--backbone", small, *FLAGS)
    assert told.code == 0, told.err
    lines = told.out.splitlines()
    table13 = lines[next(i for i, line in enumerate(lines) if "Table 13" in line) :][:7]
    rows = {line.split()[0]: line.split() for line in table13 if line.strip()}
    assert rows["FAPrompt"][1:4] == ["not", "asked", "for"]
    assert rows["FAPrompt"][-2:] == ["232", "2.6"]
    assert rows["FB-CLIP"][-2:] == ["215", "3.3"]
    assert float(rows["FB-CLIP"][1]) > 0
    assert rows["AF-CLIP"][-2:] == ["112", "2.5"]
    table5 = lines[next(i for i, line in enumerate(lines) if "Table 5" in line) :]
    adaptor = next(line.split() for line in table5 if "Adaptor" in line)
    assert adaptor[-4:] == ["2109440", "3862", "0.142", "294.0*"]
    assert "attention is left out" in told.out
    assert "not built yet" in next(line for line in table5 if "LoRA" in line)


def test_a_method_that_was_not_asked_for_is_said_to_be_so(cli, small):
    told = cli("profile", "-m", "clip", "--backbone", small, *FLAGS)
    assert told.out.count("not asked for") == 4
    assert told.out.count("not built yet") == 3


def test_json_is_one_object_a_line(cli, small, tmp_path):
    told = cli(
        *("profile", "-m", "fbclip,clip", "--backbone", small, *FLAGS, "--batch-size", "1,2"),
        *("--json", "--out", tmp_path / "out"),
    )
    objects = [json.loads(line) for line in told.out.splitlines()]
    assert [(one["method"], one["batch_size"]) for one in objects] == [
        ("fbclip", 1),
        ("fbclip", 2),
        ("clip", 1),
        ("clip", 2),
    ]
    kept = json.loads((tmp_path / "out" / "profile.json").read_text())
    assert kept["profiles"] == objects
    assert kept["provenance"]["device"]
    assert (tmp_path / "out" / "profile.svg").read_text().lstrip().startswith("<?xml")


@pytest.mark.parametrize(
    ("flags", "code", "said"),
    [
        (("--save-maps",), 2, "--save-maps"),
        (("--batch-size", "many"), 2, "--batch-size"),
        (("--precision", "int4"), 2, "int4"),
        (("--scenario", "server"), 2, "single-stream"),
        (("--device", "abacus"), 2, "abacus"),
        (("--weights", "/nowhere.pt"), 4, "/nowhere.pt"),
        (("--image-size", "29"), 2, "29"),
    ],
)
def test_what_cannot_be_is_one_line(cli, small, flags, code, said):
    told = cli("profile", "-m", "clip", "--backbone", small, *FLAGS, *flags)
    assert told.code == code
    assert said in told.error
    assert not told.out


def test_every_stage_of_a_training_has_a_row(cli, small):
    told = cli("profile", "-m", "aaclip", "--backbone", small, *FLAGS, "--training")
    assert told.code == 0, told.err
    training = told.out.partition("training for one epoch")[2]
    assert re.findall(r"^ aaclip,[^\n]*\n (\w+) *$", training, re.MULTILINE) == ["text", "image"]  # in 80 columns


def test_a_method_or_a_folder_is_needed(cli):
    told = cli("profile")
    assert told.code == 2
    assert "--method" in told.error
    assert "--into" in told.error


@pytest.fixture
def shared_run(cli, quick, tmp_path):
    """Records of two methods that shared an encoding, and of one that ran alone."""
    flags = [*quick[2:], "-t", "brainmri", "--quiet"]
    assert cli("run", "-m", "fbclip,clip", *flags).code == 0
    assert cli("run", "-m", "afclip", *flags).code == 0
    return tmp_path / "results"


def test_one_command_fills_what_shared_encodings_cannot(cli, quick, shared_run, tmp_path):
    def costs():
        text = (tmp_path / "report/table.md").read_text()
        table = text[text.index("### Measured cost") :].split("\n### ")[0]
        rows = [line.split(" | ") for line in table.splitlines() if line.startswith("| ") and "ms per" not in line]
        return {row[0].removeprefix("| "): row for row in rows if "---" not in row[0]}, table

    assert cli("report", "--format", "markdown").code == 0
    before, table = costs()
    assert list(before) == ["afclip"]
    assert "Left out: 2 of the records" in table
    assert "measures each of them alone: clip, fbclip." in table
    told = cli("profile", "--into", "results", "--backbone", quick[-3], *FLAGS)
    assert told.code == 0, told.err
    assert told.out.count("written: results/profiles/") == 2
    assert cli("report", "--format", "markdown").code == 0
    after, table = costs()
    assert set(after) == {"afclip", "fbclip", "clip"}
    for method in ("fbclip", "clip"):
        kept = json.loads(next((shared_run / "profiles").glob(f"{method}-*.json")).read_text())["profile"]
        assert after[method][1] == f"{kept['latency_ms']['median']:.1f}"
        assert after[method][-2] == "profile, batch 1"
    assert "measures each of them alone" not in table
    again = cli("profile", "--into", "results", "--backbone", quick[-3], *FLAGS)
    assert again.code == 0
    assert len(list((shared_run / "profiles").iterdir())) == 2


def test_a_folder_without_shared_costs_is_said_and_a_damaged_profile_is_skipped(cli, quick, tmp_path):
    assert cli("run", "-m", "clip", *quick[2:], "-t", "brainmri", "--quiet").code == 0
    told = cli("profile", "--into", "results", *FLAGS)
    assert told.code == 2
    assert "no record below 'results' lacks a cost of its own" in told.error
    (tmp_path / "results/profiles").mkdir()
    (tmp_path / "results/profiles/clip-0.json").write_text('{"schema": 1}')
    assert "is no readable profile" in cli("report", "--format", "markdown").err

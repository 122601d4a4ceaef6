"""`zsadbench score --about`: maps of another program beside built-in methods, as the pages of the documentation say."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zsadbench.compare import board_of
from zsadbench.records import read_record, validate

PAGE = Path(__file__).parents[2] / "docs" / "external-maps.md"
ABOUT = """
name = "glow"
trained = true
aux = "{aux}"
backbone = "{backbone}"
weights = "{weights}"
image_size = 28
code = "https://example.org/glow"
commit = "0123abcdef"

[paper]
title = "Glow<b>: 100% of Light_"
venue = "ICXX"
year = 2027
"""


@pytest.fixture
def glow(tmp_path, mini, monkeypatch):
    """Maps of all images of the miniature of MVTec AD: their brightness; and the file that declares them."""
    monkeypatch.setenv("ZSADBENCH_DATA", str(mini))
    root = next(path for path in mini.iterdir() if "mvtec" in path.name.lower())
    for path in root.glob("*/test/*/*.png"):
        name = tmp_path / "maps" / path.relative_to(root)
        name.parent.mkdir(parents=True, exist_ok=True)
        np.save(f"{name}.npy", np.asarray(Image.open(path).convert("L").resize((28, 28)), np.float32))

    def declare(aux="visa", backbone="ViT-L-14-336", weights="openai", tail=""):
        (tmp_path / "about.toml").write_text(ABOUT.format(aux=aux, backbone=backbone, weights=weights) + tail)
        return tmp_path / "maps", "-t", "mvtec", "--about", tmp_path / "about.toml", "--class", "bottle"

    return declare


def record_of(told):
    path = json.loads(told.out.splitlines()[0])["path"]
    content = json.loads(Path(path).read_text())
    validate(content)
    return content


def test_declared_facts_stand_in_the_cell_and_in_every_line(cli, glow):
    told = cli("score", *glow(), "--json")
    assert told.code == 0, told.err
    record = record_of(told)
    cell = record["cell"]
    assert (cell["external"], cell["method"], cell["backbone"], cell["aux"]) == (
        *(True, "glow", "ViT-L-14-336"),
        {"name": "visa"},
    )
    assert cell["declared"]["weights"] == "openai"
    assert cell["declared"]["paper"]["key"] == "glow2027"
    assert cell["code"]["method"] == "0123abcdef"
    assert "glow|ViT-L-14-336:openai|aux:visa|maps:" in record["signature"]
    assert "|external|" in record["signature"]
    assert record["ledger"]["aux"] == "visa"
    assert record["ledger"]["grade"] in {"clean", "category-seen", "same-images"}
    assert record["ledger"]["images"]["compared"]["aux"] > 0  # the images of both sets are here and were compared
    shown = cli("score", *glow(), "-q")
    assert "glow, external" in shown.out
    assert "external, declared by its authors: trained on visa; weights openai; input 28 px; Glow<b>" in shown.out
    other = record_of(cli("score", *glow(weights="laion2b"), "--json"))
    assert other["identity"] != record["identity"]


def test_what_is_undeclared_stays_apart(cli, glow):
    maps, *_ = glow()
    record = record_of(cli("score", maps, "-t", "mvtec", "--class", "bottle", "--json", "--method-name", "dim"))
    assert record["cell"]["backbone"] == "unknown"
    assert not {"external", "declared"} & record["cell"].keys()
    assert (Path(maps) / "about.toml").exists() is False
    (Path(maps) / "about.toml").write_text("name = 'never read'")
    assert record_of(cli("score", maps, "-t", "mvtec", "--class", "bottle", "--json"))["cell"]["method"] == "maps"


def test_the_target_is_no_auxiliary_set_unless_leaks_are_allowed(cli, glow):
    told = cli("score", *glow(aux="MVTEC"))
    assert (told.code, "pass --allow-leak" in told.error) == (2, True)
    record = record_of(cli("score", *glow(aux="mvtec"), "--allow-leak", "--json"))
    assert (record["ledger"]["grade"], record["comparable"]) == ("same-set", False)
    assert "trained on the target" in record["not_comparable_because"]


def test_the_settings_file_declares_nothing(cli, glow, tmp_path):
    (tmp_path / "zsadbench.toml").write_text('[score]\nabout = "about.toml"\n')
    told = cli("score", *glow()[:3])
    assert (told.code, "without being seen; pass --about on the command line" in told.error) == (2, True)


def test_flags_and_files_do_not_contradict_each_other(cli, glow, quick, tmp_path):
    assert "--method-name is 'dim', but --about declares 'glow'" in cli("score", *glow(), "--method-name", "dim").error
    assert "--seed is '1', but --about declares '0'" in cli("score", *glow(), "--seed", 1).error
    told = cli("score", *glow(tail="colour = 1"))
    assert (told.code, "no key named 'paper.colour'" in told.error) == (2, True)
    cli("run", *quick, "-t", "mvtec", "--class", "bottle", "--save-maps", "-q")
    (folder,) = tmp_path.glob("results/mvtec/fbclip/*.maps")
    told = cli("score", folder, *glow()[1:])
    assert (told.code, "--about is for maps of another program" in told.error) == (2, True)


def test_of_several_training_sets_the_most_severe_grade_counts(cli, glow, tmp_path):
    arguments = glow()
    path = tmp_path / "about.toml"
    path.write_text(path.read_text().replace('"visa"', '["visa", "colondb", "other: ours"]'))
    ledger = record_of(cli("score", *arguments, "--json"))["ledger"]
    assert (ledger["aux"], ledger["grade"]) == ("visa, colondb, other: ours", "unknown")
    path.write_text(path.read_text().replace('"other: ours"', '"mvtec"'))
    assert cli("score", *arguments).code == 2
    ledger = record_of(cli("score", *arguments, "--json", "--allow-leak"))["ledger"]
    assert (ledger["grade"], ledger["leak"]) == ("same-set", True)


def test_an_unknown_training_set_is_graded_unknown_and_none_as_clean(cli, glow, tmp_path):
    record = record_of(cli("score", *glow(aux="other: images of our own"), "--json"))
    assert (record["ledger"]["grade"], record["ledger"]["epoch_choice"]) == ("unknown", "unknown")
    arguments = glow()
    text = (tmp_path / "about.toml").read_text()
    (tmp_path / "about.toml").write_text(text.replace("trained = true\naux", "trained = false\n# aux"))
    record = record_of(cli("score", *arguments, "--json"))
    assert (record["ledger"]["grade"], record["ledger"]["aux"], record["cell"]["aux"]) == ("clean", None, None)


def test_a_declared_row_stands_beside_a_built_in_one_and_is_compared(cli, glow, quick, small, tmp_path):
    backbone = read_backbone(cli, quick, tmp_path)
    assert cli("score", *glow(backbone=backbone, weights="random"), "--image-size", 28, "-q").code == 0
    board = board_of(tmp_path / "results")
    assert sorted(board.measured["entry"].unique()) == ["fbclip", "glow [external]"]
    told = cli("compare", "glow", "fbclip", "--json")
    assert told.code == 0, told.err
    gap = next(one for one in map(json.loads, told.out.splitlines()) if one["class"] == "bottle")
    assert (gap["left"], gap["right"], gap["because"]) == ("glow [external]", "fbclip", "")
    assert gap["interval"] is not None  # paired over the same images
    assert cli("report", "--format", "html,latex,markdown,csv").code == 0
    names = {"table.md": "glow \\[external\\]", "main.tex": "glow [external]", "results.csv": "glow [external]"}
    for name, entry in names.items():
        text = (tmp_path / "report" / name).read_text()
        assert (entry in text, "external, declared by its authors" in text) == (True, True), name
    html = (tmp_path / "report" / "index.html").read_text()
    assert "glow [external]" in html
    assert "external, declared by its authors" in html
    assert "Glow<b>" not in html
    assert (
        "title = {{Glow\\textless{}b\\textgreater{}: 100\\% of Light\\_}}"
        in (tmp_path / "report" / "references.bib").read_text()
    )


def read_backbone(cli, quick, tmp_path):
    """Run FB-CLIP on one class at 28 pixels; the name of its backbone."""
    told = cli("run", *quick, "-t", "mvtec", "--class", "bottle", "--image-size", 28, "-q")
    assert told.code == 0, told.err
    (path,) = tmp_path.glob("results/mvtec/fbclip/*.json")
    return read_record(path).cell["backbone"]


def test_shots_and_statistics_over_test_images_are_declared_too(cli, glow, tmp_path):
    arguments = glow()
    path = tmp_path / "about.toml"
    path.write_text(path.read_text().replace("trained = true", "trained = true\nshots = 2\ntransductive = true"))
    record = record_of(cli("score", *arguments, "--json"))
    assert (record["cell"]["shots"], record["cell"]["transductive"]) == (2, "declared")
    rows = board_of(tmp_path / "results").measured
    assert (set(rows["entry"]), set(rows["shots"])) == ({"glow [external, transductive]"}, {"2"})
    shown = cli("score", *arguments, "-q", "--overwrite", "always")
    assert "glow, 2 shots, external" in shown.out
    path.write_text(path.read_text().replace("trained = true", "trained = false").replace('aux = "visa"', ""))
    assert record_of(cli("score", *arguments, "--json"))["ledger"]["grade"] == "unknown"  # of the support images
    assert cli("report", "--format", "html,latex,markdown,csv,pwc").code == 0
    assert "2 support images per class" in (tmp_path / "report" / "table.md").read_text()


def test_two_folders_of_one_name_and_seed_are_never_averaged(cli, glow, tmp_path):
    assert cli("score", *glow(), "-q").code == 0
    for path in (tmp_path / "maps").rglob("*.npy"):
        np.save(path, -np.load(path))
    assert cli("score", *glow(), "-q").code == 0
    entries = board_of(tmp_path / "results").measured["entry"].unique()
    assert len(entries) == 2
    assert all(re.fullmatch(r"glow \[external, maps [0-9a-f]{4}\]", entry) for entry in entries)


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def test_the_trial_of_the_page_in_a_foreign_repository(cli, tmp_path):
    script, loop = blocks("python")
    assert sum(bool(line.strip()) for line in script.splitlines()) == 10
    for name, text in {"save_maps.py": script, "evaluate.py": loop, "about.toml": blocks("toml")[0]}.items():
        (tmp_path / name).write_text(text)
    for command in blocks("sh")[-1].splitlines():
        program, *arguments = command.split()
        if program == "python":
            subprocess.run([sys.executable, *arguments], cwd=tmp_path, check=True, capture_output=True)
        else:
            told = cli(*arguments)
            assert told.code == 0, told.err
    (path,) = tmp_path.glob("results/mvtec/glowclip/*.json")
    record = read_record(path)
    assert (record.cell["external"], record.cell["maps"]["image_score"]) == (True, "scores.csv")
    assert (len(record.classes), record.complete) == (15, True)
    assert "| data set | glowclip \\[external\\] |" in (tmp_path / "report" / "table.md").read_text()

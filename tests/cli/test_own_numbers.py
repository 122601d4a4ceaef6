"""`report --published` and `reproduce` with tables that a package brings; the paper of a method that a file defines."""

import json
import re
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from zsadbench import registry
from zsadbench.compare import paper_rows
from zsadbench.compare.printed_papers import papers

PAGE = Path(__file__).parents[2] / "docs" / "own-numbers.md"
PLUGIN = """
from dataclasses import replace
from zsadbench.registry import method_card
from zsadbench.types import Paper
PAPER = Paper("Glow & Co: Light", "ICXX", 2027, "doe2027", authors=("Jane Doe",), bibtex="{bibtex}")
CARD = replace(method_card("clip"), name="glow", version="", paper=PAPER)
"""


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def test_the_files_of_the_page_make_its_report(cli, tmp_path):
    (tmp_path / "mine.csv").write_text(blocks("csv")[0])
    (tmp_path / "mine.bib").write_text(blocks("bibtex")[0])
    (command,) = blocks("sh")
    told = cli(*command.split()[1:])
    assert told.code == 0, told.err
    text = (tmp_path / "report" / "table.md").read_text()
    assert "### GlowCLIP (arXiv 2026), Table 1: main results. As published." in text
    assert "Published numbers of GlowCLIP: An Example (arXiv, 2026, https://example.org/glow); from mine.csv." in text
    assert blocks("bibtex")[0].strip() in (tmp_path / "report" / "references.bib").read_text()
    assert "doe2026glow,1,GlowCLIP,glowclip" in (tmp_path / "report" / "results.csv").read_text()


def test_faults_are_lines_with_an_exit_code_and_nothing_is_written(cli, tmp_path):
    (tmp_path / "mine.csv").write_text(
        blocks("csv")[0].replace("93.1", "931").replace("winclip,WinCLIP,mvtec", "w,W,x")
    )
    told = cli("report", "--published", "mine.csv")
    assert told.code == 3
    assert [line for line in told.err.splitlines() if line.startswith("error: ")] == [
        "error: 'mine.csv', line 2: 'value' is '931'; accuracies are in percent, from 0 to 100",
        next(line for line in told.err.splitlines() if "line 4: no data set named 'x'" in line),
    ]
    assert not (tmp_path / "report").exists()
    assert cli("report", "--published", "none.csv").code == 2


@pytest.fixture
def package(tmp_path, monkeypatch):
    """The package of the page, with a table of CLIP's on BrainMRI to reproduce."""
    root, real = tmp_path / "glow_numbers", registry._points
    of_papers, described = (block for block in blocks("toml") if block.startswith(("# papers", "# glow")))
    described = described.replace('["mvtec", "visa"]', '["brainmri"]').replace('"glowclip"', '"clip"')
    described = re.sub(r"options = .*|aux = .*", "", described)
    numbers = "table,method,label,target,metric,value\n1,clip,GlowCLIP,brainmri,image_auroc,99.9\n"
    files = {"__init__.py": "", "papers.toml": of_papers, "glow.csv": numbers, "glow/table1.toml": described}
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    theirs = {"glow": EntryPoint("glow", "glow_numbers", "zsadbench.published")}
    monkeypatch.setattr(registry, "_points", lambda group: theirs if group == "published" else real(group))
    caches = papers.cache_clear, paper_rows._published.cache_clear
    for clear in caches:
        clear()
    yield root
    monkeypatch.undo()
    sys.modules.pop("glow_numbers", None)
    for clear in caches:
        clear()


def test_a_table_of_a_package_is_listed_and_reproduced(cli, package, quick, small):
    listed = cli("reproduce", "--json")
    assert any(json.loads(line)["name"] == "glow:table1" for line in listed.out.splitlines())
    flags = ("--backbone", small, "--weights", "random", "--json", "-q")
    told = cli("reproduce", "glow:table1", *flags)
    assert told.code == 0, told.err
    (cell,) = [one for one in map(json.loads, told.out.splitlines()) if one["event"] == "cell"]
    assert (cell["row"], cell["target"], cell["published"], cell["verdict"]) == (
        *("GlowCLIP", "brainmri", 0.999),
        "not comparable",
    )
    assert cell["measured"] is not None


def test_claims_of_a_package_are_recomputed(cli, package):
    claim = '[[claims]]\nsays = "on two sets"\nwhere = "abstract"\ntable = "1"\nrule = "sets"\nsaid = 2\n'
    (package / "glow" / "claims.toml").write_text(claim)
    told = cli("reproduce", "glow:claims")
    assert (told.code, "on two sets" in told.out) == (1, True)
    (package / "glow" / "claims.toml").write_text(claim.replace("2", "1"))
    assert cli("reproduce", "glow:claims").code == 0


def test_a_wrong_description_of_a_package_spares_the_list(cli, package):
    (package / "glow" / "table1.toml").write_text("targets = 3")
    told = cli("reproduce")
    assert told.code == 0
    assert "glow:table1 is left out: " in told.err
    assert "fbclip:table1" in told.out
    assert cli("reproduce", "glow:table1", "--dry-run").code == 3


@pytest.fixture
def forgotten(monkeypatch):
    """Methods of plugin files are forgotten after the test, and where the function that this returns is called."""
    real, known = registry._points, {}

    def points(group):
        return known.setdefault(group, dict(real(group)))

    monkeypatch.setattr(registry, "_points", points)
    monkeypatch.setattr(registry, "_plugins", {})
    return known.clear


def test_the_paper_of_a_file_is_shown_and_cited_without_the_file(cli, quick, small, tmp_path, forgotten):
    entry = "@misc{doe2027, title = {Glow}}"
    (tmp_path / "glow.py").write_text(PLUGIN.format(bibtex=entry))
    shown = cli("methods", "show", "glow", "--plugin", "glow.py")
    forgotten()
    assert "  title: Glow & Co: Light\n" in shown.out
    assert f"    {entry}\n" in shown.out
    flags = ("--plugin", "glow.py", "-t", "brainmri", "--backbone", small, "--weights", "random", "-q")
    assert cli("run", "-m", "glow", *flags).code == 0
    forgotten()  # as in another process, which does not know the file
    assert cli("report", "--format", "latex").code == 0
    assert entry in (tmp_path / "report" / "references.bib").read_text()
    assert "ICXX 2027\\zscite{doe2027}" in (tmp_path / "report" / "main.tex").read_text()


def test_faults_of_a_paper_are_faults_of_the_card(cli, tmp_path, forgotten):
    (tmp_path / "glow.py").write_text(PLUGIN.format(bibtex="@misc{other, title = {Glow}}").replace("2027,", "27,"))
    told = cli("methods", "show", "glow", "--plugin", "glow.py")
    assert told.code == 2
    assert "'paper.year' is 27" in told.error
    assert "'paper.bibtex' has the keys other; it is one entry with the key 'doe2027'" in told.error

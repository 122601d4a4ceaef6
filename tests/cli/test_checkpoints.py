"""`zsadbench checkpoints`: list, show, export with a card, import into the cache of another machine."""

import json

import pytest


@pytest.fixture
def trained(cli, mini, small, monkeypatch):
    """The flags of a short run, whose checkpoint is in the cache."""
    monkeypatch.setenv("ZSADBENCH_DATA", str(mini))
    flags = ("-m", "fbclip", "--backbone", small, "--weights", "random", "--epochs", "1", "--aux", "colondb")
    told = cli("run", *flags, "-t", "brainmri", "--json")
    assert told.code == 0, told.err
    return flags, json.loads(told.out.splitlines()[0])


def only_name(cli):
    (row,) = [json.loads(line) for line in cli("checkpoints", "list", "--json").out.splitlines()]
    return row["name"]


def test_a_checkpoint_is_exported_with_its_card_and_used_on_another_machine(cli, trained, tmp_path, monkeypatch):
    flags, record = trained
    name = only_name(cli)
    assert "colondb" in cli("checkpoints", "list").out
    told = cli(
        "checkpoints", "export", name[:6], "-o", "fb.safetensors", "--results", "results", "--licence", "CC0-1.0"
    )
    assert (told.code, told.out.strip()) == (0, "fb.safetensors"), told.err
    card = json.loads(cli("checkpoints", "show", "fb.safetensors", "--json").out)
    assert (card["method"], card["licence"], card["aux"]["name"], card["seed"]) == ("fbclip", "CC0-1.0", "colondb", 0)
    assert card["recipe"]["epochs"] == 1
    assert card["code"]["method"]
    assert card["aux_licence"]
    measured = card["metrics"]["brainmri"]
    assert measured["image_auroc"] == pytest.approx(record["mean"]["image_auroc"], abs=1e-4)
    assert measured["comparable"] is False
    text = (tmp_path / "fb.safetensors.md").read_text()
    assert "licence: CC0-1.0" in text
    assert "## Measured on brainmri" in text
    monkeypatch.setenv("ZSADBENCH_CACHE", str(tmp_path / "other machine"))
    told = cli("checkpoints", "import", "fb.safetensors")
    assert told.code == 0, told.err
    assert told.out.strip().endswith(f"checkpoints/fbclip/{name}.safetensors")
    assert only_name(cli) == name
    monkeypatch.setattr("zsadbench.engine.learn.detector.fit", lambda *_: pytest.fail("it trained"))
    again = json.loads(cli("run", *flags, "-t", "brainmri", "--out", "again", "--json").out.splitlines()[0])
    assert again["classes"] == record["classes"]
    with_file = flags[:-4]
    told = cli("run", *with_file, "-t", "brainmri", "--checkpoint", "fb.safetensors", "--out", "third", "--json")
    assert json.loads(told.out.splitlines()[0])["classes"] == record["classes"]


def test_bad_input(cli, trained, tmp_path):
    name = only_name(cli)
    for arguments, code, said in (
        (("show", "ffff"), 4, "no checkpoint 'ffff'"),
        (("show", ""), 4, "no checkpoint ''"),
        (("export", name), 2, "--out"),
        (("export", "ffff", "-o", "x.safetensors"), 4, "no checkpoint 'ffff'"),
        (("export", name, "-o", "x.safetensors", "--results", "nowhere"), 2, "is no folder"),
        (("export", name, "-o", "results"), 2, "it is a folder"),
        (("import", "nowhere.pth"), 2, "pass --method"),
    ):
        told = cli("checkpoints", *arguments)
        assert told.code == code, (arguments, told.err)
        assert said in told.error
    assert cli("checkpoints", "export", name, "-o", "a.safetensors").code == 0
    assert "exists already" in cli("checkpoints", "export", name, "-o", "a.safetensors").error
    assert cli("checkpoints", "import", "a.safetensors", "--out", "b.safetensors").code == 2
    told = cli("checkpoints", "import", "a.safetensors", "-m", "afclip")
    assert told.code == 4
    assert "was trained for 'fbclip', not for 'afclip'" in told.error
    content = bytearray((tmp_path / "a.safetensors").read_bytes())
    content[-1] ^= 1
    (tmp_path / "a.safetensors").write_bytes(content)
    for arguments in (("import", "a.safetensors"), ("export", "a.safetensors", "-o", "c.safetensors")):
        told = cli("checkpoints", *arguments)
        assert told.code == 4
        assert "is damaged" in told.error
    (tmp_path / "page.safetensors").write_text("<!DOCTYPE html>")
    assert cli("checkpoints", "show", "page.safetensors").code == 4


def test_an_empty_cache_says_how_to_make_one(cli):
    told = cli("checkpoints", "list")
    assert told.code == 0
    assert "zsadbench train makes one" in told.out


def test_several_with_the_same_beginning_are_refused(cli, trained, tmp_path):
    folder = tmp_path / "cache" / "checkpoints" / "fbclip"
    (path,) = folder.glob("*.safetensors")
    (folder / f"{path.stem[:8]}00000000.safetensors").write_bytes(path.read_bytes())
    told = cli("checkpoints", "show", path.stem[:8])
    assert told.code == 2
    assert "2 checkpoints begin with" in told.error

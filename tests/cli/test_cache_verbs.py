"""`zsadbench cache list` and `cache clear`: what is said, what is asked, what is refused."""

import json

import pytest

KEY = "0123456789abcdef" * 2


@pytest.fixture
def cache(tmp_path):
    root = tmp_path / "cache"
    for name in (f"files/{KEY}.npz", "files/taxes.npz", "weights/ViT-B-32.pt", "photo.png"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x" * 2048)
    return root


def test_the_list_says_what_there_is(cli, cache):
    told = cli("cache", "list")
    assert told.code == 0
    assert "2.0 KiB" in told.out
    assert "2 more entries are not the cache's own" in told.out
    rows = {row["part"]: row for row in map(json.loads, cli("cache", "list", "--json").out.splitlines())}
    assert (rows["files"]["files"], rows["files"]["bytes"], rows["files"]["foreign"]) == (1, 2048, 1)


def test_clearing_needs_yes_without_a_terminal_and_keeps_what_is_costly(cli, cache):
    told = cli("cache", "clear")
    assert told.code == 2
    assert "remove 1 files, 2.0 KiB, of files; pass --yes" in told.error
    assert (cache / f"files/{KEY}.npz").is_file()
    told = cli("cache", "clear", "--yes")
    assert (told.code, told.out.strip()) == (0, "removed 1 files, 2.0 KiB: files")
    assert "kept: weights (2.0 KiB); name them or pass --all" in told.err
    assert "1 files that are not the cache's own stay" in told.err
    assert (cache / "files/taxes.npz").is_file()
    assert cli("cache", "clear").code == 0, "there is nothing to ask about"
    told = cli("cache", "clear", "--all", "--yes", "--json")
    assert json.loads(told.out)["files"] == 1
    assert not (cache / "weights").exists()
    assert (cache / "photo.png").is_file()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(("clear", "tokns"), "did you mean 'tokens'"), (("clear", "tokens", "--all"), "give parts or --all")],
)
def test_bad_input(cli, arguments, said):
    told = cli("cache", *arguments)
    assert told.code == 2
    assert said in told.error


def test_a_cache_that_is_not_there_is_empty(cli, tmp_path, monkeypatch):
    monkeypatch.setenv("ZSADBENCH_CACHE", str(tmp_path / "nowhere"))
    assert cli("cache", "list").code == 0
    assert cli("cache", "clear").code == 0
    assert not (tmp_path / "nowhere").exists()

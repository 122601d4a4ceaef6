"""The cache: what is in it, and that clearing removes nothing that zsadbench did not write."""

from pathlib import Path

import pytest

from zsadbench.errors import UsageError
from zsadbench.upkeep.cache import PARTS, clear, other_entries, part_states

KEY, HASH = "0123456789abcdef" * 2, "0123456789abcdef" * 4
OWN = (
    "weights/models--timm--vit/snapshots/1/model.safetensors",
    "weights/.locks/models--timm--vit/1.lock",
    "weights/ViT-L-14-336px.pt",
    "weights/resnet50-0676ba61.pth",
    "checkpoints/fbclip/0123456789abcdef.safetensors",
    "checkpoints/fbclip/.0123456789abcdef.safetensors.lock",
    "checkpoints/fbclip/0123456789abcdef.thresholds.json",
    f"tokens/{KEY}/{KEY}-plain-1",
    f"images/{KEY}/{KEY}",
    "demo/demo-2-547c93719ae9/fork/test/good/000.png",
    "demo/.drawing.lock",
    "demo/.drawing-ab12_x9z/set/000.png",
    f"files/{KEY}.npz",
    f"files/.{KEY}.npz.lock",
    f"files/.{KEY}.npz.0a1b2c3d.unfinished",
    f"hashes/{HASH}.npz",
    f"masks/{HASH}.json",
    f"areas/{KEY}.json",
    "kernels/counting_0f/cells.count-12.py311.nbi",
)
FOREIGN = (
    "weights/mine.pt",
    "weights/ViT-L-14-336px.pt.backup",
    "checkpoints/fbclip/best.safetensors",
    "checkpoints/notes.txt",
    f"tokens/{KEY}/readme",
    "images/holiday/001.jpg",
    f"images/{KEY}.jpg",
    "demo/my-project/main.py",
    "files/taxes-2026.npz",
    "files/.x.lock",
    "masks/carnival.json",
    "kernels/linux/Makefile",
)
BESIDE = ("Documents/letter.txt", "photo.png")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    root = tmp_path / "home"
    monkeypatch.setenv("ZSADBENCH_CACHE", str(root))
    for name in (*OWN, *FOREIGN, *BESIDE):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"12345")
    (root / "images" / "empty").mkdir()
    return root


def files_below(root):
    return {str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir()}


def test_clearing_all_parts_leaves_what_is_not_the_caches_own(cache):
    states = part_states()
    assert sum(state.files for state in states) == len(OWN)
    assert sum(state.size for state in states) == 5 * len(OWN)
    assert sum(state.foreign for state in states) == len(FOREIGN)
    assert [path.name for path in other_entries()] == ["Documents", "photo.png"]
    assert clear(states) == (len(OWN), 5 * len(OWN))
    assert files_below(cache) == {*FOREIGN, *BESIDE}
    assert (cache / "images" / "empty").is_dir()
    assert not (cache / "areas").exists(), "a folder of the cache that is empty now"
    assert clear(part_states()) == (0, 0)


def test_links_are_not_followed(cache, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept.txt").write_text("x")
    (cache / "tokens" / ("f" * 32)).symlink_to(outside)
    (cache / "demo" / "demo-3-547c93719ae9").symlink_to(outside)
    clear(part_states())
    assert (outside / "kept.txt").is_file()
    assert not (cache / "demo" / "demo-3-547c93719ae9").is_symlink()


def test_a_part_that_lies_on_another_disk_is_cleared_and_its_link_stays(cache, tmp_path):
    disk = tmp_path / "disk"
    (cache / "areas").rename(disk)
    (cache / "areas").symlink_to(disk)
    assert clear(part_states(["areas"]))[0] == 1
    assert (cache / "areas").is_symlink()
    assert files_below(disk) == set()


def test_every_folder_of_the_cache_is_a_part():
    """The names that the packages join to the folder of the cache."""
    import re

    import zsadbench

    root = Path(zsadbench.__file__).parents[1]
    sources = [
        path.read_text() for package in ("zsadbench", "methods", "datasets") for path in (root / package).rglob("*.py")
    ]
    named = {name for text in sources for name in re.findall(r'cache_folder\(\) / "(\w+)"', text)}
    assert named <= {part.name for part in PARTS}
    assert {"tokens", "images", "weights", "checkpoints"} <= named


def test_what_a_run_leaves_is_recognised(cache_of_a_training):
    states = {state.part.name: state for state in part_states()}
    assert sum(state.foreign for state in states.values()) == 0
    assert states["checkpoints"].files
    assert states["tokens"].files
    assert states["files"].files


@pytest.fixture
def cache_of_a_training(request_for):
    """The cache after a training of one epoch."""
    from zsadbench.engine.train import train_all

    list(train_all(request_for(targets=("colondb",), allow_leak=True), None))


def test_unknown_parts_are_refused(cache):
    with pytest.raises(UsageError, match="did you mean 'tokens'"):
        part_states(["token"])

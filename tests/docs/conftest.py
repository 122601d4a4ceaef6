"""A folder with what the commands of the documentation name: data, weights, photographs, checkpoints, records."""

import contextlib
import io
import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zsadbench import registry
from zsadbench.cli import main
from zsadbench.data import synthesise

TOP = Path(__file__).resolve().parents[2]
SETS = ("visa", "mvtec", "brainmri", "headct", "mvtec2")
sys.path.insert(0, str(TOP / "tools"))


def call(*arguments):
    """Run `zsadbench` in this process, without the plugins of earlier commands, and return its exit code."""
    known, points = registry._points, {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["zsadbench", *map(str, arguments)])
        patch.setattr(registry, "_points", lambda group: points.setdefault(group, dict(known(group))))
        patch.setattr(registry, "_plugin_files", [])
        with pytest.raises(SystemExit) as left:
            main()
    return left.value.code or 0


def execute(line):
    """Run a command line, of zsadbench in this process; return its exit code and what it printed."""
    given = [os.path.expandvars(word) for word in shlex.split(line)]
    words = [name for word in given for name in (sorted(map(str, Path().glob(word))) if "*" in word else [word])]
    if words[0] == "zsadbench" and not {"&&", "|", ">"} & set(words):
        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            code = call(*words[1:])
        return code, said.getvalue()
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(["bash", "-ec", line], env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def photographs(folder, number, seed=0):
    """Write images of noise."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(seed)
    for index in range(number):
        Image.fromarray(random.integers(0, 255, (40, 48, 3), np.uint8)).save(folder / f"{index:03}.png")


@pytest.fixture(scope="session")
def table():
    from doc_commands.table import Table

    return Table(TOP / "tests" / "docs" / "substitutions.toml")


@pytest.fixture(scope="session")
def world(tmp_path_factory, small, archive, table):
    """The folder, and beside it the cache that all commands share; nothing in it changes."""
    top = tmp_path_factory.mktemp("docs")
    folder = top / "world"
    for name in SETS:
        synthesise(name, folder / "data", 3 if name == "headct" else 1)
    shutil.copy(archive, folder / "clip.pt")
    shutil.copy(small, folder / "small.json")
    timm = {
        "timm": "vit_small_patch14_dinov2",
        "arguments": {"embed_dim": 24, "depth": 12, "num_heads": 2, "img_size": 28},
    }
    (folder / "vit.json").write_text(json.dumps(timm))
    for name, number, seed in (("photos", 5, 0), ("good", 50, 1), ("bad", 3, 2), ("good-of-today", 20, 3)):
        photographs(folder / name, number, seed)
    shutil.copy(folder / "photos" / "000.png", folder / "photo.png")
    photographs(folder / "caps" / "good", 2, 4)
    photographs(folder / "caps" / "bad", 2, 5)
    rows = "".join(
        f"caps/{kind}/{index:03}.png,{label}\n" for kind, label in (("good", 0), ("bad", 1)) for index in (0, 1)
    )
    (folder / "caps.csv").write_text("path,label\n" + rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name, value in {**table.environment, "ZSADBENCH_CACHE": str(top / "cache")}.items():
            patch.setenv(name, value)
        assert (
            call(
                "run", "-m", "fbclip,clip,afclip", "-t", "visa", "--class", "candle,capsules", "--save-maps", "--quiet"
            )
            == 0
        )
        code, said = execute("zsadbench train -m fbclip --json --quiet")
        assert code == 0, said
        checkpoint = json.loads(said.splitlines()[-1])["path"]
    shutil.copy(checkpoint, folder / "fbclip.safetensors")
    return folder


@pytest.fixture(name="execute")
def execute_line():
    """`execute(line)`: exit code and output of a command line."""
    return execute


@pytest.fixture
def workplace(world, tmp_path, monkeypatch, table):
    """A copy of the world as the working folder, with its environment."""
    folder = tmp_path / "place"
    shutil.copytree(world, folder, copy_function=os.link)
    monkeypatch.chdir(folder)
    for name, value in {**table.environment, "ZSADBENCH_CACHE": str(world.parent / "cache")}.items():
        monkeypatch.setenv(name, value)
    return folder

"""The command line in this process, and the main job's surroundings in miniature."""

import sys
from typing import NamedTuple

import pytest

from zsadbench.cli import main
from zsadbench.data import synthesise


class Outcome(NamedTuple):
    """What a command left: exit code, stdout, stderr."""

    code: int
    out: str
    err: str

    @property
    def error(self):
        """The one error line."""
        lines = [line for line in self.err.splitlines() if line.startswith("error: ")]
        assert lines, self.err
        assert "Traceback" not in self.err
        return lines[0]


@pytest.fixture
def cli(monkeypatch, capsys, tmp_path):
    """`cli("run", "-m", "clip")` runs a command in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["zsadbench", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main()
        out, err = capsys.readouterr()
        return Outcome(left.value.code or 0, out, err)

    return call


@pytest.fixture(scope="session")
def mini(tmp_path_factory):
    """A data root with miniatures of VisA, MVTec AD, CVC-ColonDB and BrainMRI."""
    root = tmp_path_factory.mktemp("data")
    for name in ("visa", "mvtec", "colondb", "brainmri"):
        synthesise(name, root, 1)
    return root


@pytest.fixture
def quick(mini, small, monkeypatch):
    """The flags of a run that takes a second: FB-CLIP, untrained, random weights; data by the environment."""
    monkeypatch.setenv("ZSADBENCH_DATA", str(mini))
    return ("-m", "fbclip", "--aux", "none", "--backbone", small, "--weights", "random")

"""Kernels: compiled when a pixel metric is asked for, kept where something may be written, shared by processes."""

import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import zsadbench.metrics
from zsadbench.metrics.counting import compiled as kernels

USE = """
import numpy as np
from zsadbench.metrics import PixelMetrics
for mode in ("exact", "stream"):
    metrics = PixelMetrics(mode=mode)
    metrics.update(np.array([[[0.1, 0.3], [0.2, 0.4]]], np.float32), [[[0, 1], [0, 1]]])
    assert metrics.compute()["auroc"].value == 1.0
"""


def run(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env={**os.environ, **environment}
    )


def test_importing_and_ranking_images_need_numpy_alone():
    done = run("""
import sys
from zsadbench.metrics import ClassMetrics, PixelMetrics, image_auroc, parse_metric
assert image_auroc([0.1, 0.2], [0, 1]) == 1.0
alone = ClassMetrics(masks=False)
alone.update([0.1, 0.2], [0, 1])
assert alone.compute()["image_auroc"].value == 1.0
PixelMetrics(mode="stream")
heavy = {"numba", "scipy", "torch", "pandas", "sklearn"} & set(sys.modules)
assert not heavy, heavy
PixelMetrics().update([[[0.1, 0.2]]], [[[0, 1]]])
assert "numba" in sys.modules
""")
    assert done.returncode == 0, done.stderr


@pytest.fixture
def refusing(monkeypatch, tmp_path):
    """A package, and a user's cache, that cannot be written; returns the folders that are still tried."""
    compile_it, tried = kernels.numba.njit, []

    def njit(*function, cache=False, **options):  # numba decorates modules of its own with it, when first needed
        if cache and not kernels.config.CACHE_DIR:
            raise RuntimeError("cannot cache function: no locator available")
        if cache:
            tried.append(kernels.config.CACHE_DIR)
        return compile_it(*function, cache=cache, **options)

    monkeypatch.setattr(kernels.numba, "njit", njit)
    monkeypatch.setattr(kernels.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.delenv("ZSADBENCH_CACHE", raising=False)
    return tried


def twice(x):
    return 2 * x


def test_kernels_are_kept_below_the_cache_where_the_package_cannot_be_written(refusing, monkeypatch, tmp_path):
    monkeypatch.setenv("ZSADBENCH_CACHE", str(tmp_path / "cache"))
    assert kernels.compiled(twice)(4) == 8
    assert refusing == [str(tmp_path / "cache" / "kernels")]
    assert list((tmp_path / "cache" / "kernels").rglob("*.nbi"))
    assert not kernels.config.CACHE_DIR


def test_a_temporary_folder_is_used_only_if_it_is_ours_alone(refusing, tmp_path):
    assert kernels.compiled(twice)(4) == 8
    folder = Path(refusing[0])
    assert folder.parent == tmp_path
    assert folder.stat().st_mode & 0o777 == 0o700
    folder.chmod(0o777)
    refusing.clear()
    assert kernels.compiled(twice)(4) == 8
    assert refusing == []


def test_kernels_work_from_a_package_that_cannot_be_written(tmp_path):
    package = tmp_path / "site" / "zsadbench"
    source = Path(zsadbench.metrics.__file__).parent
    shutil.copytree(source, package / "metrics", ignore=shutil.ignore_patterns("__pycache__"))
    (package / "__init__.py").write_text("")
    shutil.copy(source.parent / "errors.py", package)
    for folder in (package / "metrics", package / "metrics" / "counting"):
        (folder / "__pycache__").write_text("no folder")  # so nothing can be kept beside the source
    kept = tmp_path / "cache"
    # one use compiles for the next; both processes at once may compile, and neither breaks the other's files
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site"), "NUMBA_CACHE_DIR": str(kept)}
    started = [subprocess.Popen([sys.executable, "-c", USE], env=environment) for _ in range(2)]
    assert [one.wait() for one in started] == [0, 0]
    assert list(kept.rglob("*.nbc"))
    assert subprocess.run([sys.executable, "-c", USE], env=environment, check=False).returncode == 0


DAMAGES = {
    "empty": lambda content: b"",
    "half": lambda content: content[: len(content) // 2],
    "text": lambda content: b"no pickle\n",
    "another object": lambda content: pickle.dumps([1, 2]),
}


@pytest.mark.parametrize("ending", ["nbi", "nbc"])
@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_cache_is_made_again(refusing, monkeypatch, tmp_path, damage, ending):
    monkeypatch.setenv("ZSADBENCH_CACHE", str(tmp_path / "cache"))
    assert kernels.compiled(twice)(4) == 8
    (file,) = (tmp_path / "cache" / "kernels").rglob(f"*.{ending}")
    whole = file.read_bytes()
    file.write_bytes(damage(whole))
    assert kernels.compiled(twice)(4) == 8
    assert pickle.loads(file.read_bytes()) == pickle.loads(whole) if ending == "nbi" else file.stat().st_size > 100
    assert kernels.compiled(twice)(4) == 8

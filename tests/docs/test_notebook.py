"""The example notebook runs from its first cell to its last, and is committed without outputs."""

import os
import shutil
from pathlib import Path

import pytest

import zsadbench

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")

NOTEBOOK = Path(__file__).resolve().parents[2] / "docs" / "notebooks" / "demo.ipynb"
TOP = Path(zsadbench.__file__).parents[1]


@pytest.fixture
def notebook():
    read = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(read)
    return read


def test_it_has_no_outputs_and_no_paths_of_a_machine(notebook):
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert len(code) >= 8
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)
    assert "/home/" not in NOTEBOOK.read_text()
    assert str(TOP) not in NOTEBOOK.read_text()
    assert set(notebook.metadata) == {"kernelspec", "language_info"}


@pytest.mark.filterwarnings("ignore:::zmq", "ignore:::tornado", "ignore:::jupyter_client", "ignore:::ipykernel")
def test_it_runs(notebook, tmp_path, monkeypatch):
    sources = [str(TOP / name) for name in ("", "datasets", "methods", "reports") if (TOP / name).is_dir()]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([*sources, os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "jupyter"))  # no kernel of the user
    monkeypatch.setenv("JUPYTER_PREFER_ENV_PATH", "1")
    shutil.copy(NOTEBOOK, tmp_path)
    client = nbclient.NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}})
    client.execute()  # raises where a cell does
    shown = {
        cell.source.splitlines()[-1]: output.data.get("text/html", "")
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if output.output_type == "execute_result"
    }
    assert shown["data"].count("data:image/png;base64,") == 12
    assert "winclip †" in shown["results"]
    assert shown["results"].count("<tr>") == 3
    assert shown["results.strip(6)"].count("<figure") == 6
    assert shown["errors"].count("normal, ") >= 4
    assert (tmp_path / "errors.png").is_file()
    assert len(list((tmp_path / "demo-results").rglob("*.json"))) == 2
    errors = [
        output.text for cell in notebook.cells for output in cell.get("outputs", ()) if output.get("name") == "stderr"
    ]
    assert all("Warning" not in text for text in errors), errors
